/// What `deploy/bench` tells this program.
struct Options {
    var socket = ""
    var reads = ""
    var writes = ""
    var daemonPID: Int?
    var pgbouncerPID: Int?
    var rows = 100_000
    var writePercent = 0
    var rounds = 5
    var seconds = 2.0
    var allocations: String?
    /// Where the members of bench.json go, a line each; appended.
    var out: String?
    var figures: [String] = []

    var nanoseconds: UInt64 { UInt64(seconds * 1e9) }

    static let usage = """
        usage: Bench --socket PATH --reads CONNINFO [--writes CONNINFO] [--daemon-pid N] [--pgbouncer-pid N] [--rows N]
                     [--write-percent N] [--rounds N] [--seconds S] [--allocations FILE] [--out FILE]
                     [F1 F2 F3 F4 F6 F6b F7 F8 F9 F14]
        deploy/bench starts what it needs and calls it.
        """

    init(_ arguments: [String]) throws(BenchError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                guard Figures.all.contains(argument) else { throw BenchError("no figure \(argument)\n\(Self.usage)") }
                figures.append(argument)
                continue
            }
            guard let value = rest.popFirst() else { throw BenchError("\(argument) wants a value\n\(Self.usage)") }
            switch argument {
            case "--socket": socket = value
            case "--reads": reads = value
            case "--writes": writes = value
            case "--daemon-pid": daemonPID = try Self.number(argument, value)
            case "--pgbouncer-pid": pgbouncerPID = try Self.number(argument, value)
            case "--rows": rows = try Self.number(argument, value)
            case "--write-percent": writePercent = try Self.number(argument, value)
            case "--rounds": rounds = try Self.number(argument, value)
            case "--seconds":
                guard let number = Double(value), number > 0, number <= 3600 else {
                    throw BenchError("--seconds: not a number of seconds: \(value)")
                }
                seconds = number
            case "--allocations": allocations = value
            case "--out": out = value
            default: throw BenchError("unknown option \(argument)\n\(Self.usage)")
            }
        }
        if figures.isEmpty { figures = Figures.all }
        guard figures.allSatisfy(Figures.offline.contains) || !(socket.isEmpty || reads.isEmpty) else {
            throw BenchError("--socket and --reads are needed\n\(Self.usage)")
        }
    }

    private static func number(_ option: String, _ value: String) throws(BenchError) -> Int {
        guard let number = Int(value), number >= 0 else { throw BenchError("\(option): not a number: \(value)") }
        return number
    }
}
