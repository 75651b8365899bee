import ArgumentParser
import Daemon
import Doctor
import Glibc
import Upstream

struct Examine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what is wrong with PgBouncer's settings, its pools and the servers.",
        discussion: """
            Connects by itself, through each pool and to PgBouncer's console, and changes nothing. Each finding says what \
            was seen and the line to change. Ends with 0 when nothing is wrong (there may be advice), with 1 when \
            something is, with 78 when the settings cannot be used.
            """)

    @Option(name: [.short, .customLong("config")], help: "The settings file.")
    var config = "/etc/pointsman/pointsman.toml"
    @Flag(help: "Print JSON: an array of findings.")
    var json = false

    func run() throws {
        let findings = try findings()
        if json {
            print(JSON.array(Finding.columns, findings.map(\.fields)))
        } else if findings.isEmpty {
            // For people; a script sees nothing where there is nothing to do.
            if isatty(STDOUT_FILENO) == 1 { print("nothing to change") }
        } else {
            print(findings.map(\.text).joined(separator: "\n\n"))
        }
        if findings.contains(where: { $0.level == .wrong }) { throw ExitStatus.runtime.asError }
    }

    private func findings() throws -> [Finding] {
        ServerConnection.clearEnvironment()
        switch SettingsFile.check(config) {
        case .ready(let snapshot):
            let settings = snapshot.settings
            return Diagnosis.findings(settings, Examination(settings).evidence())
        case .refused(let complaints):
            for complaint in complaints { printError(complaint) }
            throw ExitStatus.badSettings.asError
        }
    }
}
