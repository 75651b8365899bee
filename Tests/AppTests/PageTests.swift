import Foundation
import TestKit
import Testing

/// The message server's pages through the real daemon. One board, so one test at a time.
extension AppTests {
    @Suite(.serialized) struct PageTests {
        private let server: MessageServerProcess
        private let visitor: Browser

        /// Every test begins with an empty board that both standbys know.
        init() async throws {
            let daemon = try await Shared.daemon()
            let socket = daemon.settings.opsSocket
            server = try await blocking {
                let cluster = try Cluster.shared()
                let isOurs = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('msgsvr.msgs_msg') "
                if try cluster.value(isOurs + "AND attname = 'nonce'") == "1" {
                    try cluster.sql("DELETE FROM msgsvr.msgs_msg")
                    try cluster.waitForReplay()
                } else {
                    try PageTests.migrate(socket)
                }
                return try Shared.server(socket: daemon.settings.appSocket)
            }
            visitor = Browser(server)
        }

        /// Leaves no table to the next test, which then makes its own.
        private func dropTable() {
            _ = try? Cluster.shared().sql("DROP TABLE IF EXISTS msgsvr.msgs_msg")
        }

        private static func migrate(_ socket: String) throws {
            let result = try run(MessageServerProcess.program, ["migrate", "--socket", socket], within: .seconds(60))
            guard result.code == 0 else { throw TestFailure("migrate: \(result.errorOutput)") }
            try Cluster.shared().waitForReplay()
        }

        private func stored() throws -> [String] {
            try Cluster.shared().sql("SELECT msg_text FROM msgsvr.msgs_msg ORDER BY id").map { $0[0] }
        }

        private func fill(_ count: Int) throws {
            try Cluster.shared().sql(
                "INSERT INTO msgsvr.msgs_msg (msg_text, msg_time) SELECT 'message ' || n, "
                    + "timestamptz '2026-01-01 00:00:00Z' + n / 3 * interval '1 minute' FROM generate_series(1, \(count)) n"
            )
            try Cluster.shared().waitForReplay()
        }

        // MARK: Reading

        @Test func anEmptyBoardInvites() throws {
            let home = try visitor.get("/")
            #expect(home.status == 200)
            #expect(home.messages.isEmpty)
            #expect(home.body.contains("You are the first one"))
            #expect(home.form.keys.sorted() == ["nonce", "token"])
            let archive = try visitor.get("/archive")
            #expect(archive.messages.isEmpty)
            #expect(archive.body.contains("Leave the first message"))
        }

        @Test func aVisitorSeesTheNewestMessageFromAStandby() throws {
            try fill(3)
            let home = try visitor.get("/")
            #expect(home.messages == ["message 3"])
            #expect(home.receipt?.hasPrefix("Read from standby ") == true)
            #expect(home.headers["server-timing"]?.hasPrefix("db;desc=\"standby") == true)
            #expect(home.headers["set-cookie"] == nil)
            #expect(home.body.contains("<time datetime=\"2026-01-01T00:01:00Z\">1 January 2026, 00:01 UTC</time>"))
        }

        @Test func pagesAreNewestFirstTiesById() throws {
            try fill(25)
            let first = try visitor.get("/archive")
            #expect(first.messages == (16...25).reversed().map { "message \($0)" })
            #expect(first.body.contains("Page 1 of 3"))
            #expect(!first.body.contains("rel=\"prev\""))
            #expect(first.body.contains("href=\"/archive?page=2\" rel=\"next\""))
            let last = try visitor.get("/archive?page=3")
            #expect(last.messages == (1...5).reversed().map { "message \($0)" })
            #expect(last.body.contains("href=\"/archive?page=2\" rel=\"prev\""))
            #expect(!last.body.contains("rel=\"next\""))
        }

        @Test(arguments: [
            ("0", 1), ("-1", 1), ("abc", 1), ("", 1), ("4", 3), ("99999999999999999999999", 3), ("%00", 1), ("2", 2),
            ("1%27--", 1),
        ])
        func anyPageNumberShowsAPage(number: String, shown: Int) throws {
            try fill(25)
            let page = try visitor.get("/archive?page=\(number)")
            #expect(page.status == 200)
            #expect(page.body.contains("Page \(shown) of 3"))
        }

        // MARK: Posting

        @Test func whoPostsSeesTheMessageAtOnce() throws {
            try fill(12)
            let posted = try visitor.post("  hello\r\nworld ")
            #expect(posted.status == 303)
            #expect(posted.headers["location"] == "/archive?posted=1")
            let cookie = posted.headers["set-cookie"] ?? ""
            #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Max-Age="))
            let archive = try visitor.get("/archive?posted=1")
            #expect(archive.messages.first == "hello\nworld")
            #expect(archive.receipt?.hasPrefix("Stored on the primary; this page ") == true)
            #expect(archive.headers["set-cookie"] == nil)
            #expect(archive.body.contains("Your message is on the board"))
            #expect(try visitor.get("/").messages == ["hello\nworld"])
            try Cluster.shared().waitForReplay()
            let other = try Browser(server).get("/archive")
            #expect(other.messages.first == "hello\nworld")
            #expect(other.receipt?.hasPrefix("Read from standby ") == true)
        }

        /// Cookies that this server made, but not for this or not for now, and what a stranger may make up.
        @Test func aCookieThatIsNotOursIsForgotten() throws {
            let token = "1.0/36B0FA0.5f2c91aa"
            let own = try server.signed("\(token) primary", seconds: 60)
            #expect(try visitor.get("/archive?posted=1", ["Cookie: posted=\(own)"]).body.contains("is on the board"))
            let form = try #require(try visitor.get("/").form["token"])
            let strange = [
                "x", "..", "cHJpbWFyeQ.9999999999.AAAA", form, String(own.dropLast()), own + "A", "x" + own,
                own.replacing(".", with: ".1", maxReplacements: 1), String(repeating: own, count: 10),
                try server.signed("\(token) primary", seconds: -1), try server.signed("\(token) primary", seconds: 0),
                try server.signed(token, seconds: 60),
                try server.signed("\(token) " + String(repeating: "x", count: 256), seconds: 60),
            ]
            for cookie in strange {
                let page = try Browser(server).get("/archive?posted=1", ["Cookie: posted=\(cookie)"])
                #expect(page.status == 200)
                #expect(!page.body.contains("is on the board"))
                #expect(page.receipt?.hasPrefix("Read from ") == true)
                let home = try Browser(server).get("/", ["Cookie: posted=\(cookie)"])
                #expect(home.receipt?.hasPrefix("Read from standby ") == true)
                for headers in [page.headers, home.headers] {
                    let removal = headers["set-cookie"] ?? ""
                    #expect(removal.hasPrefix("posted=;") && removal.contains("Max-Age=0"), "\(cookie)")
                }
            }
        }

        /// A token of another database, of another time, or none at all: the page comes all the same.
        @Test(arguments: ["1.0/36B0FA0.00000000", "9.FFFFFFFF/FFFFFFFF.5f2c91aa", "nonsense", ""])
        func aTokenThatSaysNothingCostsNothingButTime(token: String) throws {
            try fill(3)
            let cookie = try server.signed("\(token) primary", seconds: 60)
            let page = try visitor.get("/", ["Cookie: posted=\(cookie)"])
            #expect(page.status == 200)
            #expect(page.messages == ["message 3"])
            #expect(page.receipt?.hasPrefix("Read from the primary") == true)
        }

        @Test func oneFormIsOneMessageHoweverOftenItIsSent() throws {
            let form = try visitor.get("/").form
            for _ in 0..<3 { #expect(try visitor.post("only once", form: form).status == 303) }
            #expect(try stored() == ["only once"])
            #expect(try visitor.post("something else", form: form).status == 303, "the back button, and another text")
            #expect(try stored() == ["only once", "something else"])
        }

        @Test(arguments: [
            ("", "nothing to leave"), (" \u{200B}\r\n", "nothing to leave"),
            (String(repeating: "x", count: 201), "1 character too long"), ("a\u{7}b", "cannot be shown"),
            ("a\0b", "cannot be shown"),
        ])
        func aRefusedMessageComesBackWithTheReason(text: String, reason: String) throws {
            let page = try visitor.post(text)
            #expect(page.status == 422)
            #expect(page.problem?.contains(reason) == true)
            let typed = text.replacingOccurrences(of: "\0", with: "")
            #expect(page.texts(of: "textarea").first == "\n" + typed)
            #expect(try stored().isEmpty)
        }

        @Test(arguments: [
            "<script>alert(1)</script>", "\u{600}<script>alert(1)</script>", "\"\u{301} onfocus=alert(1)",
            "</p><b>bold",
            "{{receipt}} {{{receipt}}}", "&lt;", "'; DROP TABLE msgs_msg; --", "\\N \\. \\t $1",
        ])
        func aHostileMessageIsOnlyText(text: String) throws {
            #expect(try visitor.post(text).status == 303)
            #expect(try stored() == [text])
            for path in ["/", "/archive?posted=1"] {
                let page = try visitor.get(path)
                let shown = try #require(page.messages.first)
                #expect(!shown.utf8.contains { [0x3C, 0x3E, 0x22, 0x27].contains($0) })
                #expect(
                    !page.body.utf8.elementsEqual([])
                        && !Array(page.body.utf8).contains(sequence: Array("<script".utf8)))
                #expect(Self.unescaped(shown) == text)
            }
            // Shown again inside the form, where a quote could end an attribute.
            let again = try visitor.post(text + String(repeating: "x", count: 200))
            #expect(again.status == 422)
            #expect(!Array(again.body.utf8).contains(sequence: Array("<script".utf8)))
        }

        private static func unescaped(_ html: String) -> String {
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")].reduce(html) {
                $0.replacingOccurrences(of: $1.0, with: $1.1, options: .literal)
            }
        }

        // MARK: Who may post

        @Test(
            arguments: [
                (["Sec-Fetch-Site: same-origin"], 303), (["Sec-Fetch-Site: cross-site"], 403),
                (["Sec-Fetch-Site: same-site"], 403), (["Origin: http://evil.example"], 403), (["Origin: null"], 403),
                ([], 303),
            ] as [([String], Int)])
        func otherSitesCannotPost(headers: [String], status: Int) throws {
            let page = try visitor.post("from somewhere", headers: headers)
            #expect(page.status == status)
            #expect(try stored().count == (status == 303 ? 1 : 0))
            if status == 403 { #expect(page.texts(of: "textarea").first == "\nfrom somewhere") }
        }

        @Test func anOldBrowserNeedsTheFormsToken() throws {
            var form = try visitor.get("/").form
            form["token"] = "x" + (form["token"] ?? "")
            #expect(try visitor.post("no", form: form, headers: []).status == 403)
            form["token"] = nil
            #expect(try visitor.post("no", form: form, headers: []).status == 403)
            form["nonce"] = "short"
            #expect(try visitor.post("no", form: form).status == 400)
            #expect(try stored().isEmpty)
        }

        @Test func aBodyThatIsNoFormIsRefused() throws {
            let form = "Content-Type: application/x-www-form-urlencoded"
            #expect(try visitor.send("msg=" + String(repeating: "x", count: 9000), headers: [form]).status == 413)
            #expect(try visitor.send("msg=%FF", headers: [form]).status == 400)
            #expect(try visitor.send("msg=a", headers: ["Content-Type: text/plain"]).status == 415)
            #expect(try visitor.get("/").status == 200)
        }

        @Test(arguments: ["/", "/archive", "/nowhere", "/healthz"])
        func everyAnswerHasTheSafetyHeaders(path: String) throws {
            let headers = try visitor.get(path).headers
            #expect(
                headers["content-security-policy"]
                    == "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
            #expect(headers["x-content-type-options"] == "nosniff")
            #expect(headers["referrer-policy"] == "same-origin")
        }

        @Test func theStylesheetIsThere() throws {
            let home = try visitor.get("/")
            let path = try #require(
                home.body.components(separatedBy: "href=\"/style").dropFirst().first?.prefix { $0 != "\"" })
            let sheet = try visitor.get("/style\(path)")
            #expect(sheet.status == 200)
            #expect(sheet.headers["content-type"] == "text/css; charset=utf-8")
            #expect(sheet.body.contains("prefers-color-scheme: dark"))
        }

        // MARK: An older installation, and trouble

        /// The table as Django made it, with what visitors left in it.
        @Test func anOlderBoardIsTakenOver() async throws {
            let socket = try await Shared.daemon().settings.opsSocket
            defer { dropTable() }
            try Cluster.shared().sql(
                """
                DROP TABLE msgsvr.msgs_msg;
                SET ROLE msgsvr;
                CREATE TABLE msgsvr.msgs_msg (id serial PRIMARY KEY, msg_text varchar(200) NOT NULL,
                    msg_time timestamptz NOT NULL);
                INSERT INTO msgsvr.msgs_msg (msg_text, msg_time) VALUES ('from 1993', '1993-04-30 10:00:00Z'),
                    ('', '1994-01-01 00:00:00Z'), ('end of time', 'infinity')
                """)
            try Self.migrate(socket)
            try Self.migrate(socket)
            #expect(try visitor.get("/archive").messages == ["end of time", "", "from 1993"])
            #expect(try visitor.post("from today").status == 303)
            #expect(try stored() == ["from 1993", "", "end of time", "from today"])
            #expect(throws: TestFailure.self) {
                try Cluster.shared().sql("INSERT INTO msgsvr.msgs_msg (msg_text, msg_time) VALUES ('', now())")
            }
        }

        @Test func troubleIsAPageWithoutSecrets() async throws {
            try Cluster.shared().sql("DROP TABLE msgsvr.msgs_msg")
            try Cluster.shared().waitForReplay()
            for page in [try visitor.get("/"), try visitor.get("/archive")] {
                #expect(page.status == 500)
                #expect(page.body.contains("Something is wrong here"))
                #expect(!page.body.contains("msgs_msg") && !page.body.contains("42P01"))
            }
            #expect(server.output.contains("42P01"), "the log says what it is")
        }

        @Test func withoutTheDaemonThePageSaysComeBack() async throws {
            let settings = try await blocking { try DaemonSettings(try Cluster.shared()) }
            let (daemon, server) = try await blocking {
                let daemon = try DaemonProcess(settings)
                return (daemon, try MessageServerProcess(socket: settings.appSocket))
            }
            let visitor = Browser(server)
            #expect(try visitor.get("/healthz").status == 200)
            let form = try visitor.get("/").form
            try daemon.stop()
            let home = try visitor.get("/")
            #expect(home.status == 503)
            #expect(home.headers["retry-after"] != nil)
            #expect(try visitor.get("/healthz").status == 503)
            let post = try visitor.post("kept", form: form)
            #expect(post.status == 503)
            #expect(post.headers["retry-after"] != nil)
            #expect(post.texts(of: "textarea").first == "\nkept")
            #expect(post.form["nonce"] == form["nonce"], "sending it again stays one message")
            let next = try await blocking { try DaemonProcess(settings) }
            #expect(try visitor.post("kept", form: post.form).status == 303)
            #expect(try stored() == ["kept"])
            try next.stop()
        }

        @Test func theServerEndsOnTERM() async throws {
            let socket = try await Shared.daemon().settings.appSocket
            let server = try await blocking { try MessageServerProcess(socket: socket) }
            server.process.signal(SIGTERM)
            #expect(try server.process.wait(within: .seconds(20)) == .exited(0))
        }
    }
}

extension [UInt8] {
    func contains(sequence: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: sequence) }
    }
}
