/// The values of one table of the file, as far as they fit their types.
struct SectionValues {
    let section: Section
    /// How messages call it: `[pool.primary]`.
    let title: String
    let position: SourcePosition
    fileprivate var values: [String: Located<SettingValue>] = [:]
    fileprivate var tables: [String: SectionValues] = [:]
    /// Keys that are there with a value that was complained about.
    fileprivate var broken: Set<String> = []
    /// Something in it was complained about.
    fileprivate(set) var isFlawed = false
}

/// Reads tables by the table of settings and collects every complaint.
struct SettingReader {
    private let file: String
    private(set) var complaints: [Complaint] = []

    /// A file that is wrong throughout must not cost memory without end.
    static let maximumComplaints = 1000

    init(file: String) {
        self.file = file
    }

    mutating func complain(_ message: String, at position: SourcePosition) {
        if complaints.count < Self.maximumComplaints {
            complaints.append(Complaint(file: file, position: position, message: message))
        } else if complaints.count == Self.maximumComplaints {
            complaints.append(Complaint(file: file, position: position, message: "more complaints are left out"))
        }
    }

    /// Every value of a table that is no section itself; sections stay with the caller, by key.
    mutating func read(
        _ entries: [TomlEntry], as section: Section, title: String, at position: SourcePosition
    ) -> (values: SectionValues, sections: [(setting: Setting, entry: TomlEntry)]) {
        var result = SectionValues(section: section, title: title, position: position)
        var sections: [(setting: Setting, entry: TomlEntry)] = []
        let settings = section.settings
        let before = complaints.count
        for entry in entries {
            guard let setting = settings.first(where: { $0.name == entry.key }) else {
                let names = settings.filter(\.isInThisVersion).map(\.name)
                let clause = Suggestion.clause(for: entry.key, in: names)
                complain("unknown key `\(Quoted.clip(entry.key))` in \(title)\(clause)", at: entry.keyPosition)
                continue
            }
            guard setting.isInThisVersion else {
                let what = section == .file ? "[\(setting.name)]" : "`\(setting.name)` in \(title)"
                complain("\(what) is not in this version", at: entry.keyPosition)
                result.broken.insert(setting.name)
                continue
            }
            switch setting.type {
            case .section(.reject):
                result.tables[setting.name] = readInline(entry, as: .reject, setting: setting)
                if result.tables[setting.name] == nil { result.broken.insert(setting.name) }
            case .section, .sections, .namedSections:
                sections.append((setting, entry))
            default:
                if let value = read(entry.value, as: setting) {
                    result.values[setting.name] = value
                } else {
                    result.broken.insert(setting.name)
                }
            }
        }
        let present = Set(entries.map(\.key))
        for setting in settings where setting.isRequired && !present.contains(setting.name) {
            // A listener of a later kind has another address: that it is refused is complaint enough.
            if section == .listen, setting.name == "unix", present.contains("http") { continue }
            complain("\(title) needs \(setting.need)", at: position)
        }
        result.isFlawed = complaints.count > before
        return (result, sections)
    }

    private mutating func readInline(_ entry: TomlEntry, as section: Section, setting: Setting) -> SectionValues? {
        guard case .table(let entries) = entry.value.content else {
            complain(
                "`\(setting.name)` takes a table such as { message = \"…\", sqlstate = \"42501\" }, found "
                    + entry.value.kindWithArticle, at: entry.value.position)
            return nil
        }
        return read(entries, as: section, title: "`\(setting.name)`", at: entry.value.position).values
    }

    /// The value, or nil after a complaint.
    private mutating func read(_ value: TomlValue, as setting: Setting) -> Located<SettingValue>? {
        if case .list(let kind) = setting.type {
            var elements: [Located<SettingValue>] = []
            var isWhole = true
            let given: [TomlValue] = if case .array(let given) = value.content { given } else { [value] }
            if given.isEmpty {
                complain("`\(setting.name)` has an empty list: leave it out", at: value.position)
                return nil
            }
            for element in given {
                switch kind.type.check(element) {
                case .success(let checked): elements.append(Located(checked, at: element.position))
                case .failure(let problem):
                    complain("`\(setting.name)` \(problem.message)", at: element.position)
                    isWhole = false
                }
            }
            return isWhole ? Located(.list(elements), at: value.position) : nil
        }
        switch setting.type.check(value) {
        case .success(let checked): return Located(checked, at: value.position)
        case .failure(let problem):
            complain("`\(setting.name)` \(problem.message)", at: value.position)
            return nil
        }
    }
}

extension SectionValues {
    /// Of a section that was no table: that was complained about, and what it lacks is no mistake of its own.
    init(unreadable section: Section, position: SourcePosition) {
        self.init(section: section, title: section.heading, position: position)
        isFlawed = true
    }

    /// A number with a default, in the unit of its type.
    func number(_ name: String) -> Int {
        guard case .number(let number) = value(name) else {
            preconditionFailure("`\(name)` is no number with a default")
        }
        return number
    }

    func flag(_ name: String) -> Bool {
        guard case .boolean(let flag) = value(name) else { preconditionFailure("`\(name)` is no flag with a default") }
        return flag
    }

    /// Text with a default.
    func string(_ name: String) -> String {
        guard case .text(let text) = value(name) else { preconditionFailure("`\(name)` is no text with a default") }
        return text
    }

    /// One of an enum's words, with a default.
    func word<Word: RawRepresentable>(_ name: String, as type: Word.Type) -> Word where Word.RawValue == String {
        guard case .text(let text) = value(name), let word = Word(rawValue: text) else {
            preconditionFailure("`\(name)` is no word of \(type) with a default")
        }
        return word
    }

    func optionalNumber(_ name: String) -> Located<Int>? {
        guard let located = values[name], case .number(let number) = located.value else { return nil }
        return Located(number, at: located.position)
    }

    func optionalFlag(_ name: String) -> Located<Bool>? {
        guard let located = values[name], case .boolean(let flag) = located.value else { return nil }
        return Located(flag, at: located.position)
    }

    func optionalWord<Word: RawRepresentable>(_ name: String, as type: Word.Type) -> Located<Word>?
    where Word.RawValue == String {
        guard let located = text(name), let word = Word(rawValue: located.value) else { return nil }
        return Located(word, at: located.position)
    }

    /// What the file says, else nil, default or not.
    func text(_ name: String) -> Located<String>? {
        guard let located = values[name], case .text(let text) = located.value else { return nil }
        return Located(text, at: located.position)
    }

    func texts(_ name: String) -> [Located<String>] {
        guard let located = values[name], case .list(let elements) = located.value else { return [] }
        return elements.compactMap { element in
            if case .text(let text) = element.value { Located(text, at: element.position) } else { nil }
        }
    }

    /// There, right or wrong.
    func mentions(_ name: String) -> Bool {
        values[name] != nil || tables[name] != nil || broken.contains(name)
    }

    /// There, and wrong.
    func isBroken(_ name: String) -> Bool { broken.contains(name) }

    func located(_ name: String) -> Located<SettingValue>? { values[name] }

    func table(_ name: String) -> SectionValues? { tables[name] }

    private func value(_ name: String) -> SettingValue? {
        values[name]?.value ?? section.settings.first { $0.name == name }?.defaultValue
    }
}
