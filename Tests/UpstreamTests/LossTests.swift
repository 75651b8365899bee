import Glibc
import Testing

@testable import Upstream

extension ServerTests {
    @Suite struct LossTests {
        @Test(arguments: Door.allCases) func aServerThatIsTerminatedWhileItWorks(door: Door) throws {
            let session = try Session(to: door)
            let killer = try Session(to: .direct)
            let process = try session.startSleeping(and: "select 2", "select 3", watcher: killer)
            let before = session.asked
            #expect(try killer.value("select pg_terminate_backend($1::int)", [process]) == "t")
            let events = try session.events(until: .sync)
            #expect(events.first == .error("57P01"))
            #expect(events.last == .lost)
            #expect(!events.contains(.rows([["3"]])))
            // Not one question too many, and the loss is told for ever.
            #expect(session.asked - before < 20)
            for _ in 0..<3 { #expect(session.next() == .lost) }
            checkLost(session)
        }

        @Test func aServerThatIsKilledWhileItWorks() throws {
            // Killed by the system, without a word: libpq's own error has no SQLSTATE.
            let session = try Session(to: .direct)
            let watcher = try Session(to: .direct)
            let process = try session.startSleeping(watcher: watcher)
            let number = try #require(Int32(process))
            #expect(kill(number, SIGKILL) == 0)
            #expect(try session.events(until: .sync) == [.error(""), .end, .lost])
            checkLost(session)
            // All sessions end with it until the server has recovered.
            try recover()
        }

        @Test func anIdleConnectionThatEnds() throws {
            let session = try Session(to: .direct)
            let killer = try Session(to: .direct)
            let process = try #require(try session.value("select pg_backend_pid()"))
            #expect(!session.hasUnreadInput)
            #expect(try killer.value("select pg_terminate_backend($1::int)", [process]) == "t")
            try session.wait(Int16(POLLIN))
            #expect(session.hasUnreadInput)
            while session.consumeInput() { try session.wait(Int16(POLLIN)) }
            var isLost = false
            if case .connectionLost = session.connection.nextResult() { isLost = true }
            #expect(isLost)
            // The last word to nobody in particular comes as a notice.
            #expect(session.notices.map { $0[1] } == ["57P01"])
            checkLost(session)
        }

        private func checkLost(_ session: Session) {
            #expect(session.isLost)
            #expect(session.transactionStatus == .unknown)
            #expect(session.fileDescriptor == -1)
            #expect(!session.consumeInput())
            #expect(!session.send("select 1"))
            #expect(!session.sendSync())
            #expect(session.hasUnreadInput)
            #expect(!session.errorMessage.isEmpty)
        }

        private func recover() throws {
            while true {
                let session = try Session(connecting: Door.direct.conninfo())
                if try session.connect() == .connected { return }
            }
        }
    }
}
