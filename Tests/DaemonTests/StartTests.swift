import Foundation
import TestKit
import Testing

/// Starting: sockets, exit codes, who may connect.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct StartTests {
    @Test func aStaleSocketFileIsTakenOver() throws {
        let first = try DaemonProcess()
        first.process.signal(SIGKILL)
        try first.process.wait()
        #expect(FileManager.default.fileExists(atPath: first.settings.appSocket))
        let second = try DaemonProcess(first.settings)
        try second.client().expectAlive()
        try second.stop()
    }

    @Test func aLiveSocketIsNot() throws {
        let first = try DaemonProcess()
        let second = try DaemonProcess(first.settings, awaitingReady: false)
        #expect(try second.process.wait(within: .seconds(5)) == .exited(73))
        #expect(second.log.contains(first.settings.appSocket))
        try first.client().expectAlive()
        try first.operatorClient().expectAlive()
    }

    /// A file that is no socket is somebody's: it is left alone.
    @Test func anotherFileIsNotTakenOver() throws {
        var settings = try DaemonSettings(try Cluster.shared())
        settings.more = ""
        try "precious".write(toFile: settings.appSocket, atomically: false, encoding: .utf8)
        let daemon = try DaemonProcess(settings, awaitingReady: false)
        #expect(try daemon.process.wait(within: .seconds(5)) == .exited(73))
        #expect(try String(contentsOfFile: settings.appSocket, encoding: .utf8) == "precious")
    }

    @Test func aFolderThatIsNotThere() throws {
        let settings = try DaemonSettings(try Cluster.shared())
        try settings.write(settings.text.replacingOccurrences(of: settings.appSocket, with: "/nonexistent/x.sock"))
        let result = try run(Workplace.pointsman, ["run", "-c", settings.file])
        #expect(result.code == 73 && result.errorOutput.contains("/nonexistent/x.sock"))
    }

    @Test func badSettings() throws {
        let settings = try DaemonSettings(try Cluster.shared())
        try settings.write(settings.text + "\n[pool.third]\nrole = \"primary\"\nsiz = 3\n")
        let result = try run(Workplace.pointsman, ["run", "-c", settings.file])
        #expect(result.code == 78)
        #expect(result.errorOutput.contains(/pointsman\.toml:[0-9]+:[0-9]+/) && result.errorOutput.contains("siz"))
        #expect(result.errorOutput.contains("conninfo"))
        #expect(try run(Workplace.pointsman, ["run", "-c", "/nonexistent.toml"]).code == 78)
    }

    @Test(arguments: [["run"], ["run", "--colour"], ["frobnicate"], ["check"], ["run", "-c"]])
    func wrongUsage(_ arguments: [String]) throws {
        #expect(try run(Workplace.pointsman, arguments).code == 64)
    }

    @Test func requireReadyNeedsAPool() throws {
        var settings = try DaemonSettings(try Cluster.shared())
        let folder = try Workplace.newFolder("r")
        settings.primaryConninfo = "host=\(folder) port=6432 dbname=x user=x"
        settings.standbyConninfo = settings.primaryConninfo
        try settings.write()
        let result = try run(
            Workplace.pointsman, ["run", "-c", settings.file, "--require-ready"], within: .seconds(20))
        #expect(result.code == 69, "\(result)")
    }

    @Test func theSocketsModesAreAsWritten() throws {
        let daemon = try DaemonProcess { $0.listen = ["mode = \"0640\""] }
        let mode = { (path: String) in
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(daemon.settings.appSocket) == 0o640)
        #expect(try mode(daemon.settings.opsSocket) == 0o600)
    }

    @Test func aUserWhoMayNotConnect() throws {
        // Neither root nor a developer is `nobody`.
        let daemon = try DaemonProcess(
            {
                var settings = try DaemonSettings(try Cluster.shared())
                settings.listen = ["allow_users = [\"nobody\"]"]
                return settings
            }(), awaitingReady: false)
        try eventually("the operator's socket") {
            (try? daemon.operatorClient().ask("PING").problem == nil) == true
        }
        let client = try daemon.client()
        try? client.send("Q 1 SELECT 1\n")
        if let line = try client.text() { #expect(line.hasPrefix("E\t"), "\(line)") }
        try client.expectEnd()
    }

    /// Passwords are not in the settings; what the daemon shows and logs holds none either.
    @Test func nothingSecretIsShown() throws {
        let cluster = try Cluster.shared()
        let path = try #require(try cluster.readWrite.firstMatch(of: /passfile=([^ ]+)/)).1
        let passwords = try String(contentsOfFile: String(path), encoding: .utf8).split(separator: "\n")
            .compactMap { $0.split(separator: ":").last.map(String.init) }
        #expect(!passwords.isEmpty)
        let daemon = try DaemonProcess { $0.server = ["log_level = \"debug\""] }
        try daemon.client().run("SELECT $1::text", ["canary-parameter"])
        var shown = daemon.log
        for name in ["pools", "rules", "clients", "settings"] {
            shown += "\(try daemon.operatorClient().ask("STATS", "", name))"
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(daemon.pid)/cmdline"))
        shown += String(decoding: bytes, as: UTF8.self)
        for password in passwords { #expect(!shown.contains(password)) }
        #expect(!shown.contains("canary-parameter"))
    }
}
