/// Both sides in turn in one run: a shared machine's noise hits both alike, and the median of the rounds' ratios is the
/// figure.
struct Comparison {
    struct Round {
        var direct: Measurement
        var line: Measurement
    }

    let options: Options
    let clients: Int

    /// Nanoseconds that one side works at a stretch: many times what one request takes.
    private var sliceLength: UInt64 { clients > 100 ? 1_000_000_000 : 250_000_000 }

    func rounds() throws(BenchError) -> [Round] {
        let workload = Workload(rows: options.rows, writePercent: options.writePercent)
        var direct = try DirectClients(
            clients: clients, reads: options.reads, writes: options.writes, workload: workload, seed: 1)
        var line = try LineClients(clients: clients, socket: options.socket, workload: workload, seed: 2)
        let pgbouncer = options.pgbouncerPID.map { ProcessTimes(pid: $0) }
        let daemon = options.daemonPID.map { ProcessTimes(pid: $0) }
        var rounds: [Round] = []
        for number in 0..<options.rounds {
            var round = Round(direct: Measurement(), line: Measurement())
            // Slices in turn: a shared machine is slower for seconds at a time, and both sides shall have their part.
            for slice in 0..<max(1, Int(options.nanoseconds / sliceLength)) {
                let isDirectFirst = (number + slice) % 2 == 0
                if isDirectFirst { round.direct.add(try measure(&direct, pgbouncer)) }
                round.line.add(try measure(&line, daemon))
                if !isDirectFirst { round.direct.add(try measure(&direct, pgbouncer)) }
            }
            try Self.check(round)
            rounds.append(round)
            report(
                "\(clients) clients, round \(number + 1) of \(options.rounds): "
                    + "direct \(decimal(round.direct.rate, digits: 0))/s p50 \(decimal(round.direct.p50, digits: 0)) µs, "
                    + "Pointsman \(decimal(round.line.rate, digits: 0))/s p50 \(decimal(round.line.p50, digits: 0)) µs")
        }
        return rounds
    }

    private func measure(_ side: inout some LoadGenerator, _ process: ProcessTimes?) throws(BenchError) -> Measurement {
        try side.measure(warmUp: sliceLength / 5, duration: sliceLength, process: process)
    }

    /// A figure over errors would be none.
    private static func check(_ round: Round) throws(BenchError) {
        for (name, side) in [("direct", round.direct), ("Pointsman", round.line)] {
            if let error = side.firstError { throw BenchError("\(name): \(side.errors) errors, the first: \(error)") }
            guard !side.latencies.isEmpty else { throw BenchError("\(name): nothing was answered") }
        }
    }
}

extension [Comparison.Round] {
    func medianOf(_ value: (Comparison.Round) -> Double) -> Double { median(map(value)) }

    var throughputDetail: String {
        "direct \(decimal(medianOf { $0.direct.rate }, digits: 0))/s, "
            + "Pointsman \(decimal(medianOf { $0.line.rate }, digits: 0))/s"
    }
}
