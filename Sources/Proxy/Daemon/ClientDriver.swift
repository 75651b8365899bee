import EventLoop
import Freshness
import Glibc
import Machines
import Routing
import Telemetry
import Wire

/// Performs what a ClientMachine decides, for one client connection: reads and frames lines, keeps requests in order,
/// writes replies, and ends the connection and all that hangs on it.
///
/// The bytes of a request stay in `input` until it is answered: its fields are the C strings that libpq gets.
final class ClientDriver {
    /// Above this many unsent bytes the daemon stops reading from the server (protocol: 256 KiB).
    static let fullOutput = 256 * 1024
    /// Below this many it reads on.
    private static let roomyOutput = 64 * 1024
    static let readSize = 64 * 1024
    /// What an idle client's buffers keep, so that a request of usual size allocates nothing.
    static let warmCapacity = 4096
    /// How often a connection that is not read is asked whether its client still lives.
    private static let hangUpCheck: UInt64 = 200_000_000

    /// A request in its place: its line starts at `position` of the input's stream.
    struct Pending {
        var request: Request
        var position: UInt64
        var receivedAt: UInt64
        /// The daemon's own reason to refuse it, found while reading.
        var fault: Fault?
        let isFirst: Bool
        /// A CANCEL named it before it ran.
        var isCancelled = false
    }

    enum Fault {
        case saltMissing
        case saltRequired
        case lineUnfinished
    }

    let number: UInt64
    let cancelKey: UInt64
    let listener: ListenerContext
    unowned let worker: Worker
    let descriptor: Int32
    var watch: FileWatch?
    var timer: DeadlineTimer?

    var input = ByteQueue()
    var output = ByteQueue()
    var framer: LineFramer
    /// Where the first byte that was not framed yet stands in the stream.
    var framedTo: UInt64 = 0
    var requests = RequestRing()
    /// What was dispatched and not yet answered, in request order; the first one writes straight into `output`.
    var active: [Exchange] = []
    var machine: ClientMachine
    var pinned: ServerDriver? {
        didSet { orderReached() }
    }
    var session: ClientSession
    /// Whether the open transaction was begun READ ONLY.
    var pinnedIsReadOnly = false
    /// A statement of it changed how its commit is flushed.
    var transactionMayBeUnflushed = false
    /// The `@session` of its BEGIN.
    var transactionSession: [UInt8] = []
    /// What reads must see of this connection's own writes, where a position behind them is known.
    var ownFloors = OwnFloors()
    /// The connection that an autocommit statement with `@resolve` has until its COMMIT is answered.
    var resolving: ServerDriver? {
        didSet { orderReached() }
    }
    /// It goes out when its connection is in order.
    var commitToSend: Exchange?
    /// The open transaction was begun with `@resolve`.
    var transactionResolves = false
    var transactionWantsToken = false
    /// A statement of it set its own statement_timeout.
    var transactionSetsTimeout = false
    /// Where the last commit may have been answered before it was flushed.
    var unflushed = WrittenClusters()
    /// Positions of CANCEL requests that found their target, until they are answered.
    var cancelled: Set<UInt64> = []
    var requestsRead: UInt64 = 0
    let counters = CounterSet<ClientCounter>()
    let connectedAt: UInt64
    var lastRequestAt: UInt64
    let peer: PeerCredentials?
    private var pausedServers: [ServerDriver] = []
    var isScheduled = false
    private(set) var isClosed = false
    private(set) var isDraining = false
    var closesAfterFlush = false
    /// Requests wait because `output` is full.
    var isStarved = false

    /// Monotonic nanoseconds, `UInt64.max` when nothing is waited for.
    var lineDeadline = UInt64.max
    private var writeDeadline = UInt64.max
    private var idleDeadline = UInt64.max
    /// When a standby should have what the first read waits for.
    private var catchUpDeadline = UInt64.max
    /// Until then a request waits for its connection to be in order behind a cancel; in nanoseconds.
    private var orderDeadline = UInt64.max

    init(
        descriptor: Int32, number: UInt64, cancelKey: UInt64, peer: PeerCredentials?, listener: ListenerContext,
        worker: Worker
    ) {
        self.peer = peer
        self.descriptor = descriptor
        self.number = number
        self.cancelKey = cancelKey
        self.listener = listener
        self.worker = worker
        let limits = worker.snapshot.wireLimits
        framer = LineFramer(maxLine: limits.maxLine)
        machine = ClientMachine(
            maxInFlight: worker.snapshot.settings.server.maxInflight, maxParallelReads: Worker.maxParallelReads)
        session = ClientSession(listener: listener, user: peer?.user)
        connectedAt = worker.loop.now
        lastRequestAt = connectedAt
        watch = FileWatch(
            loop: worker.loop, fileDescriptor: descriptor,
            onReadable: { [unowned self] in readable() }, onWritable: { [unowned self] in flush() })
        timer = DeadlineTimer(loop: worker.loop) { [unowned self] in deadlinePassed() }
        watch?.wantsRead = true
    }

    // MARK: Turns

    /// Work for this client is done once at the end of a turn, however many events it had.
    func schedule() {
        guard !isScheduled, !isClosed else { return }
        isScheduled = true
        worker.schedule(self)
    }

    func endTurn() {
        isScheduled = false
        guard !isClosed else { return }
        startRequests()
        // Answers may have made room for requests that were left unframed.
        while machine.input == .reading, frameLines() { startRequests() }
        flush()
        guard !isClosed else { return }
        updateReading()
        if machine.unanswered == 0 { becameIdle() }
    }

    private func becameIdle() {
        if input.capacity > Self.warmCapacity { input.releaseIfEmpty() }
        if pinned != nil, idleDeadline == UInt64.max {
            idleDeadline = worker.loop.now &+ worker.snapshot.transactionIdleTimeout
            armTimer()
        }
        if closesAfterFlush, output.isEmpty { hangUp() }
    }

    // MARK: Bytes out

    func isOutputFull(for exchange: Exchange) -> Bool {
        isFirst(exchange) ? output.count >= Self.fullOutput : exchange.held.count >= Self.fullOutput
    }

    func isFirst(_ exchange: Exchange) -> Bool {
        active.first === exchange
    }

    /// The server's results wait until the client has read some, or until it is the exchange's turn.
    func pausedServer(_ server: ServerDriver, for exchange: Exchange) {
        guard isFirst(exchange) else { return }
        pausedServers.append(server)
        schedule()
    }

    func flush() {
        guard !isClosed else { return }
        if !output.isEmpty {
            let before = output.count
            let outcome = output.write(to: descriptor)
            if output.count < before {
                countSent(before - output.count)
                writeDeadline = UInt64.max
            }
            switch outcome {
            case .drained:
                watch?.wantsWrite = false
            case .wouldBlock:
                watch?.wantsWrite = true
                if writeDeadline == UInt64.max {
                    writeDeadline = worker.loop.now &+ worker.snapshot.clientWriteTimeout
                    armTimer()
                }
            case .failed:
                hangUp()
                return
            }
        }
        if output.isEmpty {
            if output.capacity > Self.warmCapacity { output.releaseIfEmpty() }
            if closesAfterFlush, machine.unanswered == 0 {
                hangUp()
                return
            }
        }
        if output.count < Self.roomyOutput { resumeServers() }
    }

    private func resumeServers() {
        if isStarved {
            isStarved = false
            schedule()
        }
        guard !pausedServers.isEmpty else { return }
        let servers = pausedServers
        pausedServers.removeAll(keepingCapacity: true)
        for server in servers { server.resume() }
        schedule()
    }

    // MARK: Answers in order

    /// The first request in line was answered: its bytes and its place are free.
    func requestAnswered() {
        let pending = requests.removeFirst()
        input.consume(Int(pending.position &+ UInt64(pending.request.byteCount) &- input.headPosition))
        switch machine.requestAnswered() {
        case .none: break
        case .resumeReading: schedule()
        case .close:
            closesAfterFlush = true
            schedule()
        }
    }

    /// Every complete reply at the front leaves; the first incomplete one goes on straight into `output`.
    func replyCompleted(_ exchange: Exchange) {
        exchange.stage = .answered
        machine.finished()
        while let first = active.first, first.stage == .answered {
            active.removeFirst()
            worker.giveBack(first)
            requestAnswered()
            if let next = active.first, !next.held.isEmpty {
                output.append(UnsafeRawBufferPointer(next.held.readable))
                next.held.consume(next.held.count)
                if let server = next.server { pausedServer(server, for: next) }
            }
            if let next = active.first { goOn(next) }
        }
        schedule()
    }

    // MARK: Waiting

    /// The first read goes on then: a standby should have caught up.
    func goOn(at time: UInt64) {
        catchUpDeadline = time
        armTimer()
    }

    /// What is next needs a connection whose cancel has not come back: not for longer than its deadline.
    func awaitOrder(until deadline: UInt64) {
        guard deadline < orderDeadline else { return }
        orderDeadline = deadline
        armTimer()
    }

    /// It is, or the connection is no longer this client's: what the next one does has a deadline of its own.
    func orderReached() {
        orderDeadline = UInt64.max
    }

    /// Something runs: the transaction does not idle.
    func stopIdling() {
        idleDeadline = UInt64.max
    }

    func armTimer() {
        var next = min(lineDeadline, writeDeadline, idleDeadline, min(catchUpDeadline, orderDeadline))
        if watch?.wantsRead == false { next = min(next, worker.loop.now &+ Self.hangUpCheck) }
        if next == UInt64.max { timer?.clear() } else { timer?.set(at: next) }
    }

    private func deadlinePassed() {
        let now = worker.loop.now
        if watch?.wantsRead == false, hasHungUp { return hangUp() }
        if now >= writeDeadline {
            listener.counters.add(.cut(.stalled))
            worker.log.notice("client_cut", metadata: ["conn": "\(number)", "reason": "it reads too slowly"])
            return hangUp()
        }
        // A line that cannot end because the daemon does not read is not its client's fault.
        if now >= lineDeadline, watch?.wantsRead == false {
            lineDeadline = now &+ worker.snapshot.lineTimeout
        }
        if now >= lineDeadline {
            let bytes = UnsafeRawBufferPointer(
                start: input.pointer(atPosition: framedTo), count: Int(input.tailPosition &- framedTo))
            refuseUnfinished(Request(unfinished: bytes, error: nil), fault: .lineUnfinished)
            schedule()
        }
        if now >= catchUpDeadline {
            catchUpDeadline = UInt64.max
            if let first = active.first { goOn(first) }
        }
        if now >= orderDeadline {
            orderDeadline = UInt64.max
            if let server = pinned ?? resolving, !server.isInOrder, !server.isBusy {
                server.close(reason: "no answer to a cancel", as: .stuck)
            }
        }
        if now >= idleDeadline {
            idleDeadline = UInt64.max
            endIdleTransaction(.transactionIdle(worker.snapshot.transactionIdleTimeoutText))
            schedule()
        }
        armTimer()
    }

    private func endIdleTransaction(_ answer: Answer) {
        guard let server = pinned, active.isEmpty else { return }
        pinned = nil
        machine.pinnedServerLost()
        server.pool.telemetry.counters.add(isDraining ? .transactionsAbandoned : .transactionsIdledOut)
        server.unpin()
        writeNotice(answer)
    }

    // MARK: The end

    /// The daemon drains: what was sent is answered, what was not is refused, what idles is rolled back.
    func drain() {
        guard !isDraining, !isClosed else { return }
        isDraining = true
        _ = machine.inputEnded()
        updateReading()
        if machine.unanswered == 0 {
            endIdleTransaction(.draining)
            closesAfterFlush = true
        }
        schedule()
    }

    /// Ends the connection at once: what runs is cancelled, what waits is forgotten, a transaction is rolled back.
    func hangUp() {
        guard !isClosed else { return }
        isClosed = true
        watch?.cancel()
        timer?.clear()
        Glibc.close(descriptor)
        let server = pinned ?? resolving
        pinned = nil
        resolving = nil
        let unsent = commitToSend
        commitToSend = nil
        let left = active
        active.removeAll()
        for exchange in left {
            // No connection has it.
            if exchange === unsent { worker.giveBack(exchange) } else { abandon(exchange) }
        }
        if let server {
            server.pool.telemetry.counters.add(.transactionsAbandoned)
            server.unpin()
        }
        // Results that were held back for this client are discarded now.
        for paused in pausedServers { paused.resume() }
        pausedServers.removeAll()
        worker.clientClosed(self)
    }

    private func abandon(_ exchange: Exchange) {
        if case .reload = exchange.kind {
            // The main thread still has it: it comes back with the report.
            exchange.client = nil
            return
        }
        switch exchange.stage {
        case .running:
            // Its server gives it back when the results have come.
            exchange.server?.clientLeft(exchange)
        case .waiting:
            _ = exchange.pool?.abandon(exchange)
            worker.giveBack(exchange)
        case .waitingForPosition:
            exchange.cluster?.abandon(exchange)
            worker.giveBack(exchange)
        case .answered, .waitingToRunAgain: worker.giveBack(exchange)
        case .unused: break
        }
    }
}
