import Foundation
import Synchronization
import TestKit

/// Progress and complaints, on standard error: the table is standard output's.
func say(_ text: String) { FileHandle.standardError.write(Data("freshness: \(text)\n".utf8)) }

/// A line that is written over again and again while the load runs, on a terminal only.
func watch(
    _ progress: () -> (done: Int, stale: Int), as name: String, of pairs: Int, until ended: DispatchSemaphore
) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    let start = ContinuousClock.now
    while ended.wait(timeout: .now() + .milliseconds(500)) == .timedOut {
        let (done, stale) = progress()
        let pace = done * 1000 / max(1, (ContinuousClock.now - start).milliseconds)
        let line = "\r\(name): \(done) of \(pairs) pairs, \(stale) stale, \(pace) a second   "
        FileHandle.standardError.write(Data(line.utf8))
    }
    FileHandle.standardError.write(Data("\r\u{1b}[K".utf8))
}

func measure(_ scenario: FreshnessRig.Scenario, _ options: Options) throws -> Report {
    say("\(scenario.rawValue): starting a cluster and two daemons")
    let rig = try FreshnessRig()
    // The daemons shall have known the cluster as it was.
    _ = try rig.load(pairs: 1_000, within: .seconds(30)).run()
    try rig.bring(about: scenario, forPairs: options.pairs)
    let limit = Duration.seconds(options.seconds)
    let progress: @Sendable () -> (done: Int, stale: Int)
    let run: () throws -> PairTally
    if scenario == .race {
        let race = CommitRace(rig, scenario.kinds, reads: options.pairs, within: limit)
        (progress, run) = ({ race.progress }, { try race.run() })
    } else {
        let load = rig.load(scenario.kinds, pairs: options.pairs, within: limit)
        (progress, run) = ({ load.progress }, { try load.run() })
    }
    let ended = DispatchSemaphore(value: 0)
    let watched = DispatchSemaphore(value: 0)
    Thread {
        watch(progress, as: scenario.rawValue, of: options.pairs, until: ended)
        watched.signal()
    }.start()
    defer {
        ended.signal()
        watched.wait()
    }
    let start = ContinuousClock.now
    let tally = try run()
    return Report(scenario, tally, took: ContinuousClock.now - start)
}

signal(SIGPIPE, SIG_IGN)
do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    var reports: [Report] = []
    for scenario in options.scenarios { reports.append(try measure(scenario, options)) }
    print(Report.header)
    for report in reports { print(report.line) }
    for remark in reports.flatMap(\.remarks) { print(remark) }
    if let file = options.json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(reports).write(to: URL(fileURLWithPath: file))
    }
    exit(reports.allSatisfy { $0.stale == 0 && $0.pairs > 0 } ? 0 : 1)
} catch let wrong as Options.Wrong {
    say("\(wrong.description)\n\(Options.usage)")
    exit(64)
} catch {
    say("\(error)")
    exit(2)
}
