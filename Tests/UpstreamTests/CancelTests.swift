import Glibc
import Testing

@testable import Upstream

extension ServerTests {
    @Suite struct CancelTests {
        @Test(arguments: Door.allCases) func aStatementIsCancelled(door: Door) throws {
            let session = try Session(to: door)
            let reports = try CancelReports()
            try startSleeping(session)
            #expect(session.startCancel(id: 77, reporting: reports))
            #expect(try session.events(until: .sync) == [.error("57014"), .end, .sync])
            let outcomes = try awaitReports(reports, 1)
            #expect(outcomes.map(\.id) == [77])
            #expect(outcomes.map(\.isDelivered) == [true])
            #expect(try session.value("select 'well'") == "well")
        }

        @Test func aSilentServerBlocksNobody() throws {
            // The postmaster is stopped: it takes the connection of the request and never reads it.
            let session = try Session(to: .direct)
            let reports = try CancelReports()
            let postmaster = try postmaster()
            try startSleeping(session)
            try #require(kill(postmaster, SIGSTOP) == 0)
            // The call returned although the request cannot have been answered.
            let isStarted = session.startCancel(id: 1, reporting: reports)
            let early = reports.drain()
            try #require(kill(postmaster, SIGCONT) == 0)
            #expect(isStarted)
            #expect(early.isEmpty)
            #expect(try awaitReports(reports, 1).map(\.id) == [1])
            #expect(try session.events(until: .sync) == [.error("57014"), .end, .sync])
        }

        @Test func reportsMayBeDroppedBeforeTheirRequestsEnd() throws {
            let session = try Session(to: .direct)
            let postmaster = try postmaster()
            try startSleeping(session)
            try #require(kill(postmaster, SIGSTOP) == 0)
            var isStarted = false
            do {
                let reports = try CancelReports()
                isStarted = session.startCancel(id: 1, reporting: reports)
            }
            try #require(kill(postmaster, SIGCONT) == 0)
            #expect(isStarted)
            #expect(try session.events(until: .sync) == [.error("57014"), .end, .sync])
        }

        @Test func aRequestThatCannotBeDeliveredIsReported() throws {
            // The connection outlives its PgBouncer's socket file, which a cancel request needs.
            let session = try Session(to: .pgbouncer)
            let reports = try CancelReports()
            let cluster = try #require(ServerTests.cluster)
            let socket = cluster.folder + "/pgbouncer/.s.PGSQL.6432"
            try #require(rename(socket, socket + ".away") == 0)
            let isStarted = session.startCancel(id: 5, reporting: reports)
            let outcomes = try awaitReports(reports, 1)
            try #require(rename(socket + ".away", socket) == 0)
            #expect(isStarted)
            #expect(outcomes.map(\.id) == [5])
            #expect(outcomes.map(\.isDelivered) == [false])
        }

        @Test func theNumberAtOnceIsBounded() throws {
            let session = try Session(to: .direct)
            let reports = try CancelReports()
            let postmaster = try postmaster()
            try #require(kill(postmaster, SIGSTOP) == 0)
            let started = (0..<CancelReports.limit).count { number in
                session.startCancel(id: UInt64(number), reporting: reports)
            }
            let isOneMore = session.startCancel(id: 1000, reporting: reports)
            try #require(kill(postmaster, SIGCONT) == 0)
            #expect(started == CancelReports.limit)
            #expect(!isOneMore)
            let outcomes = try awaitReports(reports, CancelReports.limit)
            #expect(Set(outcomes.map(\.id)) == Set(0..<UInt64(CancelReports.limit)))
            #expect(session.startCancel(id: 1001, reporting: reports))
            #expect(try awaitReports(reports, 1).map(\.id) == [1001])
        }

        @Test func aConnectionThatNeverWasCannotBeCancelled() throws {
            let session = try Session(connecting: "nonsense")
            let reports = try CancelReports()
            #expect(session.connectPoll() == .failed)
            #expect(!session.startCancel(id: 1, reporting: reports))
        }

        private func postmaster() throws -> Int32 {
            let cluster = try #require(ServerTests.cluster)
            let pid = try cluster.variable("PID_PRIMARY")
            return try #require(Int32(pid))
        }

        private func startSleeping(_ session: Session) throws {
            _ = try session.startSleeping(watcher: Session(to: .direct))
        }

        private func awaitReports(_ reports: CancelReports, _ count: Int) throws -> [(id: UInt64, isDelivered: Bool)] {
            var outcomes = reports.drain()
            while outcomes.count < count {
                var descriptor = pollfd(fd: reports.fileDescriptor, events: Int16(POLLIN), revents: 0)
                try #require(poll(&descriptor, 1, Session.watchdog) == 1, "no report came")
                outcomes += reports.drain()
            }
            return outcomes
        }
    }
}
