import ArgumentParser
import Daemon
import Glibc
import Wire

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a running daemon's counters.")

    @OptionGroup var daemon: SocketOptions
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "pools, rules, statements, learned, clients, nodes, pgbouncer, settings or counters.")
    var name = "pools"

    func run() throws {
        try printing {
            var result = try daemon.connect().request(.stats, text: name)
            if !json, result.columns.count > Self.widest { Self.turn(&result) }
            try show(result, json: json)
        }
    }
}

extension Stats {
    /// Tables of more columns are turned, so that they fit a terminal: a line for each column.
    private static let widest = 16

    private static func turn(_ result: inout SocketClient.Result) {
        guard let corner = result.columns.first else { return }
        let heads = result.rows.map { row in
            var head = corner
            let name = row.first.flatMap { $0 } ?? ""
            head.name = name.isEmpty ? "(none)" : name
            return head
        }
        result.rows = result.columns.indices.dropFirst().map { column in
            [result.columns[column].name] + result.rows.map { $0[column] }
        }
        result.columns = [corner] + heads
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a running daemon read its settings again (on an operator socket); SIGHUP does the same.")

    @OptionGroup var daemon: SocketOptions

    func run() throws {
        try printing {
            switch try daemon.connect().request(.reload).end {
            case .failed(let failure): throw SocketClient.Failure(description: failure.message)
            case .completed(let completion):
                func count(_ key: String) -> Int {
                    completion.attributes.first { $0.key == key }.flatMap { Int($0.value) } ?? 0
                }
                var summary = ReloadSummary()
                summary.statements = count("statements")
                summary.moved = count("moved")
                summary.calls = count("calls")
                summary.movedCalls = count("moved_calls")
                print("reloaded; \(summary.text)")
            }
        }
    }
}

struct SQL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "Run statements through a running daemon.",
        discussion: "Without an argument statements are read from standard input, one a line. BEGIN, COMMIT and "
            + "ROLLBACK become the protocol's verbs, with their options: BEGIN @ro.")

    @OptionGroup var daemon: SocketOptions
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "A statement, or - to read a script.")
    var sql: String?

    func run() throws {
        try printing {
            let client = try daemon.connect()
            if let sql, sql != "-" { return try execute(sql, client) }
            let isTerminal = sql == nil && isatty(STDIN_FILENO) == 1
            while true {
                if isTerminal { prompt() }
                guard let line = readLine() else { break }
                let statement = Self.trimmed(line)
                if statement.isEmpty || statement.hasPrefix("--") { continue }
                do {
                    try execute(statement, client)
                } catch let failure as ServerFailure where isTerminal {
                    // A person goes on after a mistake; a script does not.
                    printError(failure.description)
                }
            }
        }
    }

    private func prompt() {
        printWithoutBuffer("pointsman> ")
    }

    private static func trimmed(_ line: String) -> String {
        var text = line[...]
        while let last = text.last, last.isWhitespace || last == ";" { text.removeLast() }
        return String(text.drop { $0.isWhitespace })
    }

    private func execute(_ statement: String, _ client: SocketClient) throws {
        let words = statement.split(separator: " ")
        let verbs: [String: Verb] = ["BEGIN": .begin, "COMMIT": .commit, "ROLLBACK": .rollback]
        if let first = words.first, let verb = verbs[first.uppercased()],
            words.dropFirst().allSatisfy({ $0.hasPrefix("@") })
        {
            return try show(client.request(verb, options: Self.options(words.dropFirst())), json: json)
        }
        try show(client.request(.query, text: statement), json: json)
    }

    private static func options(_ words: ArraySlice<Substring>) throws -> [RequestLine.Option] {
        try words.map { word in
            let parts = word.dropFirst().split(separator: "=", maxSplits: 1)
            guard let name = parts.first, let key = OptionKey.allCases.first(where: { "\($0.name)" == name }) else {
                throw ValidationError("no option \(word)")
            }
            return RequestLine.Option(key, parts.count > 1 ? String(parts[1]) : nil)
        }
    }
}

/// The daemon answered E.
struct ServerFailure: Error, CustomStringConvertible {
    let description: String
}

private func show(_ result: SocketClient.Result, json: Bool) throws {
    for notice in result.notices { printError("\(notice.severity): \(notice.message)") }
    switch result.end {
    case .failed(let failure):
        let more = failure.attributes.filter { ["D", "H"].contains($0.key) }.map { "\n  \($0.value)" }.joined()
        throw ServerFailure(
            description:
                "\(failure.severity) \(failure.sqlstate) (retry: \(failure.retry.name)): \(failure.message)\(more)")
    case .completed(let completion):
        let names = result.columns.map(\.name)
        if json {
            print(JSON.array(names, result.rows))
            return
        }
        if !names.isEmpty { print(TextTable(names, result.rows).text, terminator: "") }
        let count = completion.rows.map { " \($0)" } ?? ""
        let receipt = completion.attributes.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        print("(\(completion.tag)\(count))  \(receipt)")
    }
}

/// Errors of a command go to standard error, with exit code 1.
private func printing(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let failure as SocketClient.Failure {
        printError("pointsman: \(failure.description)")
        throw ExitStatus.runtime.asError
    } catch let failure as ServerFailure {
        printError(failure.description)
        throw ExitStatus.runtime.asError
    }
}

private func printWithoutBuffer(_ text: String) {
    Array(text.utf8).withUnsafeBytes { _ = Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}
