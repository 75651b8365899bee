/// What is counted for each pool. What was refused before it had a pool is counted in a set whose pool has no name.
@usableFromInline package enum PoolCounter: CounterTable {
    case requests(RequestKind, RequestResult)
    case retryAdvice(RetryWord)
    case errors(SQLStateClass)
    case routes(RouteReason)

    case rows
    case bytesToServer
    case bytesFromServer

    case connections(ConnectionState)
    case connectionsMaximum
    case connects
    case connectFailures
    case connectionsClosed(CloseReason)

    case waiting
    case longestWait
    case queued
    case queueFull
    case queueTimeouts

    case cancelsSent
    case cancelsFailed
    case orphanedWrites
    case transactionsAbandoned
    case transactionsIdledOut

    case fences(FenceResult)
    case reruns(RerunReason)
    case spills(SpillResult)
    case tokens(TokenResult)
    case tokensRefused(TokenRefusal)
    case samples

    package static var scope: String? { "pool" }

    @inlinable package var index: Int {
        switch self {
        case .requests(let kind, let result): kind.rawValue * 8 + result.rawValue
        case .retryAdvice(let retry): 24 + retry.rawValue
        case .errors(let sqlstate): 29 + sqlstate.rawValue
        case .routes(let reason): 44 + reason.rawValue
        case .rows: 55
        case .bytesToServer: 56
        case .bytesFromServer: 57
        case .connections(let state): 58 + state.rawValue
        case .connectionsMaximum: 62
        case .connects: 63
        case .connectFailures: 64
        case .connectionsClosed(let reason): 65 + reason.rawValue
        case .waiting: 69
        case .longestWait: 70
        case .queued: 71
        case .queueFull: 72
        case .queueTimeouts: 73
        case .cancelsSent: 74
        case .cancelsFailed: 75
        case .orphanedWrites: 76
        case .transactionsAbandoned: 77
        case .transactionsIdledOut: 78
        case .fences(let result): 79 + result.rawValue
        case .reruns(let reason): 81 + reason.rawValue
        case .spills(let result): 88 + result.rawValue
        case .tokens(let result): 90 + result.rawValue
        case .tokensRefused(let refusal): 92 + refusal.rawValue
        case .samples: 96
        }
    }

    package static let table: [(counter: PoolCounter, definition: CounterDefinition)] =
        requestTable + [
            (.rows, .init("rows_total", .counter, "Rows written to clients.")),
            (.bytesToServer, .init("sent_bytes_total", .counter, "Statements and parameters sent to servers.")),
            (.bytesFromServer, .init("received_bytes_total", .counter, "Values received from servers.")),
        ] + connectionTable + [
            (.waiting, .init("waiting_requests", .gauge, "Requests that wait for a connection now.")),
            (.longestWait, .init("longest_wait_us", .gauge, "How long the first of them has waited, in microseconds.")),
            (.queued, .init("queued_total", .counter, "Requests that had to wait for a connection.")),
            (.queueFull, .init("queue_full_total", .counter, "Requests shed because the queue was full.")),
            (.queueTimeouts, .init("queue_timeouts_total", .counter, "Requests shed after queue_timeout.")),
            (.cancelsSent, .init("cancels_total", .counter, "Cancel requests sent to servers.")),
            (.cancelsFailed, .init("cancels_failed_total", .counter, "Cancel requests that could not be delivered.")),
            (
                .orphanedWrites,
                .init("orphaned_writes_total", .counter, "Writes that ended after their client had gone: they count.")
            ),
            (
                .transactionsAbandoned,
                .init(
                    "transactions_abandoned_total", .counter, "Transactions rolled back because their client went away."
                )
            ),
            (
                .transactionsIdledOut,
                .init("transactions_idle_total", .counter, "Transactions ended by transaction_idle_timeout.")
            ),
        ] + freshnessTable

    private static let requestTable: [(counter: PoolCounter, definition: CounterDefinition)] =
        RequestKind.allCases.flatMap { kind in
            RequestResult.allCases.map { result in
                (
                    .requests(kind, result),
                    .init(
                        "requests_total", .counter, "Requests answered, by kind and result.",
                        labels: [.init("kind", kind.word), .init("result", result.word)])
                )
            }
        }
        + RetryWord.allCases.map {
            (
                .retryAdvice($0),
                .init(
                    "retry_advice_total", .counter, "Error lines, by what they say about trying again.",
                    labels: [.init("retry", $0.word)])
            )
        }
        + SQLStateClass.allCases.map {
            (
                .errors($0),
                .init(
                    "errors_total", .counter, "Error lines, by class of SQLSTATE.",
                    labels: [.init("sqlstate_class", $0.word)], isColumn: false)
            )
        }
        + RouteReason.allCases.map {
            (
                .routes($0),
                .init(
                    "route_total", .counter, "Requests sent this way, by reason.",
                    labels: [.init("reason", $0.word)], isColumn: false)
            )
        }

    private static let freshnessTable: [(counter: PoolCounter, definition: CounterDefinition)] =
        FenceResult.allCases.map {
            (
                .fences($0),
                .init(
                    "fences_total", .counter, "Reads with a floor that met a standby, by whether it had got there.",
                    labels: [.init("result", $0.word)])
            )
        }
        + RerunReason.allCases.map {
            (
                .reruns($0),
                .init(
                    "reruns_total", .counter, "Reads of this pool that ran once more, by reason.",
                    labels: [.init("reason", $0.word)])
            )
        }
        + SpillResult.allCases.map {
            (
                .spills($0),
                .init(
                    "spills_total", .counter, "Reads that the primary served, or refused, because standbys could not.",
                    labels: [.init("result", $0.word)])
            )
        }
        + TokenResult.allCases.map {
            (
                .tokens($0),
                .init(
                    "tokens_total", .counter, "Commits whose token was asked for.", labels: [.init("result", $0.word)])
            )
        }
        + TokenRefusal.allCases.map {
            (
                .tokensRefused($0),
                .init(
                    "tokens_refused_total", .counter, "Tokens that only meant \"primary\", by reason.",
                    labels: [.init("reason", $0.word)])
            )
        } + [(.samples, .init("samples_total", .counter, "Questions of the daemon's own where the log stands."))]

    private static let connectionTable: [(counter: PoolCounter, definition: CounterDefinition)] =
        ConnectionState.allCases.map {
            (
                .connections($0),
                .init(
                    "connections", .gauge, "Server connections, by state.", labels: [.init("state", $0.word)])
            )
        } + [
            (.connectionsMaximum, .init("connections_maximum", .gauge, "Server connections at most: the pool's size.")),
            (.connects, .init("connects_total", .counter, "Server connections opened.")),
            (
                .connectFailures,
                .init("connect_failures_total", .counter, "Server connections that could not be opened.")
            ),
        ]
        + CloseReason.allCases.map {
            (
                .connectionsClosed($0),
                .init(
                    "connections_closed_total", .counter, "Server connections closed, by reason.",
                    labels: [.init("reason", $0.word)])
            )
        }
}
