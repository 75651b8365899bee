/// What is counted for the process.
@usableFromInline package enum ProcessCounter: Int, CounterTable {
    case reloads, reloadsFailed, reloadSuccessful
    case statementCacheHits, statementCacheMisses, statementCacheEvictions, statementCacheEntries, statementCacheBytes
    case logLinesDropped
    case pgbouncerKnown, pgbouncerRounds, pgbouncerFailures, pgbouncerReconnects

    package static var scope: String? { nil }
    @inlinable package var index: Int { rawValue }

    package static let table: [(counter: ProcessCounter, definition: CounterDefinition)] = [
        (.reloads, .init("reloads_total", .counter, "Reloads that took effect.")),
        (.reloadsFailed, .init("reloads_failed_total", .counter, "Reloads refused because of the file.")),
        (
            .reloadSuccessful,
            .init("config_last_reload_successful", .gauge, "1 while the settings in force are those of the file.")
        ),
        (.statementCacheHits, .init("statement_cache_hits_total", .counter, "Statements whose verdict was known.")),
        (.statementCacheMisses, .init("statement_cache_misses_total", .counter, "Statements that had to be parsed.")),
        (
            .statementCacheEvictions,
            .init("statement_cache_evictions_total", .counter, "Verdicts forgotten to make room.")
        ),
        (.statementCacheEntries, .init("statement_cache_entries", .gauge, "Verdicts known now.")),
        (.statementCacheBytes, .init("statement_cache_bytes", .gauge, "Memory that they take.")),
        (.logLinesDropped, .init("log_lines_dropped_total", .counter, "Log lines that could not be written.")),
        (.pgbouncerKnown, .init("pgbouncer_known", .gauge, "1 while PgBouncer's console answers.")),
        (.pgbouncerRounds, .init("pgbouncer_rounds_total", .counter, "Rounds of questions that the console answered.")),
        (
            .pgbouncerFailures,
            .init("pgbouncer_failures_total", .counter, "Console connections that failed or did not answer in time.")
        ),
        (.pgbouncerReconnects, .init("pgbouncer_reconnects_total", .counter, "RECONNECT commands that it took.")),
    ]
}

/// What is counted for each listener.
@usableFromInline package enum ListenerCounter: CounterTable {
    case current
    case accepted
    case rejected(RejectReason)
    case cut(CutReason)
    case acceptFailures
    case lines
    case bytesIn
    case bytesOut

    package static var scope: String? { "listener" }

    @inlinable package var index: Int {
        switch self {
        case .current: 0
        case .accepted: 1
        case .rejected(let reason): 2 + reason.rawValue
        case .cut(let reason): 5 + reason.rawValue
        case .acceptFailures: 9
        case .lines: 10
        case .bytesIn: 11
        case .bytesOut: 12
        }
    }

    package static let table: [(counter: ListenerCounter, definition: CounterDefinition)] =
        [
            (.current, .init("clients", .gauge, "Client connections now.")),
            (.accepted, .init("clients_accepted_total", .counter, "Client connections accepted.")),
        ]
        + RejectReason.allCases.map {
            (
                .rejected($0),
                .init(
                    "clients_rejected_total", .counter, "Client connections turned away, by reason.",
                    labels: [.init("reason", $0.word)])
            )
        }
        + CutReason.allCases.map {
            (
                .cut($0),
                .init(
                    "clients_cut_total", .counter, "Client connections that the daemon closed, by reason.",
                    labels: [.init("reason", $0.word)])
            )
        }
        + [
            (
                .acceptFailures,
                .init("accept_failures_total", .counter, "Connections that could not be accepted: no descriptor left.")
            ),
            (.lines, .init("lines_total", .counter, "Request lines read.")),
            (.bytesIn, .init("client_received_bytes_total", .counter, "Bytes read from clients.")),
            (.bytesOut, .init("client_sent_bytes_total", .counter, "Bytes written to clients.")),
        ]
}

/// What is counted for each rule.
@usableFromInline package enum RuleCounter: Int, CounterTable {
    case hits, rejections

    package static var scope: String? { "rule" }
    @inlinable package var index: Int { rawValue }

    package static let table: [(counter: RuleCounter, definition: CounterDefinition)] = [
        (.hits, .init("rule_hits_total", .counter, "Requests that the rule matched.")),
        (.rejections, .init("rule_rejections_total", .counter, "Requests that it rejected.")),
    ]
}

/// What is counted for each client connection; kept small, there may be many.
@usableFromInline package enum ClientCounter: Int, CounterTable {
    case requests, errors, rows, bytesIn, bytesOut, inflight

    package static var scope: String? { "client" }
    @inlinable package var index: Int { rawValue }

    package static let table: [(counter: ClientCounter, definition: CounterDefinition)] = [
        (.requests, .init("client_requests_total", .counter, "Requests answered.")),
        (.errors, .init("client_errors_total", .counter, "Requests answered with an error.")),
        (.rows, .init("client_rows_total", .counter, "Rows written.")),
        (.bytesIn, .init("client_in_bytes_total", .counter, "Bytes read.")),
        (.bytesOut, .init("client_out_bytes_total", .counter, "Bytes written.")),
        (.inflight, .init("client_inflight_requests", .gauge, "Requests without an answer now.")),
    ]
}
