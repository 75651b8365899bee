import EventLoop
import Glibc
import Logging
import Machines
import Routing
import Settings
import Telemetry
import Upstream

/// One thread's part of the daemon: its loop, its clients, its pools, its judge. Made on its thread, never leaves it;
/// it talks to the main thread by two mailboxes.
final class Worker {
    /// Neighbouring reads of one client that may run side by side.
    static let maxParallelReads = 8
    /// How long the end waits for cancels that are under way, in nanoseconds.
    private static let lastCancels: UInt64 = 1_000_000_000

    let loop: EventLoop
    var log: Logger
    private(set) var snapshot: Snapshot
    private(set) var judge: Judge
    var statements = RecentStatements(maximumCount: RecentStatements.limit)
    private(set) var pools: [PoolDriver] = []
    /// By their index in RuleSet.clusters.
    private(set) var clusters: [ClusterDriver] = []
    private(set) lazy var console = ConsoleDriver(worker: self, settings: snapshot.settings.pgbouncer)
    private var clients: [UInt64: ClientDriver] = [:]
    private var listeners: [Listener] = []
    private(set) var contexts: [ListenerContext] = []
    private var nextClient: UInt64 = 1
    private(set) var exchanges = ExchangeTable()
    private var scheduled: [ClientDriver] = []
    private var turning: [ClientDriver] = []
    private lazy var endOfTurn: () -> Void = { [unowned self] in runScheduled() }
    var readBuffer = ByteQueue()
    /// libpq's array of parameters, for the statement that is being sent.
    let parameterValues: UnsafeMutablePointer<UnsafePointer<CChar>?>
    private let cancels: CancelReports
    private var cancelWatch: FileWatch?
    private var cancelling: [UInt64: ServerDriver] = [:]
    private var nextCancel: UInt64 = 0
    private var drain: DrainMachine
    private var drainTimer: DeadlineTimer?
    private var readyTimer: DeadlineTimer?
    private var endTimer: DeadlineTimer?
    private(set) var isEnding = false
    private let learnedFile: LearnedFile?
    /// Writes what was learned, at most once a second.
    private var learnedTimer: DeadlineTimer?
    private var generator = SystemRandomNumberGenerator()
    let counters = CounterSet<ProcessCounter>()
    let startedAt: UInt64
    /// Counts what was refused before a pool was chosen.
    let unrouted = PoolTelemetry(name: "", cluster: "", role: "")
    let toMain: Mailbox<MainMessage>
    private var fromMain: MailboxWatch<WorkerMessage>?
    /// What `run()` ends with.
    private(set) var exitCode = ExitStatus.drained

    init(
        _ snapshot: Snapshot, log: Logger, inbox: Mailbox<WorkerMessage>, toMain: Mailbox<MainMessage>
    ) throws(StartError) {
        do {
            loop = try EventLoop()
            cancels = try CancelReports()
        } catch {
            throw StartError(.runtime, "\(error)")
        }
        self.log = log
        self.snapshot = snapshot
        self.toMain = toMain
        judge = Judge(rules: snapshot.rules, cacheBytes: snapshot.settings.server.statementCacheBytes)
        learnedFile = snapshot.settings.server.stateFolder.map { LearnedFile(folder: $0, log: log) }
        parameterValues = .allocate(capacity: max(1, snapshot.settings.server.maxParameters))
        drain = DrainMachine(timeout: UInt64(snapshot.settings.server.drainTimeoutMilliseconds) * 1_000_000)
        startedAt = loop.now
        counters.set(.reloadSuccessful, to: 1)
        clusters = snapshot.rules.clusters.enumerated().map {
            ClusterDriver(index: $0, name: $1.name, worker: self)
        }
        pools = snapshot.settings.pools.enumerated().map { PoolDriver(index: $0, settings: $1, worker: self) }
        fromMain = MailboxWatch(loop: loop, mailbox: inbox) { [unowned self] in received($0) }
        learnedTimer = DeadlineTimer(loop: loop) { [unowned self] in learnedFile?.save(judge.learned) }
        if let learnedFile {
            let count = learnedFile.load(into: judge)
            if count > 0 { log.notice("learned_before", metadata: ["statements": "\(count)"]) }
        }
        drainTimer = DeadlineTimer(loop: loop) { [unowned self] in perform(drain.deadlinePassed(now: loop.now)) }
        let watch = FileWatch(
            loop: loop, fileDescriptor: cancels.fileDescriptor, onReadable: { [unowned self] in cancelsReturned() },
            onWritable: {})
        watch.wantsRead = true
        cancelWatch = watch
        for settings in snapshot.settings.listeners { try listen(settings) }
    }

    deinit {
        parameterValues.deallocate()
    }

    /// - Parameter requiresReady: end with 69 when no pool has a connection after the longest connect timeout.
    func run(requiresReady: Bool) {
        for pool in pools { pool.warmUp() }
        console.start()
        if requiresReady {
            let longest = snapshot.settings.pools.map(\.connectTimeoutMilliseconds).max() ?? 0
            let timer = DeadlineTimer(loop: loop) { [unowned self] in
                readyTimer = nil
                if !pools.contains(where: \.isUsable) {
                    log.critical("no_usable_pool")
                    end(.noUsablePool)
                }
            }
            timer.set(at: loop.now &+ UInt64(longest) &* 1_000_000)
            readyTimer = timer
        }
        log.notice(
            "ready",
            metadata: ["version": "\(Version.current)", "pools": "\(pools.map(\.name).joined(separator: ","))"])
        loop.run()
    }

    /// What was learned is written a second later: a release that teaches much writes once.
    func learnedChanged() {
        guard learnedFile != nil, learnedTimer?.isSet == false else { return }
        learnedTimer?.set(at: loop.now &+ 1_000_000_000)
    }

    func random() -> UInt64 { generator.next() }

    // MARK: Clients

    private func listen(_ settings: ListenerSettings) throws(StartError) {
        let context = try ListenerContext(settings)
        do throws(ListenerError) {
            let listener = try Listener(
                loop: loop, path: settings.unix.value, mode: mode_t(settings.mode), group: context.group,
                onTurnedAway: { [unowned self] descriptor in
                    context.counters.add(.acceptFailures)
                    sayLast(.tooManyClients(clients.count), to: descriptor)
                },
                onAccept: { [unowned self] descriptor in accepted(descriptor, context) })
            listeners.append(listener)
            contexts.append(context)
        } catch {
            throw StartError(.cannotBind, "\(error)")
        }
    }

    private func accepted(_ descriptor: Int32, _ listener: ListenerContext) {
        let peer = Listener.peerCredentials(of: descriptor)
        if let allowed = listener.allowedUsers, !allowed.contains(peer?.user ?? UInt32.max) {
            turnAway(descriptor, .notAllowed)
            listener.counters.add(.rejected(.peer))
            log.warning(
                "client_refused",
                metadata: ["listener": "\(listener.name)", "uid": "\(peer.map { "\($0.user)" } ?? "?")"])
            return
        }
        let limit = snapshot.settings.server.maxClients
        // Operators get in when apps have taken every place: that is when they are needed.
        guard clients.count < limit || listener.isForOperators else {
            listener.counters.add(.rejected(.full))
            return turnAway(descriptor, .tooManyClients(limit))
        }
        listener.counters.add(.accepted)
        listener.counters.add(.current)
        let number = nextClient
        nextClient += 1
        clients[number] = ClientDriver(
            descriptor: descriptor, number: number, cancelKey: random(), peer: peer, listener: listener, worker: self)
    }

    private func turnAway(_ descriptor: Int32, _ answer: Answer) {
        sayLast(answer, to: descriptor)
        Glibc.close(descriptor)
    }

    /// One E line, as far as the socket takes it.
    private func sayLast(_ answer: Answer, to descriptor: Int32) {
        let after = answer.afterMilliseconds.map { "\tafter_ms=\($0)" } ?? ""
        let line = "E\t-\t\(answer.sqlstate)\tFATAL\t\(answer.retry.rawValue)\t\(answer.message)\tsrc=router\(after)\n"
        _ = Array(line.utf8).withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    func client(numbered number: UInt64) -> ClientDriver? { clients[number] }

    var allClients: [ClientDriver] { clients.values.sorted { $0.number < $1.number } }

    func clientClosed(_ client: ClientDriver) {
        clients[client.number] = nil
        client.listener.counters.add(.current, -1)
        // The driver may be running right now: it lives until the turn is over.
        loop.atEndOfTurn { withExtendedLifetime(client) {} }
        perform(drain.clientGone(clients: clients.count))
    }

    // MARK: Turns

    func schedule(_ client: ClientDriver) {
        if scheduled.isEmpty { loop.atEndOfTurn(endOfTurn) }
        scheduled.append(client)
    }

    private func runScheduled() {
        swap(&scheduled, &turning)
        for client in turning { client.endTurn() }
        turning.removeAll(keepingCapacity: true)
    }

    // MARK: Exchanges

    func takeExchange() -> Exchange { exchanges.take() }

    func giveBack(_ exchange: Exchange) {
        if exchange.isSpilled { exchange.pool?.clusterDriver.primary.spilled -= 1 }
        exchanges.giveBack(exchange)
    }

    // MARK: Cancels

    /// False when too many are under way.
    func startCancel(of link: ServerLink, for server: ServerDriver) -> Bool {
        let number = nextCancel
        guard link.connection.startCancel(id: number, reporting: cancels) else { return false }
        nextCancel += 1
        cancelling[number] = server
        server.cancelNumber = number
        return true
    }

    private func cancelsReturned() {
        for outcome in cancels.drain() {
            guard let server = cancelling.removeValue(forKey: outcome.id) else { continue }
            if server.cancelNumber == outcome.id { server.cancelReturned(isDelivered: outcome.isDelivered) }
        }
        if isEnding, cancelling.isEmpty { stop() }
    }

    // MARK: Messages of the main thread

    private func received(_ messages: [WorkerMessage]) {
        for message in messages {
            switch message {
            case .describeStatements:
                let learned = judge.learned.entries.map {
                    LearnedCall(sql: Array($0.statement.text), sqlstate: $0.sqlstate)
                }
                toMain.post(.statements(statements.replayedCalls(), learned: learned))
            case .adopt(let snapshot, let preview, let askers):
                adopt(snapshot)
                answerReload(askers, .applied(preview))
            case .reloadRefused(let complaints, let askers):
                counters.add(.reloadsFailed)
                counters.set(.reloadSuccessful, to: 0)
                answerReload(askers, .refused(complaints))
            case .drain: drainRequested()
            case .exit: perform(drain.exitRequested())
            case .logLevel(let level): log.logLevel = level
            case .describe: logState()
            }
        }
    }

    private func adopt(_ next: Snapshot) {
        let settings = next.settings
        if settings.server.logLevel != snapshot.settings.server.logLevel {
            log.logLevel = Logger.Level(rawValue: settings.server.logLevel.rawValue) ?? log.logLevel
        }
        snapshot = next
        judge.replaceRules(by: next.rules)
        judge.limitCache(toBytes: settings.server.statementCacheBytes)
        for (pool, settings) in zip(pools, settings.pools) { pool.adopt(settings) }
        console.adopt(settings.pgbouncer)
        drain.timeout = UInt64(settings.server.drainTimeoutMilliseconds) * 1_000_000
        counters.add(.reloads)
        counters.set(.reloadSuccessful, to: 1)
    }

    func reloadRequested(by exchange: Exchange) {
        toMain.post(.reload(asker: exchange.number))
    }

    private func answerReload(_ askers: [UInt64], _ report: ReloadReport) {
        for asker in askers {
            let exchange = exchanges[asker]
            if let client = exchange.client { client.reloadFinished(exchange, report) } else { giveBack(exchange) }
        }
    }

    func setLogLevel(_ level: Logger.Level) {
        log.logLevel = level
        toMain.post(.logLevel(level))
    }

    private func logState() {
        for pool in pools {
            let machine = pool.machine
            pool.log.notice(
                "pool_state",
                metadata: [
                    "open": "\(machine.openCount)", "idle": "\(machine.idleCount)",
                    "connecting": "\(machine.connectingCount)", "retiring": "\(machine.retiringCount)",
                    "waiting": "\(machine.waiting)", "held": "\(pool.heldWords)",
                ])
        }
        log.notice("state", metadata: ["clients": "\(clients.count)"])
    }

    // MARK: The end

    func drainRequested() {
        perform(drain.drainRequested(clients: clients.count, now: loop.now))
    }

    private func perform(_ action: DrainMachine.Action) {
        switch action {
        case .none: break
        case .drain(let until):
            log.notice("draining", metadata: ["clients": "\(clients.count)"])
            drainTimer?.set(at: until)
            closeListeners()
            for pool in pools { pool.refuseWaiting(.draining) }
            for client in allClients { client.drain() }
        case .exitDrained:
            log.notice("drained")
            end(.drained)
        case .exitNow:
            if !clients.isEmpty { log.warning("cut", metadata: ["clients": "\(clients.count)"]) }
            end(clients.isEmpty ? .drained : .runtime)
        }
    }

    private func closeListeners() {
        for listener in listeners { listener.close() }
        listeners = []
    }

    private func end(_ code: ExitStatus) {
        guard !isEnding else { return }
        isEnding = true
        exitCode = code
        closeListeners()
        for client in allClients { client.hangUp() }
        guard !cancelling.isEmpty else { return stop() }
        // PgBouncer 1.18 dies ("bad client state") when the connection of a cancel closes before it was passed on.
        let timer = DeadlineTimer(loop: loop) { [unowned self] in stop() }
        timer.set(at: loop.now &+ Self.lastCancels)
        endTimer = timer
    }

    private func stop() {
        if learnedTimer?.isSet == true { learnedFile?.save(judge.learned) }
        console.close()
        for pool in pools { pool.close() }
        loop.stop()
    }
}
