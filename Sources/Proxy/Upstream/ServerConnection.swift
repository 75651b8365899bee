// Owners of libpq things. They belong to the thread that made them.

import CLibPQ
import Glibc

/// What a connection attempt waits for.
package enum ConnectOutcome: Equatable, Sendable {
    case wantsRead
    case wantsWrite
    case connected
    /// See `errorMessage`.
    case failed
}

package enum FlushOutcome: Equatable, Sendable {
    case done
    /// libpq holds bytes that the socket does not take yet. Go on when it can be written, and read meanwhile: the
    /// server may be waiting for us to read.
    case pending
    case failed

    /// From the result of PQflush.
    init(_ result: Int32) {
        self =
            switch result {
            case 0: .done
            case 1: .pending
            default: .failed
            }
    }
}

package enum TransactionStatus: Equatable, Sendable {
    case idle
    /// A statement is on its way.
    case active
    case inTransaction
    case inFailedTransaction
    /// The connection is lost.
    case unknown
}

/// What libpq has for us next.
package enum NextResult: ~Copyable {
    /// Nothing until more has been read.
    case wouldBlock
    /// Nothing is under way.
    case idle
    /// The statement whose results came is done; the next result is that of the next statement, or the Sync.
    case endOfStatement
    case result(QueryResult)
    /// No result will come any more, to no statement. Said every time from then on.
    case connectionLost
}

/// One connection to a server or a PgBouncer: non-blocking, in pipeline mode, unnamed statements with text parameters.
///
/// Life: `init`, `connectPoll` until `.connected`, `enterPipeline`, then batches: `send` for each statement, `sendSync`,
/// `flush`, and `consumeInput` with `nextResult` until the `.pipelineSync` result. One batch at a time: PgBouncer 1.18
/// gives rows to the wrong client when a second one arrives behind it.
package struct ServerConnection: ~Copyable {
    /// The oldest server that has all functions that this daemon asks for (`pg_current_wal_insert_lsn` and kin).
    package static let oldestServerVersion: Int32 = 100000

    private let connection: OpaquePointer
    private let notices: NoticeSink
    private var hasPolled = false
    /// Statements sent whose end was not seen yet.
    private var statementsInFlight = 0
    /// A result of the first of these was handed out, so the next NULL is its end.
    private var isInsideStatement = false
    /// libpq stands before the first result of the statement at the head and has not looked for it yet.
    private var isAtStatementStart = false

    /// Whether a byte of the batch in flight may have left this process. While this is false, nothing of it can have had
    /// an effect. Bytes that libpq holds count as left: it sends them when it likes. False again after the Sync's result.
    package private(set) var bytesMayHaveLeft = false

    /// Starts to connect. Nil: no memory. A wrong conninfo is told by the first `connectPoll`.
    ///
    /// Give `hostaddr` or a socket folder: libpq looks a host name up by blocking calls.
    /// - Parameters:
    ///   - conninfo: libpq's connection string or URI; what it says of `client_encoding` is overruled by UTF8.
    ///   - onNotice: called from within `consumeInput` and `nextResult`.
    package init?(conninfo: String, onNotice: @escaping (borrowing ServerNotice) -> Void = { _ in }) {
        guard let started = startConnecting(conninfo) else { return nil }
        connection = started
        notices = NoticeSink(onNotice)
        let receiver: PQnoticeReceiver = { context, result in
            guard let context, let result else { return }
            Unmanaged<NoticeSink>.fromOpaque(context)._withUnsafeGuaranteedRef { sink in
                sink.onNotice(ServerNotice(borrowing: result))
            }
        }
        PQsetNoticeReceiver(connection, receiver, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit {
        PQfinish(connection)
    }

    /// Removes the variables from which libpq takes startup parameters or habits that conninfo does not show. PgBouncer
    /// refuses a login with parameters that it does not know, and must see the same ones from all connections, else it
    /// sends a SET whenever it links another one. Call it before other threads start.
    package static func clearEnvironment() {
        for name in [
            "PGOPTIONS", "PGAPPNAME", "PGCLIENTENCODING", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGTARGETSESSIONATTRS",
        ] {
            unsetenv(name)
        }
    }

    // MARK: Connecting

    /// Goes on with connecting: first at once, then whenever the descriptor is ready for what was asked.
    ///
    /// libpq may close the descriptor and open another one in here, even under the same number. Cancel the watch before
    /// the call and make a new one of `fileDescriptor` after it.
    package mutating func connectPoll() -> ConnectOutcome {
        pollConnecting(connection, hasPolled: &hasPolled)
    }

    /// Makes a new connection ready for batches.
    package mutating func enterPipeline() throws(UpstreamError) {
        let version = PQserverVersion(connection)
        guard version >= ServerConnection.oldestServerVersion else {
            throw .serverTooOld(version: version, oldest: ServerConnection.oldestServerVersion)
        }
        // Off, a backslash in a string literal would mean something else than the classifier thinks.
        try expect("standard_conforming_strings", "on")
        try expect("client_encoding", "UTF8")
        guard PQsetnonblocking(connection, 1) == 0, PQenterPipelineMode(connection) == 1 else {
            throw .libpq(errorMessage)
        }
    }

    private func expect(_ name: String, _ wanted: String) throws(UpstreamError) {
        let found = parameter(name)
        guard found == wanted else { throw .parameter(name: name, wanted: wanted, found: found) }
    }

    /// A parameter that the server reported, such as `server_version`. PgBouncer repeats what the first server it
    /// reached had said: never believe `in_hot_standby`.
    package func parameter(_ name: String) -> String? {
        PQparameterStatus(connection, name).map { String(cString: $0) }
    }

    // MARK: State

    /// The socket; -1 when there is none. libpq closes it by itself when the connection is lost, in `consumeInput`,
    /// `send`, `sendSync` or `flush`: cancel its watch as soon as one of these fails or this turns -1.
    package var fileDescriptor: Int32 { PQsocket(connection) }

    package var isLost: Bool { PQstatus(connection) == CONNECTION_BAD }

    package var transactionStatus: TransactionStatus {
        switch PQtransactionStatus(connection) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_ACTIVE: .active
        case PQTRANS_INTRANS: .inTransaction
        case PQTRANS_INERROR: .inFailedTransaction
        default: .unknown
        }
    }

    /// libpq's last error, without the line feed at its end. May name hosts and users: for the log only.
    package var errorMessage: String { errorText(of: connection) }

    /// The server process, or the number that PgBouncer made up for this client.
    package var backendPID: Int32 { PQbackendPID(connection) }

    /// Whether bytes or the end of the connection wait to be read: one system call. An idle connection that has
    /// something to say is going to die. Looking before a write is sent turns an unknown outcome into "did not run".
    package var hasUnreadInput: Bool {
        let descriptor = PQsocket(connection)
        guard descriptor >= 0 else { return true }
        var byte: UInt8 = 0
        let got = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return got >= 0 || errno != EAGAIN
    }

    // MARK: Sending

    /// Queues one statement of a batch. libpq copies everything, so the memory may be used again at once.
    /// - Parameters:
    ///   - sql: one statement, UTF-8, NUL-terminated.
    ///   - parameterCount: 0 to 65535.
    ///   - values: that many NUL-terminated texts; nil is SQL NULL.
    /// - Returns: false when libpq refuses, see `errorMessage`; `bytesMayHaveLeft` tells whether something left.
    package mutating func send(
        sql: UnsafePointer<CChar>, parameterCount: Int, values: UnsafePointer<UnsafePointer<CChar>?>?
    ) -> Bool {
        guard !isLost, parameterCount <= 65535 else { return false }
        // libpq sends on its own from 8 kB on.
        bytesMayHaveLeft = true
        let isSent = PQsendQueryParams(connection, sql, Int32(parameterCount), nil, values, nil, nil, 0) == 1
        guard isSent else { return false }
        if statementsInFlight == 0 { isAtStatementStart = true }
        statementsInFlight += 1
        return true
    }

    /// Ends the batch. libpq 15 also tries to send what it holds. False: see `errorMessage`.
    package mutating func sendSync() -> Bool {
        guard !isLost else { return false }
        bytesMayHaveLeft = true
        return PQpipelineSync(connection) == 1
    }

    /// Sends what libpq holds.
    package mutating func flush() -> FlushOutcome {
        FlushOutcome(PQflush(connection))
    }

    // MARK: Receiving

    /// Reads what the socket has. False: the connection is lost and the descriptor is already closed, so cancel its
    /// watch at once; results that came before are still to be had from `nextResult`.
    package mutating func consumeInput() -> Bool {
        isAtStatementStart = false
        return PQconsumeInput(connection) == 1
    }

    /// The next result that has arrived, in the order of the statements. Never blocks.
    package mutating func nextResult() -> NextResult {
        isAtStatementStart = false
        guard PQisBusy(connection) == 0 else { return .wouldBlock }
        guard let pointer = PQgetResult(connection) else { return nothing() }
        let result = QueryResult(owning: pointer)
        if result.status == .pipelineSync {
            isInsideStatement = false
            statementsInFlight = 0
            bytesMayHaveLeft = false
        } else {
            isInsideStatement = true
        }
        return .result(result)
    }

    /// The meaning of libpq's NULL. After the loss of a connection it comes for ever, and a loop that waits for the
    /// results of the other statements would never end.
    private mutating func nothing() -> NextResult {
        if isInsideStatement {
            isInsideStatement = false
            // An error can stand in the place of the Sync, where no statement is left to end.
            statementsInFlight = max(0, statementsInFlight - 1)
            isAtStatementStart = statementsInFlight > 0
            return .endOfStatement
        }
        return isLost ? .connectionLost : .idle
    }

    /// Asks for the rows of the statement at the head one by one. True when libpq agreed.
    ///
    /// libpq applies this to the statement at the head of its queue, whichever that is. So call it right after the
    /// `send` of the first statement of a batch, or, for a later one, right after the `.endOfStatement` of the one
    /// before it, before anything is read; at any other moment this returns false and changes nothing.
    package mutating func setSingleRowMode() -> Bool {
        guard isAtStatementStart, statementsInFlight > 0 else { return false }
        return PQsetSingleRowMode(connection) == 1
    }

    // MARK: Cancelling

    /// Sends a cancel request for what runs on this connection, from a thread of its own. The outcome comes by
    /// `reports` under `id`, maybe minutes later when the server's host is silent. False: too many are on their way.
    ///
    /// The request may hit whatever runs on this connection when it arrives: send nothing more until its report came.
    package func startCancel(id: UInt64, reporting reports: CancelReports) -> Bool {
        reports.start(connection, id: id)
    }
}

/// Holds the closure that a C callback cannot.
private final class NoticeSink {
    let onNotice: (borrowing ServerNotice) -> Void

    init(_ onNotice: @escaping (borrowing ServerNotice) -> Void) {
        self.onNotice = onNotice
    }
}
