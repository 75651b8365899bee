import Foundation
import Synchronization

/// Starts a program with exactly these three standard files; everything else that tests open is close-on-exec.
///
/// `input` is a descriptor, or nil for /dev/null. `output` is a file for both standard output and error, or nil to share
/// this process's error output; `errorOutput` is one for standard error alone. Gives the PID, and throws `TestFailure`
/// when the program cannot be started.
func spawn(
    _ path: String, _ arguments: [String], environment: [String: String] = [:], input: Int32? = nil, output: String?,
    errorOutput: String? = nil, newSession: Bool = false
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
        posix_spawn_file_actions_adddup2(&actions, input, 0)
    } else {
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    if let output {
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    } else {
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
    }
    if let errorOutput {
        posix_spawn_file_actions_addopen(&actions, 2, errorOutput, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    } else {
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The test runner's threads may block signals; a child must start with none blocked and none ignored.
    var none = sigset_t()
    sigemptyset(&none)
    var defaults = sigset_t()
    sigemptyset(&defaults)
    for number in [SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2] { sigaddset(&defaults, number) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    // POSIX_SPAWN_SETSID of <spawn.h>, which is a macro only under _GNU_SOURCE.
    let ownSession: Int32 = 0x80
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (newSession ? ownSession : 0)
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var all = ProcessInfo.processInfo.environment
    for (name, value) in environment { all[name] = value }
    let argumentPointers: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    let environmentPointers: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0)=\($1)") } + [nil]
    defer { (argumentPointers + environmentPointers).forEach { free($0) } }

    var pid: pid_t = 0
    let code = posix_spawn(&pid, path, &actions, &attributes, argumentPointers, environmentPointers)
    guard code == 0 else { throw TestFailure("cannot start \(path): \(String(cString: strerror(code)))") }
    return pid
}

/// A program that a test started: signalled by its PID only while it is ours, ended at the latest with this object.
package final class ChildProcess: Sendable {
    package enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    package let pid: pid_t
    private let ending = Mutex<Ending?>(nil)

    package init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: Int32? = nil,
        output: String?, errorOutput: String? = nil
    ) throws {
        pid = try spawn(
            path, arguments, environment: environment, input: input, output: output, errorOutput: errorOutput)
        Watchdog.shared.remember(.process, "\(pid)")
    }

    deinit {
        guard poll() == nil else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        Watchdog.shared.forget(.process, "\(pid)")
    }

    /// How it ended, nil while it runs.
    package func poll() -> Ending? {
        ending.withLock { ending in
            if ending != nil { return ending }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            // WIFSIGNALED and kin are macros that Swift does not import.
            let signal = status & 0x7f
            ending = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
            Watchdog.shared.forget(.process, "\(pid)")
            return ending
        }
    }

    /// - Throws: `TestFailure` when it still runs after the time.
    @discardableResult
    package func wait(within duration: Duration = .seconds(10)) throws -> Ending {
        try eventually("the end of process \(pid)", within: duration, every: .milliseconds(2)) { poll() != nil }
        return poll() ?? .exited(-1)
    }

    /// Sends a signal; false when it has ended already.
    @discardableResult
    package func signal(_ number: Int32) -> Bool {
        guard poll() == nil else { return false }
        return kill(pid, number) == 0
    }
}

/// What a finished program said.
package struct CommandResult: Sendable {
    package let ending: ChildProcess.Ending
    package let output: String
    package let errorOutput: String

    /// The exit code; -1 when a signal ended it.
    package var code: Int32 {
        if case .exited(let code) = ending { return code }
        return -1
    }
}

/// Runs a program to its end.
///
/// - Throws: `TestFailure` when it cannot be started or takes longer than the time.
package func run(
    _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
    within duration: Duration = .seconds(30)
) throws -> CommandResult {
    let base = "\(Workplace.folder)/\(Workplace.unique("run-"))"
    var inputFile: Int32?
    if let input {
        try input.write(toFile: "\(base).in", atomically: false, encoding: .utf8)
        inputFile = open("\(base).in", O_RDONLY | O_CLOEXEC)
    }
    defer {
        if let inputFile { close(inputFile) }
        for end in ["in", "out", "err"] { unlink("\(base).\(end)") }
    }
    let child = try ChildProcess(
        path, arguments, environment: environment, input: inputFile, output: "\(base).out",
        errorOutput: "\(base).err")
    let ending = try child.wait(within: duration)
    return CommandResult(
        ending: ending, output: try String(contentsOfFile: "\(base).out", encoding: .utf8),
        errorOutput: try String(contentsOfFile: "\(base).err", encoding: .utf8))
}

/// Facts of a running process, from `/proc`.
package enum ProcessFacts {
    /// Resident memory in KiB.
    package static func residentKiB(_ pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        for line in text.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            if let number = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                Int($0)
            }) {
                return number
            }
        }
        throw TestFailure("no VmRSS for process \(pid)")
    }

    /// Number of open descriptors.
    package static func openFiles(_ pid: pid_t) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }
}
