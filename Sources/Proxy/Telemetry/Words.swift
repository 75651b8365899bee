// The closed lists of words that label counters. Raw values are positions inside their family of counters.

/// What kind of request it was.
@usableFromInline package enum RequestKind: Int, CaseIterable, Sendable {
    /// A read outside a transaction.
    case read
    /// Anything else outside a transaction.
    case write
    /// BEGIN, COMMIT, ROLLBACK and whatever stands between them.
    case transaction

    package var word: String {
        switch self {
        case .read: "read"
        case .write: "write"
        case .transaction: "transaction"
        }
    }
}

/// What became of a request. Each request counts once, when its completion or error line is written.
@usableFromInline package enum RequestResult: Int, CaseIterable, Sendable {
    case ok
    /// The server refused or failed it.
    case error
    /// A rule, the classifier or a level refused it; nothing was sent.
    case refused
    /// Its deadline passed.
    case timeout
    /// The queue was full, or it waited too long in it.
    case shed
    /// By CANCEL, or because its client went away.
    case cancelled
    /// No usable server, or lost before it was sent: it did not run.
    case unavailable
    /// Lost after it was sent: it may have been applied.
    case unknown

    package var word: String {
        switch self {
        case .ok: "ok"
        case .error: "error"
        case .refused: "refused"
        case .timeout: "timeout"
        case .shed: "shed"
        case .cancelled: "cancelled"
        case .unavailable: "unavailable"
        case .unknown: "unknown"
        }
    }
}

/// The retry word of an error line.
@usableFromInline package enum RetryWord: Int, CaseIterable, Sendable {
    case never, now, later, tx, unknown

    package var word: String {
        switch self {
        case .never: "never"
        case .now: "now"
        case .later: "later"
        case .tx: "tx"
        case .unknown: "unknown"
        }
    }
}

/// Why a request went to its pool, in the words of ROUTE and of the receipt.
@usableFromInline package enum RouteReason: Int, CaseIterable, Sendable {
    case classifier, rule, function, ownWrite, after, lag, learned, spill, unparsed, hint, tx

    package var word: String {
        switch self {
        case .classifier: "classifier"
        case .rule: "rule"
        case .function: "function"
        case .ownWrite: "own-write"
        case .after: "after"
        case .lag: "lag"
        case .learned: "learned"
        case .spill: "spill"
        case .unparsed: "unparsed"
        case .hint: "hint"
        case .tx: "tx"
        }
    }
}

/// The state of a server connection.
@usableFromInline package enum ConnectionState: Int, CaseIterable, Sendable {
    /// Runs something, or is pinned to a transaction.
    case active
    case idle
    case connecting
    /// Out of use until its cancel request has returned.
    case cancelling

    package var word: String {
        switch self {
        case .active: "active"
        case .idle: "idle"
        case .connecting: "connecting"
        case .cancelling: "cancelling"
        }
    }
}

/// Why a server connection was closed.
@usableFromInline package enum CloseReason: Int, CaseIterable, Sendable {
    /// By the server or PgBouncer, or the network.
    case lost
    /// By us: it was not idle after its Sync, or sent a result that was not expected.
    case unexpected
    /// By us: its statement did not end in time.
    case stuck
    /// By us: the pool shrank, or the daemon drains.
    case retired

    package var word: String {
        switch self {
        case .lost: "lost"
        case .unexpected: "unexpected"
        case .stuck: "stuck"
        case .retired: "retired"
        }
    }
}

/// Why a client was turned away.
@usableFromInline package enum RejectReason: Int, CaseIterable, Sendable {
    /// `max_clients`, or no file descriptor left.
    case full
    /// Its user may not use this listener.
    case peer
    case draining

    package var word: String {
        switch self {
        case .full: "full"
        case .peer: "peer"
        case .draining: "draining"
        }
    }
}

/// Why a client was cut.
@usableFromInline package enum CutReason: Int, CaseIterable, Sendable {
    /// A framing error, an unknown verb, an over-long line, a breach of the salt.
    case framing
    /// Half a line, then silence for `line_timeout`.
    case silence
    /// It read nothing for `client_write_timeout`.
    case stalled
    /// By KILL, or by the end of a drain.
    case killed

    package var word: String {
        switch self {
        case .framing: "framing"
        case .silence: "silence"
        case .stalled: "stalled"
        case .killed: "killed"
        }
    }
}

/// The first two characters of an SQLSTATE, those that say something about this system by name.
@usableFromInline package enum SQLStateClass: Int, CaseIterable, Sendable {
    case connection, unsupported, data, integrity, transactionState, authorization, rollback, syntaxOrAccess, resources
    case limit, objectState, intervention, system, internalError, other

    package var word: String {
        switch self {
        case .connection: "08"
        case .unsupported: "0A"
        case .data: "22"
        case .integrity: "23"
        case .transactionState: "25"
        case .authorization: "28"
        case .rollback: "40"
        case .syntaxOrAccess: "42"
        case .resources: "53"
        case .limit: "54"
        case .objectState: "55"
        case .intervention: "57"
        case .system: "58"
        case .internalError: "XX"
        case .other: "other"
        }
    }

    /// From the first two bytes of an SQLSTATE.
    @inlinable package init(_ first: UInt8, _ second: UInt8) {
        switch (UnicodeScalar(first), UnicodeScalar(second)) {
        case ("0", "8"): self = .connection
        case ("0", "A"): self = .unsupported
        case ("2", "2"): self = .data
        case ("2", "3"): self = .integrity
        case ("2", "5"): self = .transactionState
        case ("2", "8"): self = .authorization
        case ("4", "0"): self = .rollback
        case ("4", "2"): self = .syntaxOrAccess
        case ("5", "3"): self = .resources
        case ("5", "4"): self = .limit
        case ("5", "5"): self = .objectState
        case ("5", "7"): self = .intervention
        case ("5", "8"): self = .system
        case ("X", "X"): self = .internalError
        default: self = .other
        }
    }
}
