import Freshness
import Upstream

/// One statement of a batch, and what it is there for.
enum BatchPart: UInt8 {
    case none
    /// The request's own statement, or the daemon's command for it.
    case request
    /// Asks a standby how far it has replayed: the statements behind it take their snapshots later, so what it saw they see.
    case check
    /// A check with proof that the standby belongs to the cluster's history, which fails instead of answering when it is
    /// behind $1: the statement behind it does not run in vain. Behind `0/0` nobody is.
    case fence
    /// Asks a primary whether it is one, and where its log stands.
    case report
    /// A report that fails instead of answering when the server is no primary, or not the one that is known: system $1 (0 when
    /// none is) and at least timeline $2. The statement behind it does not run there. With $3 it holds the batch to reading.
    case proof
    /// Holds an autocommit batch on a primary to reading: what writes fails with 25006, as on a standby.
    case readOnly
    /// The request's deadline, for what follows in an autocommit batch; gone with its Sync.
    case timeout
    /// The same for one statement of a transaction, and its end.
    case localTimeout
    case restoreTimeout
    /// An autocommit statement whose commit is to be found again when its reply is lost: BEGIN, the id, COMMIT.
    case begin
    case identify
    case commit
    /// What became of that transaction.
    case status
    /// Whether a transaction in which nothing was taken for a write has written all the same: a view, an operator or a policy
    /// may call a function that does.
    case assigned
    /// COMMIT AND CHAIN behind BEGIN and its check: under REPEATABLE READ the check's own snapshot would be the transaction's.
    case chain

    /// The text, but of those that follow below and of `localTimeout`, which is made anew each time. Of `timeout` $1 is
    /// milliseconds.
    ///
    /// The functions are PostgreSQL's own by name (pg_catalog), whatever the role's search_path says.
    var sql: StaticString {
        switch self {
        case .none, .request, .localTimeout, .fence, .proof: preconditionFailure("it has no such text")
        case .check:
            """
            SELECT pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_in_recovery(), \
            pg_catalog.current_setting('transaction_isolation'), \
            pg_catalog.concat_ws(' ', pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(), \
            extract(epoch FROM pg_catalog.pg_postmaster_start_time()))
            """
        case .report:
            """
            SELECT pg_catalog.pg_is_in_recovery(), (pg_catalog.pg_control_system()).system_identifier, \
            CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn() END, \
            CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_insert_lsn() END, \
            CASE WHEN NOT pg_catalog.pg_is_in_recovery() \
            THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END, \
            pg_catalog.current_setting('synchronous_commit'), \
            pg_catalog.concat_ws(' ', pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(), \
            extract(epoch FROM pg_catalog.pg_postmaster_start_time()))
            """
        case .readOnly: "SELECT pg_catalog.set_config('transaction_read_only', 'on', true)"
        case .timeout: "SELECT pg_catalog.set_config('statement_timeout', $1, true)"
        case .restoreTimeout: "SET LOCAL statement_timeout TO DEFAULT"
        case .assigned: "SELECT pg_catalog.txid_current_if_assigned()"
        case .begin: "BEGIN"
        case .commit: "COMMIT"
        case .identify:
            """
            SELECT pg_catalog.txid_current_if_assigned(), \
            pg_catalog.concat_ws(' ', (pg_catalog.pg_control_system()).system_identifier, \
            pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8), \
            (SELECT stats_reset FROM pg_catalog.pg_stat_bgwriter))
            """
        case .status:
            """
            SELECT pg_catalog.txid_status($1::pg_catalog.int8), \
            pg_catalog.concat_ws(' ', (pg_catalog.pg_control_system()).system_identifier, \
            pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8), \
            (SELECT stats_reset FROM pg_catalog.pg_stat_bgwriter))
            """
        case .chain: "COMMIT AND CHAIN"
        }
    }

    /// A check, the proof, and what fails when $1 is a position that was not replayed. The function is not folded when the
    /// statement is planned, because concat is not immutable.
    static let fenceSQL = """
        \(check.sql), (pg_catalog.pg_control_system()).system_identifier, \
        GREATEST((pg_catalog.pg_control_checkpoint()).timeline_id, \
        (pg_catalog.pg_control_recovery()).min_recovery_end_timeline, \
        (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver)), \
        CASE WHEN pg_catalog.pg_last_wal_replay_lsn() < $1::pg_catalog.pg_lsn \
        THEN pg_catalog.concat('fence ', pg_catalog.pg_last_wal_replay_lsn())::pg_catalog.int4 END
        """

    /// A report, what fails when the server is not of system $1 (0: any) or on a timeline below $2 (eight hexadecimal digits, as
    /// in names of WAL files), and with $3 the hold to reading.
    static let proofSQL = """
        \(report.sql), CASE WHEN CASE WHEN pg_catalog.pg_is_in_recovery() THEN true \
        ELSE (pg_catalog.pg_control_system()).system_identifier <> NULLIF($1::pg_catalog.int8, 0) \
        OR pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8) \
        COLLATE pg_catalog."C" < $2::pg_catalog.text END \
        THEN pg_catalog.concat('proof ', pg_catalog.pg_is_in_recovery())::pg_catalog.int4 END, \
        CASE WHEN $3::pg_catalog.bool THEN pg_catalog.set_config('transaction_read_only', 'on', true) END
        """

    /// Its failure says something about the server, not about the request.
    var isCheck: Bool { self == .check || self == .fence || self == .proof }
}

/// The statements of one request's batch, in order: at most eight.
struct BatchPlan: Equatable {
    private var parts = SIMD8<UInt8>(repeating: 0)
    private(set) var count = 0

    mutating func append(_ part: BatchPart) {
        parts[count] = part.rawValue
        count += 1
    }

    subscript(index: Int) -> BatchPart { BatchPart(rawValue: parts[index]) ?? .none }
}

// MARK: Answers of checks and reports

extension StandbyNodes.Report {
    /// From the row of a check; nil when it is not what was asked for. The bytes are libpq's.
    init?(_ row: borrowing QueryResult, of part: BatchPart) {
        guard row.columnCount >= 4, let isInRecovery = row.value(0, 1), let isolation = row.value(0, 2),
            let identity = row.value(0, 3)
        else { return nil }
        var proof: StandbyNodes.Proof?
        if part == .fence, let system = row.value(0, 4).flatMap(decimal),
            let timeline = row.value(0, 5).flatMap(decimal)
        {
            proof = StandbyNodes.Proof(system: system, timeline: UInt32(truncatingIfNeeded: timeline))
        }
        self.init(
            identity: identity, isInRecovery: isInRecovery.elementsEqual("t".utf8),
            replayed: row.value(0, 0).flatMap(LogPosition.init),
            isReadCommitted: isolation.elementsEqual("read committed".utf8), proof: proof)
    }
}

extension ClusterHistory.Report {
    /// From the row of a report; nil when it is not what was asked for.
    init?(_ row: borrowing QueryResult) {
        guard row.columnCount >= 7, let isInRecovery = row.value(0, 0), let system = row.value(0, 1).flatMap(decimal),
            let commit = row.value(0, 5)
        else { return nil }
        let position = LogPosition(0)
        guard isInRecovery.elementsEqual("f".utf8) else {
            self.init(
                isInRecovery: true, system: system, timeline: 0, flushed: position, inserted: position,
                commitsUnflushed: false)
            return
        }
        // The first eight digits of a WAL file's name are its timeline.
        guard let flushed = row.value(0, 2).flatMap(LogPosition.init),
            let inserted = row.value(0, 3).flatMap(LogPosition.init),
            let file = row.value(0, 4), file.count == 24,
            let timeline = LogPosition.hexadecimal(UnsafeRawBufferPointer(rebasing: file[..<8]))
        else { return nil }
        self.init(
            isInRecovery: false, system: system, timeline: timeline, flushed: flushed, inserted: inserted,
            commitsUnflushed: commit.elementsEqual("off".utf8))
    }
}

/// A number of at most 20 digits; system identifiers are bigint, and never negative in practice.
private func decimal(_ digits: UnsafeRawBufferPointer) -> UInt64? {
    guard (1...20).contains(digits.count) else { return nil }
    var value: UInt64 = 0
    for digit in digits {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
        if overflow || carry { return nil }
        value = sum
    }
    return value
}
