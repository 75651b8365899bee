// What a function's name says about a call of it.

enum KnownFunctions {
    enum Meaning: UInt8 {
        /// On the list of PostgreSQL's own functions that neither write nor depend on which server runs them.
        case harmless
        /// Not PostgreSQL's own, or not judged.
        case unknown
        /// Writes, or means something only on the primary.
        case primaryOnly
        /// A session's advisory lock: refused.
        case sessionLock
        /// Refused unless its third argument is the constant true.
        case setConfig
    }

    /// A name in a user's schema that is also one of ours may be that function moved (extensions are) or another one: it goes
    /// to the primary, but is not refused.
    static func meaning(of name: QualifiedName) -> Meaning {
        guard let meaning = meanings[name.name] else { return .unknown }
        if name.schema.isEmpty || name.schema == "pg_catalog" { return meaning }
        return meaning == .harmless ? .unknown : .primaryOnly
    }

    /// Whether a text that was not parsed must not call it.
    static func isRefusedUnparsed(_ name: String) -> Bool {
        let meaning = meanings[name]
        return meaning == .sessionLock || meaning == .setConfig
    }

    private static let meanings: [String: Meaning] = {
        var meanings: [String: Meaning] = [:]
        for name in HarmlessFunctions.names.split(whereSeparator: \.isWhitespace) { meanings[String(name)] = .harmless }
        for group in PrimaryFunctions.groups {
            for name in group.names.split(separator: " ") { meanings[String(name)] = group.meaning }
        }
        return meanings
    }()
}
