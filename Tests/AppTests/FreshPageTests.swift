import Foundation
import PointsmanClient
import Synchronization
import TestKit
import Testing

/// What a visitor sees of a message just left, while servers and connections are in the way: on a cluster of its own.
extension AppTests {
    @Suite(.serialized) struct FreshPageTests {
        /// Servers that hold no board but this one test's.
        private struct Scene {
            let cluster: Cluster
            let daemon: DaemonProcess
            /// Between the message server and the daemon.
            let relay: Relay
            let server: MessageServerProcess
            let visitor: Browser

            init() throws {
                cluster = try Cluster()
                var settings = try DaemonSettings(cluster)
                // A bound that nobody reaches: with one, the daemon looks how far behind every read's standby is.
                settings.standby.append("max_lag = \"1h\"")
                daemon = try DaemonProcess(settings)
                let migration = try run(
                    MessageServerProcess.program, ["migrate", "--socket", daemon.settings.opsSocket],
                    within: .seconds(60))
                guard migration.code == 0 else { throw TestFailure("migrate: \(migration.errorOutput)") }
                let socket = "\(daemon.settings.folder)/relay.sock"
                relay = try Relay(at: socket, to: daemon.settings.appSocket)
                server = try MessageServerProcess(socket: socket)
                visitor = Browser(server)
                // Opens the connection that stores messages, too.
                guard try visitor.post("the first").status == 303 else { throw TestFailure("not posted") }
                try cluster.waitForReplay()
            }

            func stored() throws -> [String] {
                try cluster.sql("SELECT msg_text FROM msgsvr.msgs_msg ORDER BY id").map { $0[0] }
            }

            func pauseReplay() throws {
                for node in [Cluster.Node.standby1, .standby2] { try cluster.pauseReplay(node) }
            }

            /// Leaves a message whose reply does not come: it is on the primary already when `harm` is done.
            func post(_ text: String, _ harm: (Relay) -> Void) throws -> Browser.Page {
                let form = try visitor.get("/").form
                relay.holdReplies()
                let answer = Mutex<Result<Browser.Page, any Error>?>(nil)
                let poster = Thread {
                    let page = Result { try visitor.post(text, form: form) }
                    answer.withLock { $0 = page }
                }
                poster.start()
                try eventually("the message") { try stored().contains(text) }
                harm(relay)
                relay.cut()
                relay.thaw()
                try eventually("the answer") { answer.withLock { $0 != nil } }
                guard let page = try answer.withLock({ try $0?.get() }) else { throw TestFailure("no answer") }
                return page
            }

            func end() {
                relay.end()
                cluster.end()
            }
        }

        /// A line as `standby 127.0.0.12 in 3.1 ms, 4 ms behind`.
        private static func isFromStandby(_ text: String) -> Bool {
            text.wholeMatch(of: /standby 127\.0\.0\.1\d in \d+\.\d ms, (up to date|\d+ ms behind)\./) != nil
        }

        @Test func whoPostedReadsFromAStandbyToo() async throws {
            try await blocking {
                let scene = try Scene()
                defer { scene.end() }
                let wanted = "Stored on the primary; this page waited for your message and was read from "
                // A busy machine's standby may take longer than a page waits for it; not each time.
                try eventually("a page from a standby") {
                    let text = Workplace.unique("message")
                    #expect(try scene.visitor.post(text).status == 303)
                    let archive = try scene.visitor.get("/archive?posted=1")
                    #expect(archive.messages.first == text)
                    let home = try scene.visitor.get("/")
                    #expect(home.messages == [text])
                    guard let receipt = archive.receipt, receipt.hasPrefix(wanted) else { return false }
                    return Self.isFromStandby(String(receipt.dropFirst(wanted.count)))
                }
                try scene.cluster.waitForReplay()
                let home = try Browser(scene.server).get("/")
                let receipt = try #require(home.receipt)
                #expect(Self.isFromStandby(receipt.replacing("Read from ", with: "")), "\(receipt)")
                let timing = try #require(home.headers["server-timing"])
                #expect(
                    timing.wholeMatch(of: /db;desc="standby 127\.0\.0\.1\d:\d+";dur=\d+\.\d, lag;dur=\d+/) != nil,
                    "\(timing)")
            }
        }

        @Test func onlyWhoPostedSeesTheMessageBeforeTheStandbysHaveIt() async throws {
            try await blocking {
                let scene = try Scene()
                defer { scene.end() }
                try scene.pauseReplay()
                for number in 1...5 {
                    let text = "unseen \(number)"
                    #expect(try scene.visitor.post(text).status == 303)
                    for path in ["/archive?posted=1", "/archive", "/"] {
                        #expect(try scene.visitor.get(path).messages.first == text)
                        let stranger = try Browser(scene.server).get(path.replacing("?posted=1", with: ""))
                        #expect(stranger.messages.first == "the first")
                        #expect(stranger.receipt?.hasPrefix("Read from standby ") == true)
                    }
                    let refused = try scene.visitor.post("")
                    #expect(refused.status == 422)
                    #expect(refused.messages == [text])
                }
                for node in [Cluster.Node.standby1, .standby2] { try scene.cluster.resumeReplay(node) }
                try scene.cluster.waitForReplay()
                let stranger = try Browser(scene.server).get("/")
                #expect(stranger.messages == ["unseen 5"])
                #expect(stranger.receipt?.hasPrefix("Read from standby ") == true)
            }
        }

        @Test func aWriteIsSeenThroughAnyOtherConnection() async throws {
            let scene = try await blocking { try Scene() }
            defer { scene.end() }
            let configuration = PointsmanClient.Configuration(socketPath: scene.daemon.settings.appSocket)
            let writer = PointsmanClient(configuration: configuration)
            let reader = PointsmanClient(configuration: configuration)
            let sql = "SELECT 1 FROM msgs_msg WHERE msg_text = $1"
            for isReplaying in [true, false] {
                if !isReplaying { try await blocking { try scene.pauseReplay() } }
                for number in 0..<100 {
                    let text = "\(isReplaying) \(number)"
                    let write = try await writer.query(
                        "INSERT INTO msgs_msg (msg_text, msg_time) VALUES ($1, now())", [text],
                        options: QueryOptions(wantsToken: true, session: "visitor-1"))
                    #expect(write.receipt.token != nil)
                    let byToken = try await reader.query(
                        sql, [text], freshness: .after(write.receipt), options: .read)
                    #expect(byToken.rows.count == 1, "\(text)")
                    let byKey = try await reader.query(
                        sql, [text], options: QueryOptions(readOnly: true, session: "visitor-1"))
                    #expect(byKey.rows.count == 1, "\(text)")
                }
            }
        }

        // MARK: Lost replies

        @Test func aLostReplyIsFoundOutAndTheMessageIsStoredOnce() async throws {
            try await blocking {
                let scene = try Scene()
                defer { scene.end() }
                #expect(try scene.post("its reply is lost") { _ in }.status == 303)
                #expect(try scene.stored() == ["the first", "its reply is lost"])
            }
        }

        @Test func whatCannotBeConfirmedIsSaidSoAndMayBeSentAgain() async throws {
            try await blocking {
                let scene = try Scene()
                defer { scene.end() }
                let page = try scene.post("its reply is lost") { $0.refuse(true) }
                #expect(page.status == 503)
                #expect(page.problem?.contains("could not confirm") == true)
                #expect(page.headers["retry-after"] != nil)
                #expect(page.texts(of: "textarea").first == "\nits reply is lost")
                scene.relay.refuse(false)
                #expect(try scene.visitor.post("its reply is lost", form: page.form).status == 303)
                #expect(try scene.stored() == ["the first", "its reply is lost"])
            }
        }
    }
}
