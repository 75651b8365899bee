// What a function's or a system view's name says.

enum KnownFunctions {
    /// The criterion is FunctionGroup's.
    enum Meaning: UInt8 {
        /// May run beside another client's statement in one batch.
        case pure
        /// Neither writes nor means something else on a standby.
        case harmless
        /// Not PostgreSQL's own.
        case unknown
        /// Writes, or means something only on the primary.
        case primaryOnly
        /// A session's advisory lock: refused.
        case sessionLock
        /// Refused unless its third argument is the constant true.
        case setConfig
    }

    /// A name in a user's schema that is also one of ours may be that function moved or another one: it goes to the primary
    /// when ours does, but is neither refused nor trusted. The contrib modules live in a user's schema with or without one
    /// written: `sort`, `is_valid` or `index` may be a module's or the user's own, so none of them is trusted.
    static func meaning(of name: QualifiedName) -> Meaning {
        guard let meaning = meanings[name.name] else { return .unknown }
        if name.schema.isEmpty || isSystemSchema(name.schema) { return meaning }
        return meaning == .pure || meaning == .harmless ? .unknown : .primaryOnly
    }

    /// Why a name is judged as it is, for people: looked up in the tables, not quick.
    static func reason(of name: String) -> String? {
        if let views = PrimaryViews.all.first(where: { $0.names.contains(name) }) {
            return reason(of: views.function).map { "it calls \(views.function): \($0)" }
        }
        return FunctionGroup.all.first { $0.names.contains(name) }?.reason
    }

    /// Whether a standby refuses even to plan a call: the planner runs what is not volatile, to fold it or to estimate rows, and
    /// so does a plain EXPLAIN.
    static func isRefusedWhenPlanned(_ name: QualifiedName) -> Bool {
        (name.schema.isEmpty || isSystemSchema(name.schema)) && refusedWhenPlanned.contains(name.name)
    }

    /// Whether a text that was not parsed must not call it.
    static func isRefusedUnparsed(_ name: String) -> Bool {
        let meaning = meanings[name]
        return meaning == .sessionLock || meaning == .setConfig
    }

    /// Whether it is a view of pg_catalog that calls a function of the primary. A user's table cannot hide one: without a schema
    /// written, pg_catalog is searched first.
    static func isPrimaryView(_ name: QualifiedName) -> Bool {
        (name.schema.isEmpty || name.schema == "pg_catalog") && primaryViews.contains(name.name)
    }

    /// The view whose rule turns an UPDATE into set_config(…, false).
    static func isSettingsView(_ name: QualifiedName) -> Bool {
        name.name == "pg_settings" && (name.schema.isEmpty || name.schema == "pg_catalog")
    }

    /// A first look that tells most names apart without a text of their own: false when no function of the primary is called
    /// so, in whatever case.
    static func mayBelongToPrimary(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let last = name.last else { return false }
        return primaryMarks[mark(name.count, last)]
    }

    private static let primaryMarks: [Bool] = {
        var marks = [Bool](repeating: false, count: 64 * 64)
        for group in FunctionGroup.all where group.meaning == .primaryOnly || group.meaning == .sessionLock {
            for name in group.names { if let last = name.utf8.last { marks[mark(name.utf8.count, last)] = true } }
        }
        return marks
    }()

    private static func mark(_ count: Int, _ last: UInt8) -> Int { (count & 63) << 6 | Int((last | 0x20) & 63) }

    private static func isSystemSchema(_ schema: String) -> Bool {
        schema == "pg_catalog" || schema == "information_schema"
    }

    private static let meanings: [String: Meaning] = {
        var meanings: [String: Meaning] = [:]
        meanings.reserveCapacity(4096)
        for group in FunctionGroup.all {
            let isTrusting = group.meaning == .pure || group.meaning == .harmless
            if isTrusting, group.module != nil { continue }
            for name in group.names { meanings[name] = group.meaning }
        }
        return meanings
    }()

    /// Those of `primaryOnly` that a standby refuses and that are not volatile; FunctionSurveyTests finds the same.
    static let refusedWhenPlanned: Set = [
        "pg_current_xact_id", "pg_replication_origin_oid", "pg_walfile_name", "pg_walfile_name_offset", "txid_current",
    ]

    private static let primaryViews = Set(PrimaryViews.names)
}
