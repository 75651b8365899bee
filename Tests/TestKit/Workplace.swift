import Foundation
import Synchronization

/// Where the project, its built programs and the files of this test run are.
package enum Workplace {
    /// The root of the project: this file lies in `Tests/TestKit`.
    package static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The folder of built programs: SwiftPM puts the test bundle, an executable on Linux, beside them.
    package static let products = URL(fileURLWithPath: "/proc/self/exe")
        .resolvingSymlinksInPath().deletingLastPathComponent().path

    /// The daemon; `POINTSMAN_BINARY` names another build of it.
    package static let pointsman = environment("POINTSMAN_BINARY") ?? "\(products)/pointsman"

    package static func environment(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// One folder for all that this run writes, ended with the run. Its path is short, because the path of a Unix
    /// socket has 107 bytes at most, and open to all, because PostgreSQL runs as another user when root tests.
    package static let folder: String = {
        var template = Array("/tmp/pointsman-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
        Watchdog.shared.remember(.folder, path)
        return path
    }()

    private static let counter = Atomic<Int>(0)

    /// A name that no other part of this run has, for files and folders.
    package static func unique(_ prefix: String) -> String {
        "\(prefix)\(counter.add(1, ordering: .relaxed).newValue)"
    }

    /// A new folder inside `folder`.
    package static func newFolder(_ prefix: String) throws -> String {
        let path = "\(folder)/\(unique(prefix))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// A name of exactly eight characters for a table, the length of `msgs_msg`: error positions stay the same.
    package static func uniqueTable() -> String {
        let digits = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        var number = counter.add(1, ordering: .relaxed).newValue
        var name: [Character] = []
        for _ in 0..<7 {
            name.append(digits[number % digits.count])
            number /= digits.count
        }
        return String(["t"] + name.reversed())
    }
}

/// Ends what a test run started, also when it crashes or is killed.
///
/// A shell in its own session reads what there is to end from a pipe whose other end only this process holds; when the
/// pipe ends, for whatever reason, it ends all of that. Nothing has to be caught, so nothing can be missed.
package final class Watchdog: Sendable {
    package enum Charge: String {
        case process, cluster, folder
    }

    package static let shared = Watchdog()

    private let pipe: Int32
    private let shell: pid_t

    private static let script = """
        declare -A process cluster folder
        while read -r sign kind value; do
          case "$sign$kind" in
            +process) process[$value]=1 ;; -process) unset "process[$value]" ;;
            +cluster) cluster[$value]=1 ;; -cluster) unset "cluster[$value]" ;;
            +folder) folder[$value]=1 ;; -folder) unset "folder[$value]" ;;
          esac
        done
        for p in "${!process[@]}"; do kill -KILL "$p"; done
        for d in "${!cluster[@]}"; do "$0" down "$d"; done
        if [ -z "${POINTSMAN_KEEP:-}" ]; then
          for d in "${!folder[@]}"; do rm -rf -- "$d"; done
        fi
        """

    private init() {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { preconditionFailure("pipe") }
        pipe = ends[1]
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        do {
            shell = try spawn(
                "/bin/bash", ["-c", Watchdog.script, "\(Workplace.root)/deploy/cluster"], input: ends[0],
                output: nil, newSession: true)
        } catch {
            preconditionFailure("watchdog: \(error)")
        }
        close(ends[0])
        atexit { Watchdog.shared.end() }
    }

    package func remember(_ kind: Charge, _ value: String) { say("+", kind, value) }

    package func forget(_ kind: Charge, _ value: String) { say("-", kind, value) }

    /// Lines are shorter than PIPE_BUF, so writes of several threads do not mix.
    private func say(_ sign: String, _ kind: Charge, _ value: String) {
        let line = Array("\(sign) \(kind.rawValue) \(value)\n".utf8)
        _ = line.withUnsafeBytes { write(pipe, $0.baseAddress, $0.count) }
    }

    /// At a normal end the run waits, so that nothing of it is left when its caller goes on.
    private func end() {
        close(pipe)
        var status: Int32 = 0
        for _ in 0..<3000 where waitpid(shell, &status, WNOHANG) == 0 {
            usleep(10_000)
        }
    }
}
