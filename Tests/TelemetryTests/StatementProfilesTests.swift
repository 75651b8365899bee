import Testing

@testable import Telemetry

@Suite struct StatementProfilesTests {
    private func call(_ microseconds: Int, rows: Int = 1, isError: Bool = false) -> StatementCounts {
        StatementCounts(isError: isError, rows: rows, microseconds: microseconds)
    }

    @Test func callsOfOneStatementAreSummed() throws {
        var profiles = StatementProfiles<String>(maximumCount: 3)
        profiles.record(7, call(10, rows: 2)) { $0 = "first" }
        profiles.record(7, call(30, rows: 3, isError: true)) { sample in
            #expect(sample == "first")
            sample = "second"
        }
        profiles.record(8, call(5)) { $0 = "other" }
        #expect(profiles.profiles.count == 2)
        let profile = try #require(profiles.profiles.first { $0.key == 7 })
        #expect(profile.sample == "second")
        let counts = profile.counts
        #expect(counts.calls == 2 && counts.errors == 1 && counts.rows == 5)
        #expect(counts.totalMicroseconds == 40 && counts.maximumMicroseconds == 30 && counts.meanMicroseconds == 20)
    }

    /// The number of statements is bounded, and nothing that was counted is lost from the sums.
    @Test func whatMakesRoomIsCountedAmongTheOthers() {
        var profiles = StatementProfiles<Int>(maximumCount: 10)
        for number in 0..<1000 {
            profiles.record(UInt64(number), call(number)) { $0 = number }
            // One that is called all the time stays.
            profiles.record(5, call(1)) { $0 = 5 }
        }
        #expect(profiles.profiles.count == 10)
        #expect(profiles.profiles.contains { $0.key == 5 && $0.counts.calls > 990 })
        #expect(profiles.profiles.allSatisfy { UInt64($0.sample) == $0.key })
        var sum = profiles.others
        for profile in profiles.profiles { sum.add(profile.counts) }
        #expect(sum.calls == 2000)
        #expect(sum.totalMicroseconds == (0..<1000).reduce(0, +) + 1000)
        #expect(sum.maximumMicroseconds == 999)
    }

    @Test func aTableOfStatements() {
        let table = StatisticsTable.statements([
            StatementStatistics(
                fingerprint: "0123456789abcdef", kind: "select", access: "read", pool: "standby", reason: "classifier",
                counts: call(12, rows: 3), statement: "SELECT $1")
        ])
        #expect(
            table.columns.map(\.name) == [
                "fingerprint", "kind", "access", "pool", "reason", "calls", "errors", "proven", "rows", "mean_us",
                "max_us",
                "total_us", "statement",
            ])
        #expect(
            table.rows == [
                [
                    "0123456789abcdef", "select", "read", "standby", "classifier", "1", "0", "0", "3", "12", "12", "12",
                    "SELECT $1",
                ]
            ])
    }
}
