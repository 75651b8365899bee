import CLibPQ

/// A connection to PgBouncer's admin console: non-blocking, one command at a time.
///
/// The console speaks the simple query protocol only (08P01 for any other, and it closes), so there is no pipeline and
/// there are no parameters; it is no PostgreSQL, so nothing that a `ServerConnection` expects of one is asked for. The
/// startup parameters are those of a `ServerConnection`, which every PgBouncer takes.
///
/// Life: `init`, `connectPoll` until `.connected`, `enterCommands`, then commands: `send`, `flush`, and `consumeInput`
/// with `nextResult` until `.endOfStatement`.
package struct ConsoleConnection: ~Copyable {
    private let connection: OpaquePointer
    private var hasPolled = false
    private var isUnderWay = false

    /// Starts to connect. Nil: no memory. A wrong conninfo is told by the first `connectPoll`.
    ///
    /// Give `hostaddr` or a socket folder: libpq looks a host name up by blocking calls.
    package init?(conninfo: String) {
        guard let started = startConnecting(conninfo) else { return nil }
        connection = started
        // libpq writes notices to standard error by default. What 1.25 says of long pauses by them is polled for.
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
    }

    deinit {
        PQfinish(connection)
    }

    /// As `ServerConnection.connectPoll`: cancel the descriptor's watch before it, make a new one after it.
    package mutating func connectPoll() -> ConnectOutcome {
        pollConnecting(connection, hasPolled: &hasPolled)
    }

    /// Makes a new connection ready for commands. False: see `errorMessage`.
    package mutating func enterCommands() -> Bool { PQsetnonblocking(connection, 1) == 0 }

    /// The socket; -1 when there is none. libpq closes it by itself when the connection is lost.
    package var fileDescriptor: Int32 { PQsocket(connection) }

    package var isLost: Bool { PQstatus(connection) == CONNECTION_BAD }

    /// libpq's last error, without the line feed at its end. May name hosts and users: for the log only.
    package var errorMessage: String { errorText(of: connection) }

    /// Queues one command. False: see `errorMessage`.
    package mutating func send(_ command: String) -> Bool {
        isUnderWay = PQsendQuery(connection, command) == 1
        return isUnderWay
    }

    /// Sends what libpq holds.
    package mutating func flush() -> FlushOutcome { FlushOutcome(PQflush(connection)) }

    /// Reads what the socket has. False: the connection is lost and the descriptor is already closed.
    package mutating func consumeInput() -> Bool { PQconsumeInput(connection) == 1 }

    /// The next result that has arrived: rows or an error, then `.endOfStatement`. Never blocks.
    package mutating func nextResult() -> NextResult {
        guard PQisBusy(connection) == 0 else { return .wouldBlock }
        if let pointer = PQgetResult(connection) { return .result(QueryResult(owning: pointer)) }
        guard isUnderWay else { return isLost ? .connectionLost : .idle }
        isUnderWay = false
        return .endOfStatement
    }
}
