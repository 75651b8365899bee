import EventLoop
import Glibc
import Logging
import Settings
import Synchronization
import Upstream

/// The process: signals, reloads and the worker's thread. The main thread reads and checks settings, so that no request
/// waits for it; the worker gets them whole.
package struct DaemonProcess {
    /// libpg_query needs up to 345 bytes of stack for two bytes of SQL; the longest text that is parsed and a good
    /// margin fit. Only what is touched costs memory.
    private static let workerStack = 64 * 1024 * 1024

    private let file: String
    private let requiresReady: Bool

    /// - Parameters:
    ///   - file: the settings file.
    ///   - requiresReady: end with 69 when no pool has a connection after the longest connect timeout.
    package init(file: String, requiresReady: Bool = false) {
        self.file = file
        self.requiresReady = requiresReady
    }

    /// Serves until a signal or DRAIN ends it.
    package func run() -> ExitStatus {
        signal(SIGPIPE, SIG_IGN)
        ServerConnection.clearEnvironment()
        let snapshot: Snapshot
        switch SettingsFile.check(file) {
        case .refused(let complaints):
            for complaint in complaints { writeError(complaint) }
            return .badSettings
        case .ready(let checked): snapshot = checked
        }
        let log = Self.logger(snapshot.settings)
        do throws(EventLoopError) {
            let main = try MainLoop(file: file, snapshot: snapshot, log: log)
            return try main.run(stack: Self.workerStack, requiresReady: requiresReady)
        } catch {
            log.critical("cannot_start", metadata: ["error": "\(error)"])
            return .runtime
        }
    }

    private func writeError(_ text: String) {
        let line = Array((text + "\n").utf8)
        line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func logger(_ settings: Settings) -> Logger {
        let format: LineLogHandler.Format =
            switch settings.server.logFormat {
            case .json: .json
            case .logfmt: .logfmt
            // JOURNAL_STREAM is what systemd sets for a service whose output goes to the journal.
            case .auto: getenv("JOURNAL_STREAM") == nil ? .logfmt : .journald
            }
        let level = Logger.Level(rawValue: settings.server.logLevel.rawValue) ?? .info
        return Logger(label: "pointsman") { _ in LineLogHandler(format: format, level: level) }
    }
}

/// The main thread's loop: signals in, messages to the worker out.
private final class MainLoop {
    /// Of the statements that a reload moves, those that are called most are named in the log.
    private static let loggedMoves = 20

    private let loop: EventLoop
    private let file: String
    private var running: Snapshot
    private var log: Logger
    private let toWorker: Mailbox<WorkerMessage>
    private let toMain: Mailbox<MainMessage>
    private var signals: [SignalWatch] = []
    private var inbox: MailboxWatch<MainMessage>?
    private var exitCode = ExitStatus.drained
    /// Who wants a reload that has not begun: exchanges of RELOAD requests, nil for a signal.
    private var reloadsWanted: [UInt64?] = []
    /// The reload that waits for the worker to say what was called lately.
    private var underWay: (next: Snapshot, askers: [UInt64])?

    init(file: String, snapshot: Snapshot, log: Logger) throws(EventLoopError) {
        self.file = file
        self.log = log
        running = snapshot
        loop = try EventLoop()
        toWorker = try Mailbox()
        toMain = try Mailbox()
        inbox = MailboxWatch(loop: loop, mailbox: toMain) { [unowned self] in received($0) }
        signals = [
            try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in reloadWanted(by: nil) },
            try SignalWatch(loop: loop, signal: SIGTERM) { [unowned self] in _ = toWorker.post(.drain) },
            try SignalWatch(loop: loop, signal: SIGINT) { [unowned self] in _ = toWorker.post(.exit) },
            try SignalWatch(loop: loop, signal: SIGUSR1) { [unowned self] in raiseLogLevel() },
            try SignalWatch(loop: loop, signal: SIGUSR2) { [unowned self] in _ = toWorker.post(.describe) },
        ]
    }

    func run(stack: Int, requiresReady: Bool) throws(EventLoopError) -> ExitStatus {
        let snapshot = running
        let log = log
        let (toWorker, toMain) = (toWorker, toMain)
        let worker = try Thread(name: "worker", stackSize: stack) {
            toMain.post(.ended(Self.work(snapshot, log, toWorker, toMain, requiresReady)))
        }
        loop.run()
        worker.join()
        return exitCode
    }

    /// The worker's whole life, on its own thread.
    private static func work(
        _ snapshot: Snapshot, _ log: Logger, _ inbox: Mailbox<WorkerMessage>, _ toMain: Mailbox<MainMessage>,
        _ requiresReady: Bool
    ) -> ExitStatus {
        do throws(StartError) {
            let worker = try Worker(snapshot, log: log, inbox: inbox, toMain: toMain)
            worker.run(requiresReady: requiresReady)
            return worker.exitCode
        } catch {
            log.critical("cannot_start", metadata: ["error": "\(error.message)"])
            return error.code
        }
    }

    private func received(_ messages: [MainMessage]) {
        for message in messages {
            switch message {
            case .reload(let asker): reloadWanted(by: asker)
            case .statements(let calls, let learned): finishReload(replaying: calls, learned)
            case .logLevel(let level): log.logLevel = level
            case .ended(let code):
                exitCode = code
                loop.stop()
            }
        }
    }

    /// One reload at a time; those that are wanted meanwhile become one more.
    private func reloadWanted(by asker: UInt64?) {
        reloadsWanted.append(asker)
        beginReload()
    }

    private func beginReload() {
        guard underWay == nil, !reloadsWanted.isEmpty else { return }
        let askers = reloadsWanted.compactMap { $0 }
        reloadsWanted = []
        switch SettingsFile.check(file, replacing: running.settings) {
        case .ready(let next):
            underWay = (next, askers)
            toWorker.post(.describeStatements)
        case .refused(let complaints):
            for complaint in complaints { log.error("reload_refused", metadata: ["complaint": "\(complaint)"]) }
            toWorker.post(.reloadRefused(complaints, askers: askers))
        }
    }

    private func finishReload(replaying calls: [ReplayedCall], _ learned: [LearnedCall]) {
        guard let (next, askers) = underWay else { return }
        underWay = nil
        let preview = ReloadPreview(from: running.rules, to: next.rules, replaying: calls, knowing: learned)
        running = next
        log.notice(
            "reloaded",
            metadata: [
                "file": "\(file)", "rules": "\(next.settings.rules.count)", "effect": "\(preview.summary.text)",
            ])
        for move in preview.moves.prefix(Self.loggedMoves) {
            log.notice(
                "reload_moves",
                metadata: [
                    "fp": "\(move.fingerprint)", "from": "\(move.from)", "to": "\(move.to)", "calls": "\(move.calls)",
                    "sql": "\(move.statement)",
                ])
        }
        toWorker.post(.adopt(next, preview, askers: askers))
        beginReload()
    }

    /// USR1: one step more talkative, then back to what the settings say.
    private func raiseLogLevel() {
        let configured = Logger.Level(rawValue: running.settings.server.logLevel.rawValue) ?? .info
        let talkative = Logger.Level.allCases.reversed().first { $0 < log.logLevel }
        log.logLevel = talkative ?? configured
        log.notice("log_level", metadata: ["level": "\(log.logLevel)"])
        toWorker.post(.logLevel(log.logLevel))
    }
}
