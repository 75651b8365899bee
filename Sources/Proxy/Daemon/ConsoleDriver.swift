import Bouncer
import EventLoop
import Logging
import Machines
import Settings
import Telemetry
import Upstream

/// Asks PgBouncer's console what a ConsoleMachine decides, and tells the pools what their databases' state is.
///
/// While it knows nothing, no pool is held and nothing is refused: the daemon serves without the console as well.
final class ConsoleDriver {
    /// `SHOW CONFIG` is asked for in each round of so many.
    private static let roundsPerSettings = 30
    /// Between rounds while a database is paused, in nanoseconds: requests wait for its end.
    private static let pausedInterval: UInt64 = 200_000_000
    /// What a login at the server may take after server_login_retry, in nanoseconds.
    private static let loginTime: UInt64 = 2_000_000_000

    private enum Pause {
        case paused
        /// It is over, but PgBouncer has no connection to the server yet.
        case ending(until: UInt64)
    }

    unowned let worker: Worker
    private var settings: PgBouncerSettings?
    private var machine: ConsoleMachine
    private var link: ConsoleLink?
    private var timer: DeadlineTimer?
    private var log: Logger
    /// What is left of the round, the one under way first.
    private var questions: [BouncerQuestion] = []
    private var command: String?
    private var round = 0
    /// The error of the question under way.
    private var refusal: String?
    /// The last trouble that was logged: a console that stays down says so once.
    private var lastTrouble = ""
    /// What is known, once a round is over; nil while there is no connection.
    private(set) var state: BouncerState?
    private var underWay = BouncerState()
    /// When the last round was over.
    private(set) var knownSince: UInt64 = 0
    /// By the pool's index.
    private var pauses: [Int: Pause] = [:]

    init(worker: Worker, settings: PgBouncerSettings?) {
        self.worker = worker
        self.settings = settings
        machine = ConsoleMachine(interval: 0)
        log = worker.log
        timer = DeadlineTimer(loop: worker.loop) { [unowned self] in
            perform(
                machine.timePassed(now: worker.loop.now, jitter: worker.random()), trouble: "it did not answer in time")
        }
    }

    func start() {
        guard settings != nil, !worker.isEnding else { return }
        perform(machine.started(now: worker.loop.now))
    }

    /// A reload: what was known of another console is forgotten.
    func adopt(_ next: PgBouncerSettings?) {
        let old = settings
        settings = next
        guard next?.admin.value != old?.admin.value else { return }
        lastTrouble = ""
        forget()
        start()
    }

    func close() {
        forget()
    }

    /// Sends RECONNECT for a pool's database, so that PgBouncer lets go of its server: the server's role was lost.
    /// Does nothing unless the settings allow it.
    func reconnect(_ pool: PoolDriver) {
        guard let settings, settings.reconnect, let database = database(of: pool) else { return }
        perform(machine.commandWanted(BouncerQuestion.reconnectCommand(database), now: worker.loop.now))
    }

    /// The PgBouncer database behind a pool; nil when this console is not its PgBouncer's.
    func database(of pool: PoolDriver) -> String? {
        guard let settings else { return nil }
        let target = pool.settings.target
        return target.maySharePgBouncer(with: settings.target) ? target.database : nil
    }

    // MARK: The machine's decisions

    private func perform(_ action: ConsoleMachine.Action, trouble: String = "") {
        switch action {
        case .none: break
        case .connect(let limit):
            timer?.set(at: limit)
            connect()
        case .beginRound: beginRound()
        case .ask(let limit):
            timer?.set(at: limit)
            if let question = questions.first { send(question.command) }
        case .command(let command, let limit):
            timer?.set(at: limit)
            self.command = command
            send(command)
        case .rest(let time):
            timer?.set(at: time)
            roundIsOver()
        case .retry(let time):
            fail(trouble)
            timer?.set(at: time)
        }
    }

    private func connect() {
        guard let settings else { return }
        underWay = BouncerState()
        round = 0
        link = ConsoleLink(
            conninfo: settings.admin.value, loop: worker.loop, onReadable: { [unowned self] in readable() },
            onWritable: { [unowned self] in writable() })
        guard link != nil else { return lose("out of memory") }
        continueConnecting()
    }

    private func continueConnecting() {
        guard let link else { return }
        switch link.continueConnecting() {
        case .wantsRead, .wantsWrite: break
        case .failed: lose(link.errorMessage)
        case .connected: perform(machine.connected())
        }
    }

    private func beginRound() {
        questions = BouncerQuestion.round(underWay.version, withSettings: round % Self.roundsPerSettings == 0)
        round += 1
        let interval = UInt64(settings?.intervalMilliseconds ?? 0) * 1_000_000
        machine.interval = pauses.isEmpty ? interval : min(interval, Self.pausedInterval)
        perform(machine.roundBegins(questions: questions.count, now: worker.loop.now))
    }

    private func send(_ text: String) {
        guard let link else { return }
        if !link.send(text) { lose(link.errorMessage) }
    }

    private func roundIsOver() {
        if state == nil {
            log.notice("pgbouncer_known", metadata: ["version": "\(underWay.version.map(\.description) ?? "?")"])
        }
        lastTrouble = ""
        state = underWay
        knownSince = worker.loop.now
        worker.counters.add(.pgbouncerRounds)
        worker.counters.set(.pgbouncerKnown, to: 1)
        tellPools(underWay)
    }

    private func tellPools(_ state: BouncerState?) {
        for pool in worker.pools {
            var standing = BouncerStanding()
            if let state, let database = database(of: pool) {
                standing = state.standing(database: database, user: pool.settings.target.user)
                standing.isPaused = isStillPaused(pool, standing)
            }
            pool.adopt(standing)
        }
    }

    /// PgBouncer 1.18 goes on opening connections for min_pool_size while a database is paused, and closes them before
    /// they are logged in. It takes that for failed logins: for server_login_retry after RESUME it refuses what comes.
    /// So a pause lasts until it has a connection again, or that time is over.
    private func isStillPaused(_ pool: PoolDriver, _ standing: BouncerStanding) -> Bool {
        let now = worker.loop.now
        switch pauses[pool.index] {
        case _ where standing.isPaused: pauses[pool.index] = .paused
        case .paused where standing.hasNoServers:
            let retry = min(60, max(0, underWay.setting("server_login_retry") ?? 0))
            pauses[pool.index] = .ending(until: now &+ UInt64(retry) * 1_000_000_000 &+ Self.loginTime)
        case .ending(let limit) where standing.hasNoServers && now < limit: break
        default: pauses[pool.index] = nil
        }
        return pauses[pool.index] != nil
    }

    private func lose(_ error: String) {
        perform(machine.lost(now: worker.loop.now, jitter: worker.random()), trouble: error)
    }

    /// The connection is gone, or has to go.
    private func fail(_ trouble: String) {
        worker.counters.add(.pgbouncerFailures)
        if trouble != lastTrouble, !worker.isEnding {
            log.warning("pgbouncer_unknown", metadata: ["error": "\(trouble)"])
            lastTrouble = trouble
        }
        forget()
    }

    private func forget() {
        timer?.clear()
        link = nil
        questions = []
        command = nil
        refusal = nil
        guard state != nil else { return }
        state = nil
        pauses = [:]
        worker.counters.set(.pgbouncerKnown, to: 0)
        if !worker.isEnding { tellPools(nil) }
    }

    // MARK: Events of the socket

    private func readable() {
        guard let link else { return }
        if machine.state == .connecting { return continueConnecting() }
        link.readInput()
        takeResults()
    }

    private func writable() {
        guard let link else { return }
        if machine.state == .connecting { return continueConnecting() }
        if !link.flush() { lose(link.errorMessage) }
    }

    private func takeResults() {
        while let link {
            switch link.nextResult() {
            case .wouldBlock: return
            case .idle: return closeIfLost()
            case .connectionLost: return closeIfLost()
            case .result(let result): take(result)
            case .endOfStatement:
                guard !link.isLost else { return closeIfLost() }
                finish()
            }
        }
    }

    private func closeIfLost() {
        if let link, link.isLost { lose(link.errorMessage) }
    }

    private func take(_ result: borrowing QueryResult) {
        switch result.status {
        case .tuplesOK:
            guard command == nil, let question = questions.first else { return }
            let texts = result.texts
            underWay.take(BouncerTable(columns: texts.columns, rows: texts.rows), to: question)
        case .fatalError: refusal = String(decoding: result.message, as: UTF8.self)
        default: break
        }
    }

    /// The answer is complete.
    private func finish() {
        let refused = refusal
        refusal = nil
        if let command {
            self.command = nil
            if let refused {
                log.warning("pgbouncer_refused", metadata: ["command": "\(command)", "error": "\(refused)"])
            } else {
                worker.counters.add(.pgbouncerReconnects)
                log.notice("pgbouncer_told", metadata: ["command": "\(command)"])
            }
        } else if !questions.isEmpty {
            let question = questions.removeFirst()
            if let refused { return lose("\(question.command): \(refused)") }
        }
        perform(machine.answered(now: worker.loop.now))
    }
}
