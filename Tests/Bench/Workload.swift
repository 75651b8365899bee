/// The statements that both sides send: a point select by primary key, and for the write mix an update of one row.
///
/// `deploy/bench` makes the table: `bench_item(id int primary key, balance int, touched int, filler text)` with
/// `balance = id * 7 + 13`, so that each answer can be checked against its key: a load generator that mixes replies up
/// measures nothing.
struct Workload {
    static let select = "SELECT balance FROM bench_item WHERE id = $1"
    static let update = "UPDATE bench_item SET touched = touched + 1 WHERE id = $1"

    let rows: Int
    /// Updates in a hundred statements.
    let writePercent: Int

    static func balance(of key: Int) -> Int { key &* 7 &+ 13 }
}

/// What one side did in one measured time.
struct Measurement {
    /// Requests that were answered, those behind the deadline too.
    var answered = 0
    var errors = 0
    /// Nanoseconds that were measured.
    var duration: UInt64 = 0
    /// Nanoseconds of each request that was answered in that time.
    var latencies: [UInt32] = []
    /// Nanoseconds of CPU of the watched process, 0 without one.
    var processTime: UInt64 = 0
    /// The first error's text.
    var firstError: String?

    var rate: Double { duration == 0 ? 0 : Double(latencies.count) * 1e9 / Double(duration) }
    /// Microseconds of the watched process's CPU for each request.
    var processMicroseconds: Double { answered == 0 ? 0 : Double(processTime) / 1000 / Double(answered) }

    /// The middle request's microseconds.
    var p50: Double {
        guard !latencies.isEmpty else { return 0 }
        return Double(latencies.sorted()[latencies.count / 2]) / 1000
    }

    mutating func add(_ other: Measurement) {
        answered += other.answered
        errors += other.errors
        duration += other.duration
        latencies += other.latencies
        processTime += other.processTime
        firstError = firstError ?? other.firstError
    }
}

/// A number of connections with one request in flight on each.
protocol LoadGenerator {
    /// Sends one request on every connection and keeps each busy until `deadline`; then takes the answers that are left,
    /// which count for CPU and errors only.
    mutating func run(until deadline: UInt64, recording: inout Measurement) throws(BenchError)
}

extension LoadGenerator {
    /// Warms up, then measures.
    mutating func measure(
        warmUp: UInt64, duration: UInt64, process: ProcessTimes? = nil
    ) throws(BenchError) -> Measurement {
        var ignored = Measurement()
        if warmUp > 0 { try run(until: Clock.now &+ warmUp, recording: &ignored) }
        if let error = ignored.firstError { throw BenchError("in the warm-up: \(error)") }
        var measurement = Measurement()
        measurement.latencies.reserveCapacity(50_000)
        let timeBefore = process?.cpuNanoseconds() ?? 0
        let start = Clock.now
        try run(until: start &+ duration, recording: &measurement)
        measurement.duration = duration
        measurement.processTime = (process?.cpuNanoseconds() ?? 0) &- timeBefore
        return measurement
    }
}
