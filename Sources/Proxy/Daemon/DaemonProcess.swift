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
        let settings: Settings
        switch SettingsFile.check(file) {
        case .refused(let complaints):
            for complaint in complaints { writeError(complaint) }
            return .badSettings
        case .ready(let checked): settings = checked
        }
        let log = Self.logger(settings)
        do throws(EventLoopError) {
            let main = try MainLoop(file: file, settings: settings, log: log)
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
    private let loop: EventLoop
    private let file: String
    private var running: Settings
    private var log: Logger
    private let toWorker: Mailbox<WorkerMessage>
    private let toMain: Mailbox<MainMessage>
    private var signals: [SignalWatch] = []
    private var inbox: MailboxWatch<MainMessage>?
    private var exitCode = ExitStatus.drained

    init(file: String, settings: Settings, log: Logger) throws(EventLoopError) {
        self.file = file
        self.log = log
        running = settings
        loop = try EventLoop()
        toWorker = try Mailbox()
        toMain = try Mailbox()
        inbox = MailboxWatch(loop: loop, mailbox: toMain) { [unowned self] in received($0) }
        signals = [
            try SignalWatch(loop: loop, signal: SIGHUP) { [unowned self] in reload(asker: nil) },
            try SignalWatch(loop: loop, signal: SIGTERM) { [unowned self] in _ = toWorker.post(.drain) },
            try SignalWatch(loop: loop, signal: SIGINT) { [unowned self] in _ = toWorker.post(.exit) },
            try SignalWatch(loop: loop, signal: SIGUSR1) { [unowned self] in raiseLogLevel() },
            try SignalWatch(loop: loop, signal: SIGUSR2) { [unowned self] in _ = toWorker.post(.describe) },
        ]
    }

    func run(stack: Int, requiresReady: Bool) throws(EventLoopError) -> ExitStatus {
        let settings = running
        let log = log
        let (toWorker, toMain) = (toWorker, toMain)
        let worker = try Thread(name: "worker", stackSize: stack) {
            toMain.post(.ended(Self.work(settings, log, toWorker, toMain, requiresReady)))
        }
        loop.run()
        worker.join()
        return exitCode
    }

    /// The worker's whole life, on its own thread.
    private static func work(
        _ settings: Settings, _ log: Logger, _ inbox: Mailbox<WorkerMessage>, _ toMain: Mailbox<MainMessage>,
        _ requiresReady: Bool
    ) -> ExitStatus {
        guard let snapshot = Snapshot.make(settings) else { return .badSettings }
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
            case .reload(let asker): reload(asker: asker)
            case .logLevel(let level): log.logLevel = level
            case .ended(let code):
                exitCode = code
                loop.stop()
            }
        }
    }

    /// Signals that arrive meanwhile are told as one when this is done.
    private func reload(asker: UInt64?) {
        switch SettingsFile.check(file, replacing: running) {
        case .ready(let settings):
            running = settings
            log.notice("reloaded", metadata: ["file": "\(file)", "rules": "\(settings.rules.count)"])
            toWorker.post(.adopt(settings, asker: asker))
        case .refused(let complaints):
            for complaint in complaints { log.error("reload_refused", metadata: ["complaint": "\(complaint)"]) }
            toWorker.post(.reloadRefused(complaints, asker: asker))
        }
    }

    /// USR1: one step more talkative, then back to what the settings say.
    private func raiseLogLevel() {
        let configured = Logger.Level(rawValue: running.server.logLevel.rawValue) ?? .info
        let talkative = Logger.Level.allCases.reversed().first { $0 < log.logLevel }
        log.logLevel = talkative ?? configured
        log.notice("log_level", metadata: ["level": "\(log.logLevel)"])
        toWorker.post(.logLevel(log.logLevel))
    }
}
