extension Settings {
    /// Longer files are refused: it would be a mistake, and toml++ takes time that grows with the square of some texts.
    package static let maximumFileBytes = 1024 * 1024

    /// Reads a settings file.
    ///
    /// - Parameters:
    ///   - text: The whole file, UTF-8.
    ///   - file: What complaints call it.
    /// - Returns: The settings and everything that is wrong with the file. A text that is no TOML has one complaint,
    ///   the first; otherwise all of them are found in one run.
    package static func parse(_ text: [UInt8], file: String) -> ParsedSettings {
        var parser = SettingsParser(file: file)
        let draft = parser.parse(text)
        return ParsedSettings(draft: draft, complaints: parser.reader.complaints.inFileOrder())
    }
}

/// Builds the typed settings section by section.
struct SettingsParser {
    let file: String
    var reader: SettingReader
    var entries: [SettingEntry] = []

    /// Where each name was first given, flawed sections included, so that one mistake does not bring others.
    private var names: [NameSpace: [String: SourcePosition]] = [:]

    /// What names can be of; the word is the one of messages.
    enum NameSpace: String {
        case listener, pool, cluster, rule
    }

    init(file: String) {
        self.file = file
        self.reader = SettingReader(file: file)
    }

    mutating func parse(_ text: [UInt8]) -> Settings? {
        let start = SourcePosition(line: 1, column: 1)
        guard text.count <= Settings.maximumFileBytes else {
            reader.complain(
                "the file has \(text.count) bytes, at most \(Settings.maximumFileBytes) are read", at: start)
            return nil
        }
        let root: TomlValue
        do {
            root = try TomlValue.parse(text)
        } catch {
            reader.complain("syntax: \(error.message)", at: error.position)
            return nil
        }
        guard case .table(let tables) = root.content else { return nil }
        let (values, sections) = reader.read(tables, as: .file, title: "the file", at: start)
        note(values, as: "")

        let server = serverSettings(single(sections, .server, "server"))
        let listeners = listenerSettings(several(sections, "listen"))
        let pools = poolSettings(named(sections, "pool"))
        let pgbouncer = pgbouncerSettings(sections)
        let rules = ruleSettings(several(sections, "rule"))
        let defaultRoute = defaultRouteSettings(single(sections, .defaultRoute, "default"))
        let expectations = expectationSettings(several(sections, "expect"))
        return Settings(
            file: file, server: server, listeners: listeners, pools: pools, pgbouncer: pgbouncer, rules: rules,
            defaultRoute: defaultRoute,
            // They would fail for the mistakes elsewhere.
            expectations: reader.complaints.isEmpty ? expectations : [], entries: entries)
    }

    // MARK: Sections, by their shape in the file

    typealias FileSections = [(setting: Setting, entry: TomlEntry)]

    /// `[server]`; when it is missing, an empty one.
    mutating func single(_ sections: FileSections, _ section: Section, _ name: String) -> SectionValues {
        guard let entry = sections.first(where: { $0.setting.name == name })?.entry else {
            return reader.read([], as: section, title: section.heading, at: SourcePosition(line: 1, column: 1)).values
        }
        let position = entry.value.position
        switch entry.value.content {
        case .table(let entries):
            return reader.read(entries, as: section, title: section.heading, at: position).values
        case .array: reader.complain("write [\(name)] with one bracket: there is only one", at: position)
        default:
            reader.complain("`\(name)` takes a table [\(name)], found \(entry.value.kindWithArticle)", at: position)
        }
        return SectionValues(unreadable: section, position: position)
    }

    /// `[[listen]]`, each in its turn.
    private mutating func several(_ sections: FileSections, _ name: String) -> [SectionValues] {
        guard let (setting, entry) = sections.first(where: { $0.setting.name == name }),
            case .sections(let section) = setting.type
        else { return [] }
        guard case .array(let elements) = entry.value.content else {
            if case .table = entry.value.content {
                reader.complain(
                    "write [[\(name)]] with two brackets: there may be several", at: entry.value.position)
            } else {
                reader.complain(
                    "`\(name)` takes tables [[\(name)]], found \(entry.value.kindWithArticle)",
                    at: entry.value.position)
            }
            return []
        }
        if elements.isEmpty, setting.isRequired {
            reader.complain("the file needs \(setting.need)", at: entry.value.position)
        }
        var result: [SectionValues] = []
        for element in elements {
            guard case .table(let entries) = element.content else {
                reader.complain(
                    "`\(name)` takes tables [[\(name)]], found \(element.kindWithArticle)", at: element.position)
                continue
            }
            result.append(reader.read(entries, as: section, title: section.heading, at: element.position).values)
        }
        return result
    }

    /// `[pool.NAME]`, in the order of the file.
    private mutating func named(
        _ sections: FileSections, _ name: String
    ) -> [(name: Located<String>, values: SectionValues)] {
        guard let (setting, entry) = sections.first(where: { $0.setting.name == name }),
            case .namedSections(let section) = setting.type
        else { return [] }
        guard case .table(let tables) = entry.value.content else {
            reader.complain("write [\(name).NAME], one table a name", at: entry.value.position)
            return []
        }
        if tables.isEmpty, setting.isRequired {
            reader.complain("the file needs \(setting.need)", at: entry.value.position)
        }
        var result: [(name: Located<String>, values: SectionValues)] = []
        for table in tables {
            guard case .table(let entries) = table.value.content else {
                reader.complain(
                    "`\(Quoted.clip(table.key))` stands in [\(name)]: settings stand in [\(name).NAME]",
                    at: table.keyPosition)
                continue
            }
            if let problem = SettingType.problem(withName: table.key) {
                reader.complain("the name of a \(name) \(problem)", at: table.keyPosition)
            }
            let title = "[\(name).\(Quoted.clip(table.key))]"
            let values = reader.read(entries, as: section, title: title, at: table.value.position).values
            result.append((Located(table.key, at: table.keyPosition), values))
        }
        return result
    }

    // MARK: Names

    /// Makes a name known; complains when it was given before.
    mutating func claim(_ name: Located<String>, as space: NameSpace) {
        if let first = names[space]?[name.value] {
            reader.complain(
                "there is already a \(space) `\(Quoted.clip(name.value))`, on line \(first.line)", at: name.position)
        } else {
            register(name, as: space)
        }
    }

    /// Makes a name known that may be given any number of times.
    mutating func register(_ name: Located<String>, as space: NameSpace) {
        names[space, default: [:]][name.value] = name.position
    }

    func isKnown(_ name: String, as space: NameSpace) -> Bool { names[space]?[name] != nil }

    /// Complains when a name is of nothing that exists.
    mutating func check(_ name: Located<String>?, as space: NameSpace) {
        guard let name, !isKnown(name.value, as: space) else { return }
        let known = (names[space] ?? [:]).sorted { $0.value < $1.value }.map(\.key)
        let clause = Suggestion.clause(for: name.value, in: known)
        reader.complain("there is no \(space) `\(Quoted.clip(name.value))`\(clause)", at: name.position)
    }

    // MARK: Entries

    /// One row for each setting of a section that has a value.
    mutating func note(_ values: SectionValues, as prefix: String) {
        for setting in values.section.settings where setting.isInThisVersion {
            let located = values.located(setting.name)
            guard let value = located?.value ?? setting.defaultValue else { continue }
            let whole = setting.type.render(value)
            entries.append(
                SettingEntry(
                    name: prefix.isEmpty ? setting.name : "\(prefix).\(setting.name)",
                    value: setting.type.renderForReaders(value),
                    defaultValue: setting.defaultValue.map(setting.type.render),
                    position: located?.position, needsRestart: setting.needsRestart, comparison: whole))
        }
    }
}
