import Foundation

/// One thread of a `PairLoad`: its connections, its rows, its late reads.
struct PairThread {
    /// A write that was acknowledged and has yet to be read.
    private struct Pair {
        let kind: PairKind
        let row: Int
        let value: Int
        /// What its read asks for: `@after=…`, `@session=…` or nothing.
        let floor: String
        var due = ContinuousClock.now
    }

    /// Connections that are used in turn, each for a while: then a new one takes its place.
    private struct Clients {
        let socket: String
        var open: [LineClient] = []

        mutating func next() throws -> LineClient {
            if open.count < 3 || Int.random(in: 0..<16) == 0 {
                if open.count >= 3 { open.remove(at: Int.random(in: 0..<open.count)).close() }
                open.append(try LineClient(socket))
            }
            return open[Int.random(in: 0..<open.count)]
        }
    }

    private let load: PairLoad
    private let number: Int
    private let update: String
    private let select: String
    private var writers: [Clients]
    private var readers: [Clients]
    private var rows: [Int]
    private var late: [Pair] = []
    private var tally = PairTally()

    init(_ load: PairLoad, _ number: Int) throws {
        self.load = load
        self.number = number
        update = "UPDATE \(load.table) SET value = $2 WHERE slot = $1"
        select = "SELECT value FROM \(load.table) WHERE slot = $1"
        writers = load.plan.sockets.map { Clients(socket: $0) }
        readers = writers
        rows = Array((number * PairLoad.rowsPerThread)..<((number + 1) * PairLoad.rowsPerThread))
    }

    mutating func run() throws -> PairTally {
        while let kind = load.plan.kinds.randomElement(), let value = load.nextValue(for: kind) {
            guard let row = rows.popLast() else {
                throw TestFailure("no row is left: too many writes whose outcome is unknown")
            }
            switch kind {
            case .ownWrite: try ownWrite(row, value)
            case .late:
                if var pair = try write(kind, row, value) {
                    pair.due += .milliseconds(Int.random(in: load.plan.lateness))
                    late.append(pair)
                }
            default:
                if let pair = try write(kind, row, value) { try read(pair) }
            }
            while let index = late.firstIndex(where: { $0.due <= .now }) { try read(late.remove(at: index)) }
            // At a high pace the rows would not suffice: then some come early.
            while rows.count < 16, !late.isEmpty { try read(late.removeFirst()) }
        }
        for pair in late.sorted(by: { $0.due < $1.due }) {
            let left = (pair.due - .now).milliseconds
            if left > 0 { usleep(UInt32(left) * 1000) }
            try read(pair)
        }
        return tally
    }

    // MARK: Writing

    /// Writes the row; nil when it failed, or nobody can say what a read of it must see.
    private mutating func write(_ kind: PairKind, _ row: Int, _ value: Int) throws -> Pair? {
        let daemon = Int.random(in: 0..<writers.count)
        let client = try writers[daemon].next()
        let values = ["\(row)", "\(value)"]
        if kind == .session {
            // The number of the daemon is part of the key: it alone knows it.
            let floor = "@session=p\(number).\(row)-\(daemon)"
            let answer = try client.query(update, values, options: floor)
            return applied(answer, row) ? Pair(kind: kind, row: row, value: value, floor: floor) : nil
        }
        let answer: Answer
        if kind == .transaction {
            let ids = (0..<3).map { _ in client.freshID() }
            try client.send(
                LineClient.request("BEGIN", ids[0]) + LineClient.request("Q", ids[1], "", update, values)
                    + LineClient.request("COMMIT", ids[2], "@token"))
            let answers = try ids.map { try client.answer(to: $0) }
            // The commit of a failed transaction only says that it failed: the cause stands before it.
            answer = answers.first { $0.problem != nil && $0.problem?.retry != .tx } ?? answers[2]
        } else {
            answer = try client.query(update, values, options: kind == .careless ? "" : "@token")
        }
        guard applied(answer, row) else { return nil }
        if kind == .careless { return Pair(kind: kind, row: row, value: value, floor: "") }
        guard let token = answer["token"] else {
            tally.withoutToken += 1
            rows.append(row)
            return nil
        }
        let wait = load.plan.wait.map { " @wait=\($0)" } ?? ""
        return Pair(kind: kind, row: row, value: value, floor: "@after=\(token)\(wait)")
    }

    /// Whether it succeeded. A row whose write may yet be applied is not used again.
    private mutating func applied(_ answer: Answer, _ row: Int) -> Bool {
        guard let problem = answer.problem else { return true }
        if problem.retry != .unknown { rows.append(row) }
        tally.failed(problem, "write")
        return false
    }

    // MARK: Reading

    private mutating func read(_ pair: Pair) throws {
        defer { rows.append(pair.row) }
        let daemon =
            pair.kind == .session
            ? Int(pair.floor.split(separator: "-").last ?? "") ?? 0 : Int.random(in: 0..<readers.count)
        let client = try readers[daemon].next()
        let start = ContinuousClock.now
        let answer: Answer
        switch pair.kind {
        case .readOnly, .repeatableRead:
            answer = try client.first(select, ["\(pair.row)"], ofReadOnly: pair.kind, after: pair.floor)
        default:
            answer = try client.query(select, ["\(pair.row)"], options: pair.floor)
        }
        record(answer, of: pair, since: start)
    }

    private mutating func ownWrite(_ row: Int, _ value: Int) throws {
        let daemon = Int.random(in: 0..<writers.count)
        let client = try writers[daemon].next()
        let ids = [client.freshID(), client.freshID()]
        let write = LineClient.request("Q", ids[0], "", update, ["\(row)", "\(value)"])
        let read = LineClient.request("Q", ids[1], "", select, ["\(row)"])
        let together = Bool.random()
        try client.send(together ? write + read : write)
        let written = try client.answer(to: ids[0])
        let start = ContinuousClock.now
        if !together { try client.send(read) }
        let answer = try client.answer(to: ids[1])
        guard applied(written, row) else { return }
        defer { rows.append(row) }
        record(answer, of: Pair(kind: .ownWrite, row: row, value: value, floor: ""), since: start)
    }

    private mutating func record(_ answer: Answer, of pair: Pair, since start: ContinuousClock.Instant) {
        let isStale = tally.count(answer, pair.kind, since: start, floor: pair.floor) { seen in
            seen == pair.value ? nil : "wrote \(pair.value), read \(seen.map(String.init) ?? "nothing")"
        }
        if answer.problem == nil { load.countPair(stale: isStale) }
    }
}
