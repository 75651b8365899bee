import EventLoop
import Freshness
import Machines
import Routing
import Upstream
import Wire

/// One statement on its way: from the request that was read, through a pool's queue and a server connection, to its
/// completion line. Exchanges are reused by the worker, so that a warm request allocates none.
///
/// Its client may leave before it ends (`client` becomes nil): what still arrives is then discarded.
final class Exchange {
    enum Kind {
        case query
        case begin
        case commit
        /// ROLLBACK, asked for by that verb, or by a COMMIT that is answered with this error.
        case rollback(insteadOfCommit: Answer?)
        /// The daemon's own ROLLBACK behind a client that left, or that goes on elsewhere.
        case cleanup
        /// The daemon's own question where the primary's log stands: no client's.
        case sample
        /// The daemon's own question whether a pool's servers are there, and what they are.
        case probe
        /// The same in passing, while nothing seems to be wrong: only what it brings counts.
        case patrol
        /// RELOAD: runs on the main thread, not on a server.
        case reload
    }

    enum Stage {
        case unused
        /// In its pool's queue, or waiting for the pinned connection to be in order again.
        case waiting
        /// In its cluster, until a position of the primary is known.
        case waitingForPosition
        /// It ran in vain, and runs again when its reply is the next one, or when a standby had time to catch up.
        case waitingToRunAgain
        /// On a server connection.
        case running
        /// Its reply is complete, and waits for the replies before it.
        case answered
    }

    /// The worker's number for it: what the pool's queue holds.
    let number: UInt64
    /// Confined to the worker, like everything here; cut when the client is gone.
    var client: ClientDriver?
    var kind = Kind.query
    var stage = Stage.unused
    /// The request and where its line starts in the client's input.
    var request = Request()
    var position: UInt64 = 0
    /// SQL of the daemon's own (BEGIN, COMMIT, ROLLBACK); nil: the request's text.
    var command: StaticString?
    var statement: Statement?
    var effect = Outcome.Effect.read
    /// COMMIT of a transaction in which nothing was taken for a write: it asks whether that is so.
    var asksAssigned = false
    /// It may change data: its success is a write that later reads must see.
    var mayWrite = false
    var pool: PoolDriver?
    var cluster: ClusterDriver?
    var server: ServerDriver?
    var reason = RouteReason.transaction
    /// The name of the rule that decided, kept because a reload may change the rules meanwhile.
    var ruleName: [UInt8]?
    /// A rule wants it in the log.
    var isLogged = false
    /// Nanoseconds: when the line was read, when a pool was asked (0: never), when it was sent, how long it was until a
    /// server connection was had, when the reply must be out.
    var receivedAt: UInt64 = 0
    var submittedAt: UInt64 = 0
    var sentAt: UInt64 = 0
    var waited: UInt64 = 0
    var deadline: UInt64 = UInt64.max
    /// The deadline passed while it ran, and a cancel was sent for that.
    var isOverdue = false
    /// Its client cancelled it while it ran.
    var isCancelled = false
    var wroteColumns = false
    var rowCount: UInt64 = 0
    /// The server's last word on it, provisional until the Sync came back.
    var outcome: QueryResult?
    /// Its reply while replies of earlier requests are not complete.
    var held = ByteQueue()

    // MARK: Freshness

    /// What it must see, on a standby.
    var floor: ReadFloor?
    /// A rule's `max_lag`, in milliseconds.
    var ruleMaxLag: Int32?
    /// On a primary: it proves that it is one, and says where its log stands.
    var asksReport = false
    /// A standby that is behind is to fail instead of running it in vain.
    var isGuarded = false
    /// The newest timeline that one of its tokens named.
    var leastTimeline: UInt32 = 0
    /// A token lies beyond what is known of the primary: forged, or news.
    var aheadPosition: LogPosition?
    /// Until then a standby may catch up; nanoseconds.
    var waitUntil: UInt64 = 0
    /// Milliseconds from now to the deadline go to the server too.
    var hasServerTimeout = false
    /// C waits for its token.
    var wantsToken = false
    /// A commit of it may have been answered before it was flushed.
    var mayBeUnflushed = false
    var token: CommitToken?
    /// What a primary proved, in this batch or, for who waited, in a sample.
    var report: ClusterHistory.Report?
    /// The server that answered, as receipts write it.
    var node: [UInt8]?
    var lag = Lag.notAsked

    // MARK: A commit that can be found again

    var resolution: Resolution?

    // MARK: Running again

    /// Its answer does not count: the server was behind, or is not what it should be.
    var isDiscarded = false
    /// The statement did not run: the server is not the primary that was asked for.
    var failedProof = false
    /// Before it asks the same standbys once more, in nanoseconds.
    var pauseBehind: UInt64 = 0
    /// A read that runs on the primary to prove that it does not write.
    var isProving = false
    /// Why it ran more than once.
    var rerun: Rerun.Reason?
    /// How often it was sent.
    var runs = 0
    /// A statement before it turned out to write: what it read does not count.
    var isOvertaken = false
    /// What a server says of it is not for its client.
    var isMute: Bool { isDiscarded || isOvertaken }
    /// A rule may say that it must not.
    var mayRunAgain = true
    /// It runs again where it ran: a standby has caught up then, or PgBouncer has a server.
    var runsInSamePool = false
    /// It takes one of the primary's connections that reads may have when standbys cannot answer.
    var isSpilled = false

    enum Lag: Equatable {
        case notAsked
        case unknown
        case milliseconds(UInt64)
    }

    init(number: UInt64) {
        self.number = number
    }

    /// Back to unused; memory that it holds warm stays.
    func reset() {
        client = nil
        kind = .query
        stage = .unused
        command = nil
        statement = nil
        effect = .read
        mayWrite = false
        asksAssigned = false
        pauseBehind = 0
        pool = nil
        cluster = nil
        server = nil
        reason = .transaction
        ruleName = nil
        isLogged = false
        submittedAt = 0
        sentAt = 0
        waited = 0
        deadline = UInt64.max
        isOverdue = false
        isCancelled = false
        discardAnswer()
        held.releaseIfEmpty()
        floor = nil
        ruleMaxLag = nil
        asksReport = false
        isGuarded = false
        leastTimeline = 0
        aheadPosition = nil
        waitUntil = 0
        hasServerTimeout = false
        wantsToken = false
        mayBeUnflushed = false
        token = nil
        resolution = nil
        isProving = false
        rerun = nil
        runs = 0
        isOvertaken = false
        mayRunAgain = true
        runsInSamePool = false
        isSpilled = false
    }

    /// Forgets what a server answered: it runs again, or is over.
    func discardAnswer() {
        isDiscarded = false
        failedProof = false
        node = nil
        lag = .notAsked
        report = nil
        wroteColumns = false
        rowCount = 0
        outcome = nil
        held.consume(held.count)
    }
}

/// The worker's exchanges: taken and given back, never freed.
struct ExchangeTable {
    private var all: [Exchange] = []
    private var unused: [Exchange] = []

    mutating func take() -> Exchange {
        if let exchange = unused.popLast() { return exchange }
        let exchange = Exchange(number: UInt64(all.count))
        all.append(exchange)
        return exchange
    }

    mutating func giveBack(_ exchange: Exchange) {
        exchange.reset()
        unused.append(exchange)
    }

    subscript(number: UInt64) -> Exchange { all[Int(number)] }
}

// MARK: The server's last word

/// An error as the reply needs it; points into libpq's memory.
struct ErrorView {
    var sqlstate: UnsafeRawBufferPointer
    var severity: UnsafeRawBufferPointer
    var message: UnsafeRawBufferPointer
    /// PostgreSQL's field letters and their texts.
    var fields: [(key: StaticString, bytes: UnsafeRawBufferPointer)]
}

extension Exchange {
    private static let letters: [(key: StaticString, field: MessageField)] = [
        ("D", .detail), ("H", .hint), ("P", .position), ("W", .context), ("s", .schema), ("t", .table), ("c", .column),
        ("d", .dataType), ("n", .constraint),
    ]

    var outcomeIsError: Bool {
        switch outcome?.status {
        case .commandOK, .tuplesOK, nil: false
        default: true
        }
    }

    var outcomeIsSuccess: Bool { outcome != nil && !outcomeIsError }

    /// The status of the command as libpq gives it: `INSERT 0 1`.
    var commandStatus: UnsafeRawBufferPointer {
        outcome?.commandStatus ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    var errorView: ErrorView {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        var fields: [(key: StaticString, bytes: UnsafeRawBufferPointer)] = []
        for (key, field) in Self.letters {
            if let bytes = outcome?.field(field) { fields.append((key, bytes)) }
        }
        return ErrorView(
            sqlstate: outcome?.sqlstate ?? empty,
            severity: outcome?.field(.severityNonlocalized) ?? outcome?.field(.severity) ?? empty,
            message: outcome?.message ?? empty, fields: fields)
    }

    /// The server's text for people.
    var errorText: String { String(decoding: errorView.message, as: UTF8.self) }

    /// What the server's error means for whoever asked.
    var outcomeRetry: Outcome.Retry {
        let view = errorView
        let severity = String(decoding: view.severity, as: UTF8.self)
        return Outcome.retry(
            afterError: String(decoding: view.sqlstate, as: UTF8.self),
            isFatal: severity == "FATAL" || severity == "PANIC",
            message: String(decoding: view.message, as: UTF8.self), effect: effectSoFar)
    }

    /// With `@resolve` nothing can have been applied before its COMMIT is sent.
    var effectSoFar: Outcome.Effect {
        guard resolution?.stage == .identifying else { return effect }
        return kind.isCommit ? .inTransaction : .read
    }

    /// COMMIT found that its transaction has written.
    var foundWrite: Bool { mayWrite || resolution?.transaction != nil }

    /// PgBouncer said that it did not forward the statement, and why.
    var wasNotForwarded: Bool {
        let view = errorView
        return view.sqlstate.elementsEqual("08P01".utf8) && view.severity.elementsEqual("FATAL".utf8)
            && Outcome.isBeforeForwarding(String(decoding: view.message, as: UTF8.self))
    }
}
