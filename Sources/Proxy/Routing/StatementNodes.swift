// What each kind of top-level statement is. To change how a command is judged, look here first; what depends on more than
// the command's name is in StatementDetails.swift.

/// How one node of PostgreSQL's grammar is judged when it is the statement itself.
struct StatementNode {
    var kind: StatementKind
    var writes: Bool
    /// The functions and queries inside it run when it does. False for what only stores them: CREATE VIEW, CREATE FUNCTION.
    var runsItsParts = true
    var commitsOnTheWay = false
    var refusal: Refusal?
    var detail = Detail.none

    /// A closer look that the name alone cannot give.
    enum Detail {
        case none
        case explain, copy, set, transaction, cursor
        case createTable, createTableAs, createSchema, drop, index, reindex, alterTable, constraints
    }

    /// By the name of the field in the grammar's Node. What is not listed is DDL, as PostgreSQL's own log_statement has it
    /// (GetCommandLogLevel in src/backend/tcop/utility.c), and writes.
    static let byName: [String: StatementNode] = [
        "select_stmt": .init(kind: .select, writes: false),
        "insert_stmt": .init(kind: .insert, writes: true),
        "update_stmt": .init(kind: .update, writes: true),
        "delete_stmt": .init(kind: .delete, writes: true),
        "merge_stmt": .init(kind: .merge, writes: true),
        "copy_stmt": .init(kind: .copy, writes: true, detail: .copy),

        "explain_stmt": .init(kind: .utility, writes: false, detail: .explain),
        "variable_show_stmt": .init(kind: .utility, writes: false),
        "declare_cursor_stmt": .init(kind: .utility, writes: false, detail: .cursor),
        "fetch_stmt": .init(kind: .utility, writes: false),
        "close_portal_stmt": .init(kind: .utility, writes: false),
        "truncate_stmt": .init(kind: .utility, writes: true),
        "lock_stmt": .init(kind: .utility, writes: true),
        "notify_stmt": .init(kind: .utility, writes: true),
        "check_point_stmt": .init(kind: .utility, writes: true),
        "vacuum_stmt": .init(kind: .utility, writes: true, commitsOnTheWay: true),
        "call_stmt": .init(kind: .utility, writes: true, commitsOnTheWay: true),
        "do_stmt": .init(kind: .utility, writes: true, commitsOnTheWay: true),
        "reindex_stmt": .init(kind: .utility, writes: true, detail: .reindex),

        "transaction_stmt": .init(kind: .transaction, writes: false, detail: .transaction),
        "constraints_set_stmt": .init(kind: .transaction, writes: false, detail: .constraints),

        "variable_set_stmt": .init(kind: .session, writes: false, detail: .set),
        "listen_stmt": .init(kind: .session, writes: true, refusal: .listen),
        "unlisten_stmt": .init(kind: .session, writes: true, refusal: .listen),
        "prepare_stmt": .init(kind: .session, writes: true, runsItsParts: false, refusal: .prepare),
        "execute_stmt": .init(kind: .session, writes: true, refusal: .prepare),
        "deallocate_stmt": .init(kind: .session, writes: true, refusal: .prepare),
        "discard_stmt": .init(kind: .session, writes: true, refusal: .discard),
        "load_stmt": .init(kind: .session, writes: true, refusal: .load),

        "create_stmt": .init(kind: .ddl, writes: true, runsItsParts: false, detail: .createTable),
        "create_table_as_stmt": .init(kind: .ddl, writes: true, detail: .createTableAs),
        "create_schema_stmt": .init(kind: .ddl, writes: true, runsItsParts: false, detail: .createSchema),
        "drop_stmt": .init(kind: .ddl, writes: true, detail: .drop),
        "index_stmt": .init(kind: .ddl, writes: true, runsItsParts: false, detail: .index),
        "alter_table_stmt": .init(kind: .ddl, writes: true, detail: .alterTable),
        "cluster_stmt": .init(kind: .ddl, writes: true, commitsOnTheWay: true),
        "view_stmt": .stored, "rule_stmt": .stored, "create_function_stmt": .stored, "create_trig_stmt": .stored,
        "create_policy_stmt": .stored, "alter_policy_stmt": .stored, "create_domain_stmt": .stored,
        "alter_domain_stmt": .stored, "create_foreign_table_stmt": .stored,
        "createdb_stmt": .ownTransaction, "dropdb_stmt": .ownTransaction, "alter_database_stmt": .ownTransaction,
        "create_table_space_stmt": .ownTransaction, "drop_table_space_stmt": .ownTransaction,
        "alter_system_stmt": .ownTransaction, "create_subscription_stmt": .ownTransaction,
        "alter_subscription_stmt": .ownTransaction, "drop_subscription_stmt": .ownTransaction,
    ]

    static let ddl = StatementNode(kind: .ddl, writes: true)
    private static let stored = StatementNode(kind: .ddl, writes: true, runsItsParts: false)
    /// PostgreSQL refuses these inside a transaction block (PreventInTransactionBlock) or commits parts of them early.
    private static let ownTransaction = StatementNode(kind: .ddl, writes: true, commitsOnTheWay: true)

    /// The same by the field's number in Node.
    static let byNumber: [StatementNode] = {
        let names = Grammar.shared.names(of: "Node")
        var table = [StatementNode](repeating: .ddl, count: Int(names.keys.max() ?? 0) + 1)
        for (number, name) in names { table[Int(number)] = byName[name] ?? .ddl }
        return table
    }()
}
