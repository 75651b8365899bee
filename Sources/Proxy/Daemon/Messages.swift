import Logging
import Settings

/// From the main thread to a worker.
enum WorkerMessage: Sendable {
    /// Answer with `statements`: a reload wants to know what it moves.
    case describeStatements
    /// Settings that passed every check; `askers` are the exchanges of RELOAD requests, none for a signal.
    case adopt(Snapshot, ReloadPreview, askers: [UInt64])
    case reloadRefused([String], askers: [UInt64])
    case drain
    case exit
    case logLevel(Logger.Level)
    /// Write the state to the log.
    case describe
}

/// From a worker to the main thread.
enum MainMessage: Sendable {
    case reload(asker: UInt64)
    case statements([ReplayedCall], learned: [LearnedCall])
    case logLevel(Logger.Level)
    case ended(ExitStatus)
}

enum ReloadReport {
    case applied(ReloadPreview)
    /// One `file:line:column: message` each.
    case refused([String])
}

/// Exit codes (sysexits.h where it has one).
package enum ExitStatus: Int32, Sendable {
    case drained = 0
    case runtime = 1
    case usage = 64
    case noUsablePool = 69
    case cannotBind = 73
    case badSettings = 78
}

/// Why the daemon does not start.
package struct StartError: Error {
    package let code: ExitStatus
    package let message: String

    init(_ code: ExitStatus, _ message: String) {
        self.code = code
        self.message = message
    }
}

package enum Version {
    package static let current = "0.1.0"
}
