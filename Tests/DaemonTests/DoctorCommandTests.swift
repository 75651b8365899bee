import Foundation
import TestKit
import Testing

/// `pointsman doctor` on real servers: silent where nothing is wrong, and each planted fault by its name and its line.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct DoctorCommandTests {
    /// Its PgBouncer is spoilt and mended: the cluster is these tests' own.
    private static let cluster = Result { try Cluster() }

    private struct Finding: Decodable {
        let level: String
        let check: String
        let pool: String?
        let evidence: String
        let file: String
        let line: String?
        let change: String
    }

    private func doctor(_ file: String, code: Int32) throws -> [Finding] {
        let result = try run(Workplace.pointsman, ["doctor", "-c", file, "--json"], within: .seconds(60))
        #expect(result.code == code, "\(result.output)\(result.errorOutput)")
        return try JSONDecoder().decode([Finding].self, from: Data(result.output.utf8))
    }

    private var settings: String { get throws { try Self.cluster.get().variable("SETTINGS") } }

    /// Changes PgBouncer's settings for as long as the body runs.
    private func withPgBouncer(_ changes: [(String, String)], _ body: (String) throws -> Void) throws {
        let cluster = try Self.cluster.get()
        let file = try cluster.variable("PGBOUNCER_INI")
        let shipped = try String(contentsOfFile: file, encoding: .utf8)
        func write(_ text: String) throws {
            // In place: the file belongs to PgBouncer's user.
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            try cluster.sql("RELOAD", at: cluster.console)
            try cluster.sql("RECONNECT", at: cluster.console)
        }
        var text = shipped
        for (old, new) in changes {
            try #require(text.contains(old), "\(old)")
            text = text.replacingOccurrences(of: old, with: new)
        }
        try write(text)
        defer { #expect(throws: Never.self) { try write(shipped) } }
        try body(text)
    }

    /// The number of the line that begins so.
    private func line(_ start: String, in text: String) throws -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return "\(try #require(lines.firstIndex { $0.hasPrefix(start) }) + 1)"
    }

    @Test func theShippedSettingsNeedNoChange() throws {
        for _ in 0..<3 { #expect(try doctor(settings, code: 0).isEmpty) }
        // For people one line, for a script none.
        let quiet = try run(Workplace.pointsman, ["doctor", "-c", settings])
        #expect(quiet.code == 0 && quiet.output.isEmpty && quiet.errorOutput.isEmpty, "\(quiet)")
    }

    @Test func aPrimaryAmongTheStandbys() throws {
        let list = "host=127.0.0.11,127.0.0.12"
        try withPgBouncer([(list, "host=127.0.0.11,127.0.0.1")]) { text in
            let found = try doctor(settings, code: 1)
            let role = try #require(found.first { $0.check == "role" }, "\(found)")
            #expect(role.level == "wrong" && role.pool == "standby" && role.evidence.contains("127.0.0.1:"), "\(role)")
            #expect(role.change == "msgsvr_ro = … host=127.0.0.11", "\(role)")
            #expect(try role.file == Self.cluster.get().variable("PGBOUNCER_INI"))
            #expect(try role.line == line("msgsvr_ro", in: text))
            #expect(found.count == 1, "\(found)")
        }
    }

    @Test func theDefaultsOfPgBouncer() throws {
        let changes = ["server_round_robin = 1", "server_login_retry = 1", "query_wait_timeout = 5"]
        try withPgBouncer(changes.map { ($0, ";") }) { _ in
            let found = try doctor(settings, code: 1)
            #expect(found.map(\.check) == ["round-robin", "login-retry", "wait-timeout"], "\(found)")
            #expect(found.map(\.change) == changes, "\(found)")
            #expect(found.allSatisfy { $0.level == "wrong" })
        }
        try withPgBouncer([("server_round_robin = 1", "server_round_robin = 0")]) { text in
            let found = try doctor(settings, code: 1)
            #expect(try found.map(\.line) == [line("server_round_robin", in: text)], "\(found)")
        }
    }

    @Test func aPoolThatIsTooSmall() throws {
        try withPgBouncer([("pool_size=20 ", "pool_size=9 ")]) { text in
            let found = try doctor(settings, code: 1)
            #expect(found.map(\.check) == ["pool-size"] && found.first?.pool == "primary", "\(found)")
            #expect(found.first?.change == "msgsvr_rw = … pool_size=10")
            #expect(try found.first?.line == line("msgsvr_rw", in: text))
        }
    }

    @Test func aConnectQueryWithoutEffect() throws {
        try withPgBouncer([(" connect_query='SET default_transaction_read_only = on'", "")]) { _ in
            let found = try doctor(settings, code: 1)
            #expect(found.map(\.check) == ["read-only"] && found.first?.pool == "standby", "\(found)")
        }
    }

    @Test func anIsolationThatMakesReadsStale() throws {
        let cluster = try Self.cluster.get()
        try cluster.sql("ALTER ROLE msgsvr SET default_transaction_isolation = 'repeatable read'")
        defer {
            #expect(throws: Never.self) { try cluster.sql("ALTER ROLE msgsvr RESET default_transaction_isolation") }
        }
        try cluster.waitForReplay()
        try cluster.sql("RECONNECT", at: cluster.console)
        let found = try doctor(settings, code: 1)
        #expect(found.map(\.check) == ["isolation"] && found.first?.pool == "standby", "\(found)")
        #expect(found.first?.change.contains("ALTER ROLE msgsvr") == true)
    }

    /// A standby pool that leads to another cluster's standbys: right role, other data.
    @Test func aForeignSystem() throws {
        var settings = try DaemonSettings(try Self.cluster.get())
        settings.standbyConninfo = try Cluster.shared().readOnly
        settings.more = "[pgbouncer]\nadmin = \"\(try Self.cluster.get().variable("STATS"))\"\n"
        settings.primary = ["timeout = \"10s\""]
        settings.standby = settings.primary
        try settings.write()
        let found = try doctor(settings.file, code: 1)
        #expect(found.map(\.check) == ["system"] && found.first?.pool == "standby", "\(found)")
        let own = try Self.cluster.get().value("SELECT system_identifier FROM pg_control_system()")
        let other = try Cluster.shared().value("SELECT system_identifier FROM pg_control_system()")
        #expect(
            found.first?.evidence.contains("system \(other)") == true && found.first?.evidence.hasSuffix(own) == true)
        #expect(found.first?.file == settings.file)
        #expect(try found.first?.line == line("[pool.standby]", in: settings.text))
    }

    @Test func passwordFilesAndPauses() throws {
        let cluster = try Self.cluster.get()
        let passfile = "\(cluster.folder)/pgpass"
        chmod(passfile, 0o640)
        defer { chmod(passfile, 0o600) }
        let found = try doctor(settings, code: 1)
        #expect(found.map(\.check) == ["passfile"] && found.first?.change == "chmod 0600 \(passfile)", "\(found)")
        chmod(passfile, 0o600)
        try cluster.sql("PAUSE msgsvr_ro", at: cluster.console)
        defer { #expect(throws: Never.self) { try cluster.sql("RESUME msgsvr_ro", at: cluster.console) } }
        let paused = try doctor(settings, code: 1)
        #expect(paused.map(\.check) == ["paused"] && paused.first?.change == "RESUME msgsvr_ro", "\(paused)")
    }

    @Test func nobodyAnswers() throws {
        var settings = try DaemonSettings(try Self.cluster.get())
        settings.primaryConninfo = "host=\(settings.folder) port=1 dbname=x user=x"
        settings.more = "[pgbouncer]\nadmin = \"host=\(settings.folder) port=1 dbname=pgbouncer user=x\"\n"
        try settings.write()
        let found = try doctor(settings.file, code: 1)
        #expect(found.map(\.check) == ["console", "connection"] && found.last?.pool == "primary", "\(found)")
        let text = try run(Workplace.pointsman, ["doctor", "-c", settings.file])
        #expect(text.code == 1 && text.output.hasPrefix("wrong (console): "), "\(text.output)")
    }

    @Test func settingsThatCannotBeUsed() throws {
        let folder = try Workplace.newFolder("doctor")
        try "version = 2\n".write(toFile: "\(folder)/bad.toml", atomically: true, encoding: .utf8)
        let result = try run(Workplace.pointsman, ["doctor", "-c", "\(folder)/bad.toml"])
        #expect(result.code == 78 && result.output.isEmpty && result.errorOutput.contains("bad.toml:1:"), "\(result)")
    }
}
