import ArgumentParser
import Daemon

struct Route: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which way statements would go, without running them.")

    @Option(name: [.short, .customLong("config")], help: "The settings file; without it there are no rules.")
    var config: String?
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "Statements.")
    var sql: [String]

    func run() throws {
        let judge = OfflineJudge(try settings())
        let columns = ExplanationTable.columns
        let rows = sql.map { ExplanationTable.row(judge.explain($0)) }
        if json {
            print(JSON.array(columns, rows))
            return
        }
        for (statement, row) in zip(sql, rows) {
            if sql.count > 1 { print("\(statement)") }
            for (column, value) in zip(columns, row) {
                guard let value, !value.isEmpty else { continue }
                print("  \(column)\(String(repeating: " ", count: 18 - column.count))\(value)")
            }
        }
    }

    private func settings() throws -> CheckedSettings? {
        guard let config else { return nil }
        switch SettingsFile.check(config) {
        case .ready(let settings): return settings
        case .refused(let complaints):
            for complaint in complaints { printError(complaint) }
            throw ExitStatus.badSettings.asError
        }
    }
}
