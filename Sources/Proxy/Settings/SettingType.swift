/// Why a value does not fit, as the second half of "`key` …".
struct TypeProblem: Error {
    let message: String
}

extension SettingType {
    /// Judges one value that is no section and no list.
    func check(_ value: TomlValue) -> Result<SettingValue, TypeProblem> {
        switch self {
        case .integer(let range):
            guard case .integer(let number) = value.content else { return wrongType(value) }
            guard range.contains(number) else { return outOfRange(String(number)) }
            return .success(.number(number))
        case .boolean:
            guard case .boolean(let flag) = value.content else { return wrongType(value) }
            return .success(.boolean(flag))
        case .duration(let range):
            return quantity(value, units: QuantityUnit.durations, range: range)
        case .size(let range):
            return quantity(value, units: QuantityUnit.sizes, range: range)
        case .percentage:
            return quantity(value, units: QuantityUnit.percentages, range: 0...100)
        default:
            guard case .string(let text) = value.content else { return wrongType(value) }
            return check(text)
        }
    }

    /// "an integer", "a duration such as \"2s\"": what fits.
    var expectation: String {
        switch self {
        case .integer: "an integer"
        case .duration: "a duration such as \"2s\" (units: \(Quantity.names(of: QuantityUnit.durations)))"
        case .size: "a size such as \"1MiB\" (units: \(Quantity.names(of: QuantityUnit.sizes)))"
        case .percentage: "a percentage such as \"10%\""
        case .boolean: "true or false"
        case .word(let words): words.count > 4 ? "one of \(quoted(words))" : alternatives(words)
        case .name: "a name as a string"
        case .line, .text: "a string"
        case .socketPath, .folder: "an absolute path as a string"
        case .fileMode: "permission bits such as \"0660\", in quotes"
        case .connection: "a connection string"
        case .sqlstate: "an SQLSTATE such as \"42501\", in quotes"
        case .list(let element): "a list, each element \(element.type.expectation)"
        case .section, .sections, .namedSections: "a table"
        }
    }

    /// "1 to 10000", "1ms to 1h": the values that a number may have.
    var rangeText: String? {
        switch self {
        case .integer(let range): rangeText(range) { String($0) }
        case .duration(let range): rangeText(range) { Quantity.render($0, units: QuantityUnit.durations) }
        case .size(let range): rangeText(range) { Quantity.render($0, units: QuantityUnit.sizes) }
        case .percentage: rangeText(0...100) { Quantity.render($0, units: QuantityUnit.percentages) }
        default: nil
        }
    }

    private func rangeText(_ range: ClosedRange<Int>, _ render: (Int) -> String) -> String {
        range.count == 1 ? render(range.lowerBound) : "\(render(range.lowerBound)) to \(render(range.upperBound))"
    }

    private func quoted(_ words: [String]) -> String {
        words.map { "`\($0)`" }.joined(separator: ", ")
    }

    private func alternatives(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return quoted(words) }
        return "\(quoted(words.dropLast())) or `\(last)`"
    }

    private func wrongType(_ value: TomlValue) -> Result<SettingValue, TypeProblem> {
        .failure(TypeProblem(message: "takes \(expectation), found \(value.kindWithArticle)"))
    }

    private func outOfRange(_ found: String) -> Result<SettingValue, TypeProblem> {
        .failure(TypeProblem(message: "takes \(rangeText ?? expectation), found \(found)"))
    }

    private func quantity(
        _ value: TomlValue, units: [QuantityUnit], range: ClosedRange<Int>
    ) -> Result<SettingValue, TypeProblem> {
        guard case .string(let text) = value.content else { return wrongType(value) }
        guard let number = Quantity.parse(text, units: units) else {
            return .failure(TypeProblem(message: "takes \(expectation), found \"\(Quoted.clip(text))\""))
        }
        guard range.contains(number) else { return outOfRange(Quoted.clip(text)) }
        return .success(.number(number))
    }

    private func check(_ text: String) -> Result<SettingValue, TypeProblem> {
        switch self {
        case .word(let words):
            guard words.contains(text) else {
                let clause = Suggestion.clause(for: text, in: words)
                return .failure(TypeProblem(message: "takes \(expectation), found \"\(Quoted.clip(text))\"\(clause)"))
            }
        case .name:
            if let problem = Self.problem(withName: text) { return .failure(TypeProblem(message: problem)) }
        case .line(let limit), .text(let limit):
            if let problem = problem(withText: text, limit: limit) { return .failure(TypeProblem(message: problem)) }
        case .socketPath:
            if let problem = Self.problem(withSocketPath: text) { return .failure(TypeProblem(message: problem)) }
        case .folder:
            let hasControl = text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
            guard text.hasPrefix("/"), !hasControl, text.utf8.count <= 1024 else {
                return .failure(TypeProblem(message: "takes an absolute path, found \"\(Quoted.clip(text))\""))
            }
        case .fileMode:
            guard let mode = FileMode.parse(text) else {
                let found = Quoted.clip(text)
                return .failure(
                    TypeProblem(message: "takes three or four octal digits up to \"0777\", found \"\(found)\""))
            }
            return .success(.number(mode))
        case .connection:
            // A NUL would end it early in libpq, after the checks have passed what stands before.
            if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
                return .failure(TypeProblem(message: "must not hold control characters"))
            }
        case .sqlstate:
            if let problem = Self.problem(withSQLState: text) { return .failure(TypeProblem(message: problem)) }
        default:
            break
        }
        return .success(.text(text))
    }

    /// Names stand in receipts (`pool=NAME`), in labels and on command lines, so they are plain.
    static func problem(withName name: String) -> String? {
        let bytes = name.utf8
        let isPlain = bytes.allSatisfy { byte in
            switch UnicodeScalar(byte) {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".": true
            default: false
            }
        }
        guard isPlain, (1...63).contains(bytes.count) else {
            return "takes 1 to 63 letters, digits, `_`, `-` and `.`, found \"\(Quoted.clip(name))\""
        }
        return nil
    }

    private func problem(withText text: String, limit: Int) -> String? {
        if text.isEmpty { return "must not be empty" }
        if text.utf8.count > limit { return "takes at most \(limit) bytes, found \(text.utf8.count)" }
        let breaks = if case .text = self { true } else { false }
        let hasControl = text.utf8.contains { byte in
            let isBreak = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            return byte == 0x7F || (byte < 0x20 && !(breaks && isBreak))
        }
        return hasControl ? "must not hold control characters" : nil
    }

    /// sockaddr_un has 108 bytes for a path and its NUL. A relative path would depend on where the daemon was started.
    static func problem(withSocketPath path: String) -> String? {
        if path.hasPrefix("@") || path.utf8.first == 0 { return "takes no abstract socket: it has no permissions" }
        guard path.hasPrefix("/") else { return "takes an absolute path, found \"\(Quoted.clip(path))\"" }
        if path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "must not hold control characters" }
        if path.utf8.count > 107 {
            return "takes at most 107 bytes (the limit of a Unix socket's address), found \(path.utf8.count)"
        }
        return path.hasSuffix("/") ? "names a folder: a file's name must follow" : nil
    }

    static func problem(withSQLState code: String) -> String? {
        let isPlain = code.utf8.allSatisfy { byte in
            switch UnicodeScalar(byte) {
            case "0"..."9", "A"..."Z": true
            default: false
            }
        }
        guard isPlain, code.utf8.count == 5 else { return "takes five of 0-9 and A-Z, found \"\(Quoted.clip(code))\"" }
        // Classes 00, 01 and 02 are success, warning and no data.
        if ["00", "01", "02"].contains(String(code.prefix(2))) { return "takes an error's code, found \"\(code)\"" }
        return nil
    }
}
