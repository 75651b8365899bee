import Machines
import Routing
import Telemetry
import Testing

@testable import Settings

/// Words that several modules know, because none of them imports another.
@Suite struct VocabularyTests {
    @Test func kindsOfStatements() {
        #expect(Set(Setting.statementKinds) == Set(StatementKind.allCases.map(\.word)))
    }

    @Test func rolesOfPools() {
        #expect(Set(PoolRole.allCases.map(\.rawValue)) == Set(Role.allCases.map(\.word)))
    }

    @Test func reasonsOfRoutesAndReruns() {
        #expect(Set(Rerun.Reason.allCases.map(\.word)) == Set(RerunReason.allCases.map(\.word)))
        #expect(Set(Routing.RouteReason.allCases.map(\.word)) == Set(Telemetry.RouteReason.allCases.map(\.word)))
    }
}
