import CLibPQ
import Glibc

/// A connection for commands that run once: it waits for its answers, each within a time limit. Simple queries, to a
/// server or to PgBouncer's console.
package struct BlockingConnection: ~Copyable {
    private let connection: OpaquePointer
    private var hasPolled = false
    private let limitMilliseconds: Int

    private init(owning connection: OpaquePointer, limitMilliseconds: Int) {
        self.connection = connection
        self.limitMilliseconds = limitMilliseconds
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
    }

    deinit {
        PQfinish(connection)
    }

    /// Connects.
    ///
    /// - Parameters:
    ///   - conninfo: libpq's connection string.
    ///   - limitMilliseconds: for connecting, and for each query.
    /// - Returns: a connection that is ready for queries.
    /// - Throws: `UpstreamError.libpq` with libpq's words, or that it took too long.
    package static func open(
        conninfo: String, limitMilliseconds: Int
    ) throws(UpstreamError) -> BlockingConnection {
        guard let started = startConnecting(conninfo) else { throw .libpq("out of memory") }
        var connection = BlockingConnection(owning: started, limitMilliseconds: limitMilliseconds)
        try connection.connect()
        return connection
    }

    private mutating func connect() throws(UpstreamError) {
        let deadline = Self.now + limitMilliseconds
        while true {
            switch pollConnecting(connection, hasPolled: &hasPolled) {
            case .wantsRead: try wait(Int16(POLLIN), until: deadline)
            case .wantsWrite: try wait(Int16(POLLOUT), until: deadline)
            case .connected: return
            case .failed: throw .libpq(errorText(of: connection))
            }
        }
    }

    /// Runs one simple query.
    ///
    /// - Returns: the columns' names and all rows as text, nil for NULL.
    /// - Throws: `UpstreamError.libpq` with the server's words, or that it took too long.
    package mutating func query(_ sql: String) throws(UpstreamError) -> (columns: [String], rows: [[String?]]) {
        let deadline = Self.now + limitMilliseconds
        guard PQsendQuery(connection, sql) == 1 else { throw .libpq(errorText(of: connection)) }
        var answer: (columns: [String], rows: [[String?]]) = ([], [])
        var error: String?
        while true {
            while PQisBusy(connection) == 1 {
                try wait(Int16(POLLIN), until: deadline)
                guard PQconsumeInput(connection) == 1 else { throw .libpq(errorText(of: connection)) }
            }
            guard let pointer = PQgetResult(connection) else { break }
            let result = QueryResult(owning: pointer)
            switch result.status {
            case .tuplesOK: answer = result.texts
            case .fatalError: error = error ?? String(decoding: result.message, as: UTF8.self)
            default: break
            }
        }
        if let error { throw .libpq(error) }
        return answer
    }

    /// Milliseconds of the monotonic clock.
    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private func wait(_ events: Int16, until deadline: Int) throws(UpstreamError) {
        while true {
            var descriptor = pollfd(fd: PQsocket(connection), events: events, revents: 0)
            let ready = poll(&descriptor, 1, Int32(clamping: max(0, deadline - Self.now)))
            if ready > 0 { return }
            if ready == 0 { throw .libpq("no answer within \(limitMilliseconds) ms") }
            if errno != EINTR { throw .libpq(String(cString: strerror(errno))) }
        }
    }
}
