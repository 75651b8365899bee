import ArgumentParser
import Daemon
import Glibc

@main
struct Pointsman: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pointsman",
        abstract: "A read/write-splitting sidecar for PostgreSQL behind PgBouncer.",
        version: Version.current,
        subcommands: [
            Run.self, Check.self, Route.self, SQL.self, Stats.self, Examine.self, Reload.self, ShowVersion.self,
        ])
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve until a signal ends it.")

    @Option(name: [.short, .customLong("config")], help: "The settings file.")
    var config: String
    @Flag(help: "End with 69 when no pool can be reached; without it the daemon starts degraded.")
    var requireReady = false

    func run() throws {
        throw DaemonProcess(file: config, requiresReady: requireReady).run().asError
    }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a settings file: its words, its rules, its expectations.")

    @Flag(help: "Print every setting that a file may have, as Markdown, and check nothing.")
    var reference = false
    @Argument(help: "The settings file.")
    var file: String?

    func validate() throws {
        guard reference != (file != nil) else { throw ValidationError("name a settings file, or ask for --reference") }
    }

    func run() throws {
        guard let file else { return print(SettingsFile.reference, terminator: "") }
        switch SettingsFile.check(file) {
        case .ready(let snapshot):
            let settings = snapshot.settings
            print(
                "\(file): ok: \(settings.pools.count) pools, \(settings.rules.count) rules, "
                    + "\(settings.expectations.count) expectations hold")
        case .refused(let complaints):
            for complaint in complaints { printError(complaint) }
            throw ExitStatus.badSettings.asError
        }
    }
}

struct ShowVersion: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() {
        print("pointsman \(Version.current)")
    }
}

extension ExitStatus {
    var asError: ExitCode { ExitCode(rawValue) }
}

func printError(_ text: String) {
    let line = Array((text + "\n").utf8)
    line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
