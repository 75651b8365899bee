import Glibc

/// What a wish for freshness costs: the same requests with an option and without, from the same daemon in turn.
struct FreshnessCost {
    struct Round {
        var plain = Measurement()
        var wishing = Measurement()
    }

    let options: Options

    /// Nanoseconds that one side works at a stretch, as in `Comparison`.
    private static let sliceLength: UInt64 = 250_000_000

    func figures(_ ids: [String]) throws(BenchError) -> [Figure] {
        var figures: [Figure] = []
        if ids.contains("F6") {
            // An old one: what is measured is the check, not the wait for replay.
            let token = try replayedToken()
            let wish = "@after=\(token)"
            figures.append(
                throughput(
                    "F6", "throughput, 64 readers, @after / without", try rounds(64, wish, writing: false))
            )
            figures.append(addedLatency(try rounds(1, wish, writing: false)))
            guard try isOnStandby(token) else { throw BenchError("the standbys did not serve the token to the end") }
        }
        if ids.contains("F6b") {
            figures.append(
                throughput("F6b", "throughput, 64 writers, @token / without", try rounds(64, "@token", writing: true)))
        }
        return figures
    }

    private func throughput(_ id: String, _ name: String, _ rounds: [Round]) -> Figure {
        Figure(
            id: id, name: name, unit: "ratio", reach: 0.9, isCeiling: false,
            rounds: rounds.map { $0.wishing.rate / $0.plain.rate },
            detail: "without \(decimal(median(rounds.map { $0.plain.rate }), digits: 0))/s, "
                + "with \(decimal(median(rounds.map { $0.wishing.rate }), digits: 0))/s")
    }

    private func addedLatency(_ rounds: [Round]) -> Figure {
        Figure(
            id: "F6.1", name: "p50 that @after adds to a lone read", unit: "µs", reach: 40, isCeiling: true,
            rounds: rounds.map { $0.wishing.p50 - $0.plain.p50 },
            detail: "without \(decimal(median(rounds.map { $0.plain.p50 }), digits: 1)) µs, "
                + "with \(decimal(median(rounds.map { $0.wishing.p50 }), digits: 1)) µs")
    }

    // MARK: Measuring

    private func rounds(_ clients: Int, _ wish: String, writing: Bool) throws(BenchError) -> [Round] {
        let workload = Workload(rows: options.rows, writePercent: writing ? 100 : 0)
        var plain = try LineClients(clients: clients, socket: options.socket, workload: workload, seed: 1)
        var wishing = try LineClients(
            clients: clients, socket: options.socket, workload: workload, seed: 2, options: wish)
        var rounds: [Round] = []
        for number in 0..<options.rounds {
            var round = Round()
            for slice in 0..<max(1, Int(options.nanoseconds / Self.sliceLength)) {
                let isPlainFirst = (number + slice) % 2 == 0
                if isPlainFirst { round.plain.add(try measure(&plain)) }
                round.wishing.add(try measure(&wishing))
                if !isPlainFirst { round.plain.add(try measure(&plain)) }
            }
            for side in [round.plain, round.wishing] {
                if let error = side.firstError { throw BenchError("\(side.errors) errors, the first: \(error)") }
                guard !side.latencies.isEmpty else { throw BenchError("nothing was answered") }
            }
            rounds.append(round)
            report(
                "\(clients) clients, \(writing ? "writes" : "reads"), round \(number + 1) of \(options.rounds): "
                    + "without \(decimal(round.plain.rate, digits: 0))/s p50 \(decimal(round.plain.p50, digits: 0)) µs, "
                    + "with \(decimal(round.wishing.rate, digits: 0))/s p50 \(decimal(round.wishing.p50, digits: 0)) µs"
            )
        }
        return rounds
    }

    private func measure(_ side: inout LineClients) throws(BenchError) -> Measurement {
        try side.measure(warmUp: Self.sliceLength / 5, duration: Self.sliceLength)
    }

    // MARK: A token that every standby has

    private func replayedToken() throws(BenchError) -> String {
        let reply = try LineClients.answer(to: "Q 1 @token \(Workload.update)\t1", socket: options.socket)
        guard let token = Self.attribute("token", in: reply) else { throw BenchError("no token: \(reply)") }
        let end = Clock.now &+ 20_000_000_000
        // One after the other on either standby: a few in a row were on both.
        var inARow = 0
        while inARow < 10 {
            guard Clock.now < end else { throw BenchError("the standbys do not serve \(token)") }
            inARow = try isOnStandby(token) ? inARow + 1 : 0
        }
        return token
    }

    private func isOnStandby(_ token: String) throws(BenchError) -> Bool {
        let reply = try LineClients.answer(to: "Q 1 @after=\(token) \(Workload.select)\t1", socket: options.socket)
        return Self.attribute("pool", in: reply) == "standby"
    }

    /// The value of an attribute of a C line.
    private static func attribute(_ key: String, in reply: String) -> String? {
        reply.split(whereSeparator: { $0 == "\t" || $0 == "\n" }).first { $0.hasPrefix("\(key)=") }.map {
            String($0.dropFirst(key.utf8.count + 1))
        }
    }
}
