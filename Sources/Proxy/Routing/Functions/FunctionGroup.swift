// What a call of a function by its name means: the criterion, and the form of the tables beside this file.

/// Functions that are judged alike, for one reason.
///
/// The tables hold every function of PostgreSQL 15 and of its contrib modules that SQL can call, each name once: all
/// overloads of a name are judged as the worst of them. Left out is what nobody can call: a function that takes or gives
/// `internal`, a trigger's or a handler's. Tests/FunctionSurvey compares them with a server's own catalogue, and with what
/// a standby and the primary do when each function is called. What could not be called with made-up arguments, or runs
/// on a standby with a wrong meaning, was judged by hand, name by name, by this criterion.
///
/// - `pure`: the result depends on the arguments, on what the statement's snapshot shows, and on settings that all sessions of
///   a pool have alike (TimeZone, DateStyle, the text search configuration). It leaves nothing behind in session, transaction
///   or server, and runs neither SQL nor functions that an argument names. Then it may run beside another client's statement
///   in one batch. Functions of a user's own that a value brings along (its type's comparison or cast to JSON) are not the
///   function's doing: whoever shares a batch must look at types, operators and views too.
/// - `harmless`: not pure, but a standby runs it with the meaning that it has on the primary. A question about the server or
///   the session that answers is one: that server is what is asked about.
/// - `primaryOnly`: a standby refuses it; or it runs there with another meaning, because it writes, because it reads or
///   changes state that belongs to the primary (sequences, transaction ids and snapshots, the record of commits, locks,
///   notifications, the position in the WAL, backup, replication, maintenance) or to a session or server that the caller was
///   on before (cursors, descriptors, connections, settings, files), or because it runs SQL that an argument holds.
/// - `sessionLock` and `setConfig`: refused, or refused unless the third argument is true.
struct FunctionGroup {
    let meaning: KnownFunctions.Meaning
    /// The contrib module that has them; nil: PostgreSQL itself.
    let module: String?
    let reason: String
    private let list: String

    init(_ meaning: KnownFunctions.Meaning, module: String? = nil, _ reason: String, _ list: String) {
        self.meaning = meaning
        self.module = module
        self.reason = reason
        self.list = list
    }

    var names: [String] { list.split(whereSeparator: \.isWhitespace).map(String.init) }

    /// Of PostgreSQL 15 and its modules.
    static let catalogue: [FunctionGroup] =
        primary + harmless + pure + pureAggregates + pureConversions + pureOperators + pureParts + modulesToL
        + modulesFromM

    static let all = catalogue + otherVersions
}
