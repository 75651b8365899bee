/// What is wrong with a line, as a small value: nothing is allocated before `message` is asked for, so hostile input
/// costs no more than good input. Offsets count from 0; messages count from 1, as PostgreSQL's positions do.
package enum WireError: Error, Equatable, Sendable {
    // The framing can no longer be trusted: these close the connection.
    case lineTooLong(limit: Int32)
    case nulByte(at: Int32)
    case carriageReturn(at: Int32)
    case unknownVerb(PackedName)
    /// Raised by who knows the connection's salt.
    case saltMissing

    // One request is refused, the connection stays open.
    case badID(at: Int32)
    case invalidUTF8(at: Int32)
    case malformedOption(at: Int32)
    case unknownOption(PackedName, of: Verb, at: Int32)
    case optionRefused(OptionKey, of: Verb)
    case optionRepeated(OptionKey)
    case tooManyOptions(limit: Int32)
    case badOptionValue(OptionKey, at: Int32)
    /// CANCEL names a connection and its key together or not at all.
    case optionAlone(OptionKey)
    case trailingSpace(at: Int32)
    case textMissing(Verb)
    case textRefused(Verb, at: Int32)
    case badText(Verb, at: Int32)
    case badEscape(UInt8, at: Int32)
    case valueRefused(Verb, at: Int32)
    case tooManyParameters(limit: Int32)

    // What only a client meets: its own line that cannot be written, a reply that is none.
    case textStartsWithAt
    case malformedReply(at: Int32)

    /// Whether the connection must be closed behind the reply, and the rest of its input never parsed.
    package var closesConnection: Bool {
        switch self {
        case .lineTooLong, .nulByte, .carriageReturn, .unknownVerb, .saltMissing: true
        default: false
        }
    }

    /// Five characters, PostgreSQL's Appendix A.
    package var sqlstate: String {
        switch self {
        case .lineTooLong, .tooManyOptions, .tooManyParameters: "54000"
        case .invalidUTF8: "22021"
        case .textMissing(.query), .textMissing(.route): "42601"
        default: "08P01"
        }
    }
}

extension WireError {
    /// What is wrong, where, and the way out; one line of English.
    package var message: String {
        switch self {
        case .lineTooLong(let limit):
            "the line is longer than \(limit) bytes: send less in one request"
        case .nulByte(let at):
            "a NUL at byte \(at + 1): PostgreSQL's text cannot hold one; send bytea as hexadecimal"
        case .carriageReturn(let at):
            "a bare CR at byte \(at + 1): write it as \\r"
        case .unknownVerb(let name):
            "no verb \"\(name.text)\": a line starts with \(Verb.listing)"
        case .saltMissing:
            "the id does not start with the connection's salt: if the client did not mean this line, "
                + "it sent a line feed without escaping it"
        case .badID(let at):
            "no id at byte \(at + 1): behind the verb stand a space and 1 to 32 of A-Z a-z 0-9 . _ -"
        case .invalidUTF8(let at):
            "invalid UTF-8 at byte \(at + 1): send text as UTF-8, and bytea as hexadecimal"
        case .malformedOption, .unknownOption, .optionRefused, .optionRepeated, .tooManyOptions, .badOptionValue,
            .optionAlone:
            optionMessage
        case .trailingSpace(let at):
            "a space at byte \(at + 1) with nothing behind it: end the line there"
        case .textMissing, .textRefused, .badText, .textStartsWithAt:
            textMessage
        case .badEscape(let byte, let at):
            "\(Self.escapeShown(byte)) at byte \(at + 1) is no escape: they are \\\\ \\t \\n \\r, and \\N alone for "
                + "NULL; write a backslash as \\\\"
        case .valueRefused(let verb, let at):
            "\(verb.name) takes no values, but a tab stands at byte \(at + 1): write a tab in a text as \\t"
        case .tooManyParameters(let limit):
            "more than \(limit) values: pass many as one array and use unnest($1::text[])"
        case .malformedReply(let at):
            "the reply is not of protocol version 1 at byte \(at + 1)"
        }
    }

    private var optionMessage: String {
        switch self {
        case .malformedOption(let at):
            "no option at byte \(at + 1): one is written @key or @key=value, key in a-z and _, value without spaces"
        case .unknownOption(let name, let verb, let at):
            "no option \"@\(name.text)\" (byte \(at + 1)): \(verb.name) takes \(verb.form.options.listing)"
        case .optionRefused(let key, let verb):
            "\(verb.name) takes no @\(key.name): it takes \(verb.form.options.listing)"
        case .optionRepeated(let key):
            "@\(key.name) is given twice: give it once"
        case .tooManyOptions(let limit):
            "more than \(limit) options: leave some out"
        case .badOptionValue(let key, let at):
            "@\(key.name) at byte \(at + 1) is written \(key.usage)"
        case .optionAlone(let key):
            "@\(key.name) comes with the other of @conn and @key, or neither is given"
        default: ""
        }
    }

    private var textMessage: String {
        switch self {
        case .textMissing(let verb):
            "\(verb.name) without \(verb.form.text.usage): write \(verb.name) ID \(verb.form.text.example)"
        case .textRefused(let verb, let at):
            "\(verb.name) takes no text, but some stands at byte \(at + 1): leave it out"
        case .badText(let verb, let at):
            "\(verb.name) takes \(verb.form.text.usage) at byte \(at + 1), as in \(verb.name) ID "
                + verb.form.text.example
        case .textStartsWithAt:
            "a text that starts with \"@\" would be read as an option: no SQL starts so"
        default: ""
        }
    }

    private static func escapeShown(_ byte: UInt8) -> String {
        ASCII.isVisible(byte) ? "\\\(Unicode.Scalar(byte))" : "a lone backslash"
    }
}

extension Verb {
    /// "Q, BEGIN, … or STATS": what an app may use.
    fileprivate static var listing: String {
        let names = allCases.filter { !$0.isForOperators }.map { "\($0.name)" }
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }
}

extension OptionKeys {
    /// "@timeout, @tag, @tp", or "none".
    var listing: String {
        let names = OptionKey.allCases.filter { contains(OptionKeys($0)) }.map { "@\($0.name)" }
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }
}

extension OptionKey {
    /// How the option is written, with its range.
    fileprivate var usage: String {
        switch value {
        case .none: "without a value"
        case .text: "@\(name)=TEXT, 1 to 64 visible ASCII characters"
        case .salt: "@\(name)=TEXT, 1 to 16 of A-Z a-z 0-9 . _ -"
        case .milliseconds(let range):
            "@\(name)=MILLISECONDS, \(range.lowerBound) to \(range.upperBound)"
        case .role: "@\(name)=primary or @\(name)=standby"
        case .isolation: "@\(name)=rc, @\(name)=rr or @\(name)=ser"
        case .connection: "@\(name)=N, the number of a connection"
        case .hexadecimal: "@\(name)=HEX, 1 to 16 hexadecimal digits"
        }
    }
}

extension VerbForm.Text {
    fileprivate var usage: String {
        switch self {
        case .none: "nothing"
        case .statement: "a statement"
        case .version: "the highest protocol version spoken"
        case .request: "the id of a request"
        case .connection: "the number of a connection"
        case .name: "a name"
        case .optionalName: "a name or nothing"
        }
    }

    fileprivate var example: String {
        switch self {
        case .none: ""
        case .statement: "SELECT 1"
        case .version, .connection: "1"
        case .request: "7"
        case .name, .optionalName: "NAME"
        }
    }
}
