import TestKit
import Testing

/// All tests that need servers, one after the other, on a cluster of their own: some of them stop or kill what runs in
/// it.
@Suite(.ownCluster, .serialized) enum ServerTests {
    /// The cluster of the tests that run.
    @TaskLocal static var cluster: Cluster?
}

/// Gives a suite its cluster.
struct OwnClusterTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let cluster = try Cluster()
        defer { cluster.end() }
        try await ServerTests.$cluster.withValue(cluster) { try await function() }
    }
}

extension Trait where Self == OwnClusterTrait {
    static var ownCluster: Self { Self() }
}

/// Where a connection leads.
enum Door: String, CaseIterable, CustomTestStringConvertible {
    case direct
    case pgbouncer

    var testDescription: String { self == .direct ? "PostgreSQL" : "PgBouncer" }

    func conninfo() throws -> String {
        let cluster = try #require(ServerTests.cluster)
        return self == .direct ? try cluster.direct(.primary) : try cluster.readWrite
    }
}
