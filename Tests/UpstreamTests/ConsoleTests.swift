import Glibc
import TestKit
import Testing

@testable import Upstream

extension ServerTests {
    /// PgBouncer's console, driven with poll(2).
    @Suite struct ConsoleTests {
        private final class Console {
            var connection: ConsoleConnection

            init(_ conninfo: String) throws {
                switch ConsoleConnection(conninfo: conninfo) {
                case .some(let made): connection = made
                case .none: throw UpstreamError.noDescriptor(ENOMEM)
                }
            }

            func connect() throws -> ConnectOutcome {
                while true {
                    switch connection.connectPoll() {
                    case .wantsRead: try wait(Int16(POLLIN))
                    case .wantsWrite: try wait(Int16(POLLOUT))
                    case let outcome: return outcome
                    }
                }
            }

            func wait(_ events: Int16) throws {
                var descriptor = pollfd(fd: connection.fileDescriptor, events: events, revents: 0)
                try #require(poll(&descriptor, 1, Session.watchdog) == 1, "nothing came")
            }

            /// The rows of a command's answer as column name to value, or the error's text.
            func ask(_ command: String) throws -> (rows: [[String: String?]], error: String?) {
                guard connection.send(command), connection.flush() == .done else {
                    throw TestFailure("\(command): \(connection.errorMessage)")
                }
                var rows: [[String: String?]] = []
                var error: String?
                while true {
                    switch connection.nextResult() {
                    case .wouldBlock:
                        try wait(Int16(POLLIN))
                        _ = connection.consumeInput()
                    case .result(let result):
                        if result.status == .fatalError { error = String(decoding: result.message, as: UTF8.self) }
                        let texts = result.texts
                        rows += texts.rows.map { Dictionary(uniqueKeysWithValues: zip(texts.columns, $0)) }
                    case .endOfStatement: return (rows, error)
                    case .idle: throw TestFailure("no answer to \(command)")
                    case .connectionLost: throw TestFailure("lost at \(command)")
                    }
                }
            }

            var isLost: Bool { connection.isLost }
            var errorMessage: String { connection.errorMessage }
            func enterCommands() -> Bool { connection.enterCommands() }
            func consumeInput() -> Bool { connection.consumeInput() }
        }

        private func console() throws -> Console {
            let console = try Console(try #require(ServerTests.cluster).variable("STATS"))
            try #require(try console.connect() == .connected, "\(console.errorMessage)")
            try #require(console.enterCommands())
            return console
        }

        @Test func answersAreReadByColumnName() throws {
            let console = try console()
            let version = try console.ask("SHOW VERSION").rows
            #expect(version.count == 1 && version[0]["version"]??.hasPrefix("PgBouncer 1.") == true, "\(version)")
            let databases = try console.ask("SHOW DATABASES").rows
            let standby = try #require(databases.first { $0["name"] == "msgsvr_ro" })
            #expect(standby["host"] == "127.0.0.11,127.0.0.12" && standby["paused"] == "0")
            #expect(standby["force_user"] == .some(nil), "NULL is nil")
            #expect(try console.ask("SHOW CONFIG").rows.contains { $0["key"] == "query_wait_timeout" })
        }

        /// A command that it does not know, or that this user may not give, costs the connection nothing.
        @Test func errorsAreAnswers() throws {
            let console = try console()
            for (command, error) in [("SHOW NONSENSE", "invalid command"), ("PAUSE msgsvr_rw", "admin access needed")] {
                let answer = try console.ask(command)
                #expect(answer.rows.isEmpty && answer.error?.contains(error) == true, "\(command): \(answer)")
            }
            #expect(try console.ask("SHOW VERSION").rows.count == 1)
        }

        @Test func aLostConsoleIsSeen() throws {
            let cluster = try #require(ServerTests.cluster)
            let console = try console()
            try cluster.stop(.pgbouncer)
            defer { #expect(throws: Never.self) { try cluster.start(.pgbouncer) } }
            try console.wait(Int16(POLLIN))
            #expect(!console.consumeInput())
            #expect(console.isLost && !console.errorMessage.isEmpty)
            #expect(throws: (any Error).self) { try console.ask("SHOW VERSION") }
            let next = try Console(try cluster.variable("STATS"))
            #expect(try next.connect() == .failed)
            #expect(next.errorMessage.contains("connection to server"), "\(next.errorMessage)")
        }
    }
}
