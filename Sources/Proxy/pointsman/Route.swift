import ArgumentParser
import Daemon
import Glibc

struct Route: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which way statements would go, and why, without running them.",
        discussion: """
            Without statements they are read from standard input, one a line in the escapes of PostgreSQL's COPY \
            (\\n \\t \\r \\\\), and each is answered at once by one line: read, write, refused or unknown (it was not \
            parsed, and goes where writes go), the pool, and the reason, with tabs between.
            """)

    @Option(name: [.short, .customLong("config")], help: "The settings file; without it there are no rules.")
    var config: String?
    @Option(help: "Judge for a connection that named this app in HELLO.")
    var app = ""
    @Option(help: "Judge for a connection to this listener.")
    var listen = ""
    @Option(help: "Judge for a process of this user, by name or number.")
    var user = ""
    @Option(help: "Judge as with @tag.")
    var tag = ""
    @Option(help: "Judge as with @using: a cluster.")
    var using = ""
    @Option(help: "Judge as with @route: primary or standby.")
    var route = ""
    @Option(help: "Judge as with @pool.")
    var pool = ""
    @Flag(help: "Print JSON: an array, or for standard input an object a line.")
    var json = false
    @Argument(help: "Statements.")
    var sql: [String] = []

    func validate() throws {
        guard ["", "primary", "standby"].contains(route) else {
            throw ValidationError("--route takes primary or standby")
        }
    }

    func run() throws {
        var asked = AskedAs()
        asked.app = app
        asked.listener = listen
        asked.user = user
        asked.tag = tag
        asked.using = using
        asked.pool = pool
        asked.route = route
        let snapshot = try settings()
        if let problem = OfflineJudge.problem(with: asked, snapshot) { throw ValidationError(problem) }
        let judge = OfflineJudge(snapshot, asked: asked)
        if sql.isEmpty { return try judgeInput(judge) }
        if json {
            let rows = sql.map { ExplanationTable.row(judge.explain($0)) }
            return print(JSON.array(ExplanationTable.columns, rows))
        }
        for (index, statement) in sql.enumerated() {
            if index > 0 { print() }
            if sql.count > 1 { print(statement) }
            print(judge.describe(statement).joined(separator: "\n"))
        }
    }

    private func settings() throws -> Snapshot? {
        guard let config else { return nil }
        switch SettingsFile.check(config) {
        case .ready(let settings): return settings
        case .refused(let complaints):
            for complaint in complaints { printError(complaint) }
            throw ExitStatus.badSettings.asError
        }
    }

    /// A line in, a line out, flushed each time: whoever feeds it may wait for each answer.
    private func judgeInput(_ judge: OfflineJudge) throws {
        guard let input = fdopen(STDIN_FILENO, "r") else { throw ExitStatus.runtime.asError }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while true {
            var count = getline(&line, &capacity, input)
            guard count >= 0, let line else { return }
            if count > 0, line[count - 1] == CChar(bitPattern: UInt8(ascii: "\n")) { count -= 1 }
            let text = UnsafeMutableRawBufferPointer(start: line, count: count)
            let judgement = judge.judgement(of: text)
            try answer(json ? JSON.object(BulkJudgement.columns, judgement.fields) : judgement.line)
        }
    }

    private func answer(_ text: String) throws {
        var rest = Array((text + "\n").utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            // Whoever read the answers has gone.
            guard written >= 0 else { throw ExitStatus.runtime.asError }
            rest = rest.dropFirst(written)
        }
    }
}
