import Glibc

/// The figures that this program measures, by the ids of the project's list.
enum Figures {
    static let all = ["F1", "F2", "F3", "F4", "F6", "F6b", "F7", "F8", "F9", "F14"]
    /// Those that need no server.
    static let offline = ["F7", "F14"]

    static func measure(_ ids: [String], _ options: Options) throws(BenchError) -> [Figure] {
        var figures: [Figure] = []
        if ids.contains("F1") || ids.contains("F4") {
            let rounds = try Comparison(options: options, clients: 64).rounds()
            if ids.contains("F1") { figures.append(throughput("F1", rounds, clients: 64, reach: 2.0)) }
            if ids.contains("F4") { figures.append(processorTime(rounds)) }
        }
        if ids.contains("F2") {
            for (clients, reach) in [(1, 0.9), (4, 0.95), (16, 1.2), (256, 2.0), (1000, 2.0)] {
                let rounds = try Comparison(options: options, clients: clients).rounds()
                figures.append(throughput("F2.\(clients)", rounds, clients: clients, reach: reach))
            }
        }
        if ids.contains("F3") { figures.append(latency(try Comparison(options: options, clients: 1).rounds())) }
        if ids.contains("F6") || ids.contains("F6b") { figures += try FreshnessCost(options: options).figures(ids) }
        if !ids.filter(offline.contains).isEmpty { figures += try Judging(rounds: options.rounds).figures(ids) }
        if ids.contains("F9") { figures.append(try idleClients(options, count: 10_000)) }
        if ids.contains("F8") { figures.append(try allocations(options)) }
        return figures
    }

    private static func throughput(_ id: String, _ rounds: [Comparison.Round], clients: Int, reach: Double) -> Figure {
        Figure(
            id: id, name: "throughput, \(clients) clients, point select / direct", unit: "ratio", reach: reach,
            isCeiling: false, rounds: rounds.map { $0.line.rate / $0.direct.rate }, detail: rounds.throughputDetail)
    }

    private static func latency(_ rounds: [Comparison.Round]) -> Figure {
        Figure(
            id: "F3", name: "latency, 1 client, p50, point select / direct", unit: "ratio", reach: 1.2, isCeiling: true,
            rounds: rounds.map { $0.line.p50 / $0.direct.p50 },
            detail: "direct \(decimal(rounds.medianOf { $0.direct.p50 }, digits: 1)) µs, "
                + "Pointsman \(decimal(rounds.medianOf { $0.line.p50 }, digits: 1)) µs")
    }

    private static func processorTime(_ rounds: [Comparison.Round]) -> Figure {
        Figure(
            id: "F4", name: "CPU of the daemon / of PgBouncer when direct", unit: "ratio", reach: 1.0, isCeiling: true,
            rounds: rounds.map { $0.line.processMicroseconds / $0.direct.processMicroseconds },
            detail: "PgBouncer \(decimal(rounds.medianOf { $0.direct.processMicroseconds }, digits: 1)) µs a query, "
                + "daemon \(decimal(rounds.medianOf { $0.line.processMicroseconds }, digits: 1)) µs a request")
    }

    /// Resident memory of a daemon that holds idle clients and nothing else.
    private static func idleClients(_ options: Options, count: Int) throws(BenchError) -> Figure {
        guard let pid = options.daemonPID else { throw BenchError("F9 needs --daemon-pid") }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let daemon = ProcessTimes(pid: pid)
        let before = daemon.residentBytes()
        let workload = Workload(rows: options.rows, writePercent: 0)
        // Each client has had its answer before it idles, 50 of them at a time: what a crowd at work needs is no figure
        // of idle clients.
        var groups: [LineClients] = []
        var answers = Measurement()
        for group in 0..<(count / 50) {
            var clients = try LineClients(
                clients: 50, socket: options.socket, workload: workload, seed: UInt64(group))
            try clients.run(until: 0, recording: &answers)
            groups.append(clients)
        }
        if let error = answers.firstError { throw BenchError("\(answers.errors) errors, the first: \(error)") }
        let after = withExtendedLifetime(groups) { daemon.residentBytes() }
        return Figure(
            id: "F9", name: "resident memory with \(count) idle clients", unit: "MB", reach: 24, isCeiling: true,
            rounds: [Double(after) / 1e6],
            detail: "\(decimal(Double(before) / 1e6, digits: 1)) MB before, "
                + "\(decimal(Double(after - before) / Double(count), digits: 0)) bytes a client")
    }

    /// Allocations that are not libpq's own, for each request of warm connections. The daemon under test has allocations.c
    /// loaded.
    private static func allocations(_ options: Options) throws(BenchError) -> Figure {
        guard let path = options.allocations else { throw BenchError("F8 needs --allocations") }
        let counts = try AllocationCounts(file: path)
        let workload = Workload(rows: options.rows, writePercent: options.writePercent)
        var line = try LineClients(clients: 64, socket: options.socket, workload: workload, seed: 3)
        _ = try line.measure(warmUp: 1_000_000_000, duration: options.nanoseconds)
        var rounds: [Double] = []
        var byOwner: [String: UInt64] = [:]
        var requests = 0
        for _ in 0..<options.rounds {
            let before = counts.current()
            let side = try line.measure(warmUp: 0, duration: options.nanoseconds)
            if let error = side.firstError { throw BenchError("\(side.errors) errors, the first: \(error)") }
            var others: UInt64 = 0
            for (owner, count) in counts.current() {
                let grown = count &- (before[owner] ?? 0)
                byOwner[owner, default: 0] += grown
                if !owner.hasPrefix("libpq.so") { others += grown }
            }
            rounds.append(Double(others) / Double(side.answered))
            requests += side.answered
        }
        // libpq allocates for each result: a count without it has seen nothing.
        let ofLibpq = byOwner.filter { $0.key.hasPrefix("libpq.so") }.values.reduce(0, +)
        guard Double(ofLibpq) >= Double(requests) else {
            throw BenchError("\(ofLibpq) allocations of libpq in \(requests) requests: the counter does not see them")
        }
        let owners = byOwner.filter { $0.value * 1000 > UInt64(requests) }.sorted { $0.value > $1.value }
        return Figure(
            id: "F8", name: "heap allocations a request, libpq's own aside", unit: "a request", reach: 0,
            isCeiling: true,
            rounds: rounds.map { ($0 * 100).rounded() / 100 },
            detail: owners.map { "\($0.key) \(decimal(Double($0.value) / Double(requests)))" }.joined(separator: ", "))
    }
}
