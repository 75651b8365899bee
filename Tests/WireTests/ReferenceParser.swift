@testable import Wire

/// The grammar once more, written for reading and not for speed: what RequestParser must agree with.
///
///     request = verb 1*SP id *(1*SP "@" key ["=" 1*64VCHAR]) [1*SP text] *(TAB value) [CR] LF
enum ReferenceParser {
    enum Outcome: Equatable {
        case request(verb: Verb, id: String, options: [String], text: String, parameters: [String?])
        case refused(closing: Bool)
    }

    private struct Refusal: Error {
        var closing = false
    }

    private static let verbs = Dictionary(uniqueKeysWithValues: Verb.allCases.map { ("\($0.name)", $0) })
    private static let keys = Dictionary(uniqueKeysWithValues: OptionKey.allCases.map { ("\($0.name)", $0) })
    private static let idBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-".utf8)

    static func parse(_ line: [UInt8]) -> Outcome {
        do {
            return try request(line)
        } catch {
            return .refused(closing: error.closing)
        }
    }

    private static func request(_ line: [UInt8]) throws(Refusal) -> Outcome {
        var content = line.dropLast()
        if content.last == 0x0D { content = content.dropLast() }
        if content.contains(0) || content.contains(0x0D) { throw Refusal(closing: true) }
        var fields = content.split(separator: 0x09, omittingEmptySubsequences: false)
        let head = fields.removeFirst()
        let verbBytes = head.prefix { $0 != 0x20 }
        let verbName = String(decoding: verbBytes, as: UTF8.self).uppercased()
        guard verbBytes.allSatisfy({ $0 < 0x80 }), let verb = verbs[verbName] else { throw Refusal(closing: true) }
        var rest = head.dropFirst(verbBytes.count)
        rest = rest.drop { $0 == 0x20 }
        let id = rest.prefix { $0 != 0x20 }
        guard isID(id) else { throw Refusal() }
        rest = rest.dropFirst(id.count)
        guard String(validating: content, as: UTF8.self) != nil else { throw Refusal() }

        var options: [String] = []
        while rest.first == 0x20 {
            let hasText = rest.contains { $0 != 0x20 }
            rest = rest.drop { $0 == 0x20 }
            guard hasText else {
                if verb.form.text == .none || verb.form.text == .optionalName { throw Refusal() }
                break
            }
            guard rest.first == 0x40 else { break }
            let option = rest.prefix { $0 != 0x20 }
            options.append(try self.option(String(decoding: option, as: UTF8.self), of: verb, after: options))
            rest = rest.dropFirst(option.count)
        }
        let given = Set(options.map { $0.prefix { $0 != "=" } })
        if given.contains("conn") != given.contains("key") { throw Refusal() }
        guard let text = try unescaped(rest) else { throw Refusal() }
        guard takes(text, verb) else { throw Refusal() }
        if !fields.isEmpty, verb != .query { throw Refusal() }
        if fields.count > 1024 { throw Refusal() }
        var parameters: [String?] = []
        for field in fields {
            parameters.append(field.elementsEqual("\\N".utf8) ? nil : try unescaped(field))
        }
        return .request(
            verb: verb, id: String(decoding: id, as: UTF8.self), options: options, text: text,
            parameters: parameters)
    }

    private static func option(_ text: String, of verb: Verb, after options: [String]) throws(Refusal) -> String {
        guard options.count < 16, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw Refusal() }
        let parts = text.dropFirst().split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let key = keys[String(parts[0])],
            verb.form.options.contains(OptionKeys(key)),
            key == .after || !options.contains(where: { $0 == parts[0] || $0.hasPrefix(parts[0] + "=") })
        else { throw Refusal() }
        let value = parts.count == 2 ? String(parts[1]) : nil
        guard isRight(value, for: key) else { throw Refusal() }
        return String(text.dropFirst())
    }

    private static func isRight(_ value: String?, for key: OptionKey) -> Bool {
        guard let value else { return [.ro, .token, .resolve].contains(key) }
        guard (1...64).contains(value.count) else { return false }
        func number() -> UInt64? { value.count <= 20 && value.first != "+" ? UInt64(value) : nil }
        switch key {
        case .ro, .token, .resolve: return false
        case .lag, .wait: return number().map { $0 <= 86_400_000 } ?? false
        case .timeout: return number().map { (1...86_400_000).contains($0) } ?? false
        case .route: return value == "primary" || value == "standby"
        case .iso: return ["rc", "rr", "ser"].contains(value)
        case .conn: return (number() ?? 0) > 0
        case .key: return value.count <= 16 && value.allSatisfy(\.isHexDigit)
        case .salt: return value.count <= 16 && isID(value.utf8)
        case .app, .using, .pool, .after, .tag, .tp, .session: return true
        }
    }

    private static func takes(_ text: String, _ verb: Verb) -> Bool {
        switch verb.form.text {
        case .none: text.isEmpty
        case .optionalName: true
        case .statement, .name: !text.isEmpty
        case .version: text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (1...999_999_999).contains(Int(text) ?? 0)
        case .connection: text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (UInt64(text) ?? 0) > 0
        case .request: isID(text.utf8)
        }
    }

    private static func isID(_ bytes: some Collection<UInt8>) -> Bool {
        (1...32).contains(bytes.count) && idBytes.isSuperset(of: bytes)
    }

    private static func unescaped(_ field: ArraySlice<UInt8>) throws(Refusal) -> String? {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            guard byte == 0x5C else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case 0x5C: bytes.append(0x5C)
            case 0x74: bytes.append(0x09)
            case 0x6E: bytes.append(0x0A)
            case 0x72: bytes.append(0x0D)
            default: throw Refusal()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
