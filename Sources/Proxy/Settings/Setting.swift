/// A table of the file whose keys are known.
enum Section: CaseIterable {
    case file, server, listen, pool, pgbouncer, rule, reject, defaultRoute, expect

    /// How the file opens it.
    var heading: String {
        switch self {
        case .file: "the file"
        case .server: "[server]"
        case .listen: "[[listen]]"
        case .pool: "[pool.NAME]"
        case .pgbouncer: "[pgbouncer]"
        case .rule: "[[rule]]"
        case .reject: "reject = { … }"
        case .defaultRoute: "[default]"
        case .expect: "[[expect]]"
        }
    }

    /// In the order of the reference.
    var settings: [Setting] { Self.tables[self] ?? [] }

    private static let tables = Dictionary(grouping: Setting.table, by: \.section)
}

/// What a key takes.
enum SettingType: Sendable {
    case integer(ClosedRange<Int>)
    /// Milliseconds.
    case duration(ClosedRange<Int>)
    /// Bytes.
    case size(ClosedRange<Int>)
    /// Of something, 0 to 100.
    case percentage
    case boolean
    case word([String])
    /// The name of a pool, a cluster or a listener: it appears in receipts, labels and commands.
    case name
    /// One line of text of at most so many bytes.
    case line(Int)
    /// Text of at most so many bytes that may have line breaks and tabs.
    case text(Int)
    case socketPath
    /// An absolute path.
    case folder
    case fileMode
    case connection
    case sqlstate
    /// Several of them, or one without brackets.
    case list(ListElement)

    /// One table, `[server]`, or an inline one.
    case section(Section)
    /// Any number of tables, `[[rule]]`.
    case sections(Section)
    /// One table a name, `[pool.NAME]`.
    case namedSections(Section)
}

/// What the elements of a list are. Not a `SettingType`, which would have to be indirect: its boxes in the static table
/// look like leaks to LeakSanitizer.
enum ListElement: Sendable {
    case word([String])
    case name
    case line(Int)
    case text(Int)

    var type: SettingType {
        switch self {
        case .word(let words): .word(words)
        case .name: .name
        case .line(let limit): .line(limit)
        case .text(let limit): .text(limit)
        }
    }
}

/// A value that was read and fits its type.
enum SettingValue: Equatable, Sendable {
    /// An integer, milliseconds, bytes or permission bits: the type says which.
    case number(Int)
    case boolean(Bool)
    case text(String)
    case list([Located<SettingValue>])
}

/// One key that the file may have: what parsing, complaints and the reference are made from.
struct Setting: Sendable {
    enum Presence: Sendable {
        case required
        case optional
        case defaults(SettingValue)
        /// Known to the design and refused until it is built.
        case notInThisVersion
    }

    let section: Section
    let name: String
    let type: SettingType
    let presence: Presence
    /// A reload does not change it.
    let needsRestart: Bool
    let meaning: String

    init(
        _ section: Section, _ name: String, _ type: SettingType, _ presence: Presence, restart: Bool = false,
        _ meaning: String
    ) {
        self.section = section
        self.name = name
        self.type = type
        self.presence = presence
        self.needsRestart = restart
        self.meaning = meaning
    }

    /// A key that a later version takes.
    static func later(_ section: Section, _ name: String) -> Setting {
        Setting(section, name, .boolean, .notInThisVersion, "")
    }

    var isInThisVersion: Bool {
        if case .notInThisVersion = presence { false } else { true }
    }

    var defaultValue: SettingValue? {
        if case .defaults(let value) = presence { value } else { nil }
    }

    var isRequired: Bool {
        if case .required = presence { true } else { false }
    }

    /// What is missing when it is.
    var need: String {
        switch type {
        case .sections(let section), .namedSections(let section): "at least one \(section.heading)"
        default: "`\(name)`"
        }
    }
}
