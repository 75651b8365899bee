// Every refusal that follows from the statement alone, in one place, worded so that it names the way out.

extension Refusal {
    private static func session(_ message: String) -> Refusal { Refusal("0A000", message) }

    static let set = session(
        "SET and RESET change a server connection that other clients use next; send SET LOCAL between BEGIN and COMMIT, "
            + "or give the role or the database the setting (ALTER ROLE … SET)")
    static let setLocalOutside = session(
        "SET LOCAL lasts until the end of a transaction, and there is none; send it between BEGIN and COMMIT")
    static let constraintsOutside = session(
        "SET CONSTRAINTS lasts until the end of a transaction, and there is none; send it between BEGIN and COMMIT")
    static let setConfig = session(
        "set_config changes a server connection that other clients use next unless its third argument is the constant true; "
            + "write set_config(name, value, true), in a transaction if later statements need it")
    static let protectedSetting = session(
        "client_encoding and standard_conforming_strings stay as they are: with others, the statement that is judged and the "
            + "one that runs would differ; convert the text in the client")
    static let settingNameUnknown = session(
        "set_config with a name that is no constant could change any setting, also those that the judgement rests on; write the "
            + "setting's name as a constant")
    static let temporarySearchPath = session(
        "with pg_temp in search_path new tables are temporary and stay behind on a server connection that other clients use "
            + "next; create them as CREATE TEMP TABLE … ON COMMIT DROP")
    static let listen = session(
        "LISTEN and UNLISTEN need a server connection of their own, which transaction pooling cannot give; connect to "
            + "PostgreSQL directly for notifications (NOTIFY and pg_notify work here)")
    static let prepare = session(
        "PREPARE, EXECUTE and DEALLOCATE need the same server connection every time, which transaction pooling cannot give; "
            + "send the statement itself with $1 … and its values")
    static let discard = session(
        "DISCARD resets a server connection that is not this client's own; there is nothing to reset, as nothing but a "
            + "transaction keeps state here")
    static let load = session(
        "LOAD changes a server connection that other clients use next; put the library into session_preload_libraries")
    static let cursorWithHold = session(
        "a cursor WITH HOLD outlives its transaction on a server connection that other clients use next; declare it without "
            + "HOLD and read it before COMMIT")
    static let temporary = session(
        "a temporary relation stays behind on a server connection that other clients use next; create it between BEGIN and "
            + "COMMIT as CREATE TEMP TABLE … ON COMMIT DROP, or use a CTE")
    static let temporaryOutside = session(
        "ON COMMIT DROP drops the temporary table at once outside a transaction; create it between BEGIN and COMMIT")
    static let sessionLock = session(
        "a session's advisory lock stays behind on a server connection that other clients use next; take "
            + "pg_advisory_xact_lock or pg_try_advisory_xact_lock between BEGIN and COMMIT")
    static let twoPhase = session(
        "two-phase commit (PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED) is not carried by transaction pooling; "
            + "connect to PostgreSQL directly")
    static let begin = session("a transaction begins with the verb BEGIN, not with a statement in Q")
    static let commit = session("a transaction ends with the verb COMMIT, not with a statement in Q")
    static let rollback = session("a transaction ends with the verb ROLLBACK, not with a statement in Q")
    static let copyFromClient = session(
        "COPY … FROM STDIN cannot travel in a pipeline; send INSERT … SELECT * FROM unnest($1::int[], $2::text[]) with arrays "
            + "of values, or many INSERTs between BEGIN and COMMIT")

    static func copyToClient(select: String) -> Refusal {
        session("COPY … TO STDOUT cannot travel in a pipeline; send \(select)")
    }

    static let unreadableName = session(
        "the text was not parsed, and a name in Unicode escapes in it may be that of something that is refused; write the "
            + "name plainly")

    static let savepointOutside = Refusal(
        "25P01", "savepoints exist only in a transaction; send it between BEGIN and COMMIT")
    static let cursorOutside = Refusal(
        "25P01",
        "a cursor lives until the end of a transaction, and there is none; send DECLARE between BEGIN and COMMIT")

    static let nulByte = Refusal("22021", "a text cannot contain a NUL byte")
    static let empty = Refusal(
        "42601",
        "there is no statement: only white space, comments or semicolons; PING asks whether the daemon is there")

    static func severalStatements(_ count: Int) -> Refusal {
        Refusal(
            "42601",
            "\(count) statements in one text; send each as a request of its own (pipelined), between BEGIN and COMMIT if they "
                + "belong together")
    }
}
