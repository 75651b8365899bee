import Glibc
import Testing

@testable import Upstream

extension ServerTests {
    @Suite struct ConnectTests {
        @Test(arguments: Door.allCases) func connects(door: Door) throws {
            let session = try Session(to: door)
            #expect(session.fileDescriptor >= 0)
            #expect(session.transactionStatus == .idle)
            #expect(session.backendPID != 0)
            #expect(!session.isLost)
            #expect(try session.value("select 'it' || ' works'") == "it works")
        }

        @Test func aRefusedConnectionFailsWithLibpqsWords() throws {
            let session = try Session(connecting: "host=127.0.0.1 port=1 dbname=x user=x")
            #expect(try session.connect() == .failed)
            let message = session.errorMessage
            #expect(message.contains("Connection refused"))
            #expect(message.last != "\n")
            #expect(session.isLost)
        }

        @Test(arguments: Door.allCases) func aWrongPasswordFails(door: Door) throws {
            // A wrong password in the conninfo goes before the right one of its passfile.
            let session = try Session(connecting: door.conninfo() + " password=wrong")
            #expect(try session.connect() == .failed)
            #expect(session.errorMessage.contains("authentication failed"))
        }

        @Test(arguments: ["nonsense", "host=", "port=banana host=127.0.0.1", "postgresql://["])
        func aWrongConninfoFailsAtTheFirstPoll(conninfo: String) throws {
            let session = try Session(connecting: conninfo == "host=" ? "host='" : conninfo)
            #expect(session.connectPoll() == .failed)
            #expect(!session.errorMessage.isEmpty)
            #expect(session.fileDescriptor == -1)
        }

        @Test func theEncodingIsForced() throws {
            let session = try Session(to: .direct, "client_encoding=LATIN1")
            #expect(session.parameter("client_encoding") == "UTF8")
            #expect(try session.value("select $1", ["äöü 🚂"]) == "äöü 🚂")
        }

        @Test func theEnvironmentAddsNoStartupParameter() throws {
            let variables = [
                ("PGOPTIONS", "-c work_mem=123kB"), ("PGAPPNAME", "from the environment"), ("PGTZ", "Asia/Tokyo"),
                ("PGDATESTYLE", "German"), ("PGGEQO", "off"), ("PGCLIENTENCODING", "LATIN1"),
                ("PGTARGETSESSIONATTRS", "standby"),
            ]
            for (name, value) in variables { setenv(name, value, 1) }
            ServerConnection.clearEnvironment()
            #expect(variables.allSatisfy { getenv($0.0) == nil })
            let session = try Session(to: .direct)
            let seen = try session.run(
                """
                select current_setting('work_mem') = '123kB', current_setting('application_name'),
                current_setting('timezone') = 'Asia/Tokyo', current_setting('geqo')
                """)
            #expect(seen.first == .rows([["f", "", "f", "on"]]))
        }

        @Test func aSessionThatReadsLiteralsOtherwiseIsRefused() throws {
            let session = try Session(
                connecting: Door.direct.conninfo() + " options='-c standard_conforming_strings=off'")
            #expect(try session.connect() == .connected)
            let error = #expect(throws: UpstreamError.self) { try session.enterPipeline() }
            #expect(error == .parameter(name: "standard_conforming_strings", wanted: "on", found: "off"))
            #expect(error?.description == "standard_conforming_strings must be on, the server says \"off\"")
        }

        @Test func errorsSayWhatIsWrong() {
            #expect(
                UpstreamError.serverTooOld(version: 90624, oldest: 100000).description
                    == "server version 9 is too old, 10 is the oldest that works")
            #expect(
                UpstreamError.parameter(name: "client_encoding", wanted: "UTF8", found: nil).description
                    == "client_encoding must be UTF8, the server says nothing about it")
        }

        @Test func descriptorsAreGivenBack() throws {
            // By the sockets' inode numbers: other suites of this process open and close descriptors meanwhile.
            func inode(_ descriptor: Int32) -> ino_t? {
                var status = stat()
                return fstat(descriptor, &status) == 0 ? status.st_ino : nil
            }
            func open() -> Set<ino_t> { Set((0..<1024).compactMap { inode(Int32($0)) }) }
            var sockets: Set<ino_t> = []
            do {
                let sessions = try (0..<5).map { _ in try Session(to: .direct) }
                sockets = Set(sessions.compactMap { inode($0.fileDescriptor) })
                #expect(sockets.count == sessions.count)
                #expect(sockets.isSubset(of: open()))
            }
            #expect(sockets.isDisjoint(with: open()))
        }
    }
}
