import Testing

@testable import PointsmanClient

/// A client against a daemon that does what the test says.
protocol ScriptedClient {}

extension ScriptedClient {
    func makeClient(
        _ daemon: ScriptedDaemon, _ change: (inout PointsmanClient.Configuration) -> Void = { _ in }
    ) -> PointsmanClient {
        var configuration = PointsmanClient.Configuration(socketPath: daemon.path, application: "test")
        change(&configuration)
        return PointsmanClient(configuration: configuration)
    }

    static var wellBehaved: ScriptedDaemon.Script {
        { peer in
            while let request = peer.next() { peer.answer(request) }
        }
    }

    /// Waits for something that the other side does in its own time.
    func eventually(_ condition: () async -> Bool) async throws {
        while !(await condition()) { try await Task.sleep(for: .milliseconds(1)) }
    }
}
