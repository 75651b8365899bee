import Foundation
import PointsmanClient
import Synchronization
import TestKit
import Testing

/// The app against the real daemon and real servers: one test at a time, because other modules' tests use the same
/// cores, and a machine that is too busy looks like a fault.
@Suite(.serialized, .timeLimit(.minutes(5)))
enum AppTests {}

/// Runs what blocks (starting servers, waiting for programs) on a thread of its own: Swift's shared pool has one thread
/// a core, and other tests want them.
func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result { try work() }) }
        thread.stackSize = 4 << 20
        thread.start()
    }
}

/// Waits for something that the other side does in its own time.
func eventuallyAsync(
    _ what: String, within duration: Duration = .seconds(30), _ condition: () async throws -> Bool
) async throws {
    let deadline = Deadline(after: duration)
    while !(try await condition()) {
        if deadline.hasPassed { throw TestFailure("\(what): not within \(duration)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// The daemon that most of these tests share, on the run's shared cluster.
enum Shared {
    private static let started = Mutex<Result<DaemonProcess, any Error>?>(nil)
    private static let startedServer = Mutex<MessageServerProcess?>(nil)

    static func daemon() async throws -> DaemonProcess {
        try await blocking {
            try started.withLock { result in
                if let result { return try result.get() }
                let made = Result { try DaemonProcess() }
                result = made
                return try made.get()
            }
        }
    }

    /// The message server that most tests of pages share. Blocks.
    static func server(socket: String) throws -> MessageServerProcess {
        try startedServer.withLock { server in
            if let server { return server }
            let made = try MessageServerProcess(socket: socket)
            server = made
            return made
        }
    }

    static func client(
        _ change: (inout PointsmanClient.Configuration) -> Void = { _ in }
    ) async throws -> PointsmanClient {
        var configuration = PointsmanClient.Configuration(
            socketPath: try await daemon().settings.appSocket, application: "app-tests")
        configuration.acquireTimeout = .seconds(60)
        change(&configuration)
        return PointsmanClient(configuration: configuration)
    }

    /// Makes a table that only one test has, on all servers.
    static func makeTable(_ columns: String) async throws -> String {
        let name = Workplace.uniqueTable()
        try await blocking { try Cluster.shared().makeTables("CREATE TABLE \(name)(\(columns))") }
        return name
    }

    static func sql(_ text: String, on node: Cluster.Node = .primary) async throws -> [[String]] {
        try await blocking { try Cluster.shared().sql(text, on: node) }
    }
}
