import Machines

/// A pool, its requests and its clock, driven at random; the queue is modelled by a plain array.
struct PoolModel {
    private var random: RandomNumbers
    private var pool: PoolMachine
    private let size: Int
    private let queueLimit: Int
    private var now: UInt64 = 0
    private var nextRequest: UInt64 = 0
    /// Waiting requests and their deadlines, first come first.
    private var queue: [(request: UInt64, deadline: UInt64)] = []
    /// Which request has which connection.
    private var assigned: [Int: UInt64] = [:]
    private var connecting: Set<Int> = []
    private var idle: Set<Int> = []
    /// When somebody has to ask again.
    private var retryAt: UInt64?
    private var failure: String?
    private(set) var started = 0
    /// Requests that came in, and those that were served, turned away, given up, or are still here.
    private(set) var begun = 0
    private var over = 0
    var ended: Int { over + queue.count + assigned.count }

    init(seed: UInt64) {
        random = RandomNumbers(seed: seed)
        size = 1 + random.below(6)
        queueLimit = random.below(12)
        pool = PoolMachine(size: size, queueLimit: queueLimit)
    }

    mutating func step() {
        switch random.below(100) {
        case 0..<34: arrive()
        case 34..<62: finishOne()
        case 62..<76: connectOne(succeeds: random.chance(70))
        case 76..<82: loseOne()
        case 82..<88: abandonOne()
        case 88..<90: takeAll()
        default: passTime()
        }
    }

    // MARK: Events

    private mutating func arrive() {
        let request = nextRequest
        nextRequest += 1
        begun += 1
        let deadline = now + UInt64(1 + random.below(2000)) * 1_000_000
        let before = pool
        switch pool.requestArrived(request, deadline: deadline, now: now) {
        case .start(let server):
            if !queue.isEmpty { failure = "\(request) overtook \(queue.count) that wait" }
            start(request, on: server)
        case .wait(let connect):
            if !idle.isEmpty { failure = "\(request) waits beside an idle connection" }
            queue.append((request, deadline))
            if let connect { beginConnecting(connect) }
        case .shed:
            over += 1
            if queue.count < queueLimit || !idle.isEmpty { failure = "\(request) was shed though there was room" }
            if pool != before { failure = "a request that was shed changed the pool" }
        }
    }

    private mutating func start(_ request: UInt64, on server: Int) {
        if idle.remove(server) == nil { failure = "connection \(server) was not free for \(request)" }
        if let other = assigned[server] { failure = "connection \(server) has \(other) and \(request)" }
        assigned[server] = request
        started += 1
    }

    /// A connection is in order: the first that waits must get it.
    private mutating func becomeReady(_ server: Int) {
        let action = pool.serverReady(server)
        if let first = queue.first {
            queue.removeFirst()
            if action != .start(request: first.request) { failure = "\(action) instead of \(first.request)" }
            assigned[server] = first.request
            started += 1
        } else {
            if action != .park { failure = "\(action) though nobody waits" }
            idle.insert(server)
        }
    }

    private mutating func finishOne() {
        guard let server = pick(assigned.keys.sorted()) else { return }
        assigned[server] = nil
        over += 1
        becomeReady(server)
    }

    private mutating func connectOne(succeeds: Bool) {
        guard let server = pick(connecting.sorted()) else { return }
        connecting.remove(server)
        if succeeds {
            becomeReady(server)
            while case .connect(let next) = pool.connectDue(now: now) { beginConnecting(next) }
        } else {
            perform(pool.connectFailed(server, now: now, jitter: random.next()))
        }
    }

    private mutating func loseOne() {
        guard let server = pick(assigned.keys.sorted() + idle.sorted()) else { return }
        if assigned.removeValue(forKey: server) != nil { over += 1 }
        idle.remove(server)
        perform(pool.serverLost(server, now: now, jitter: random.next()))
    }

    private mutating func abandonOne() {
        if let index = queue.isEmpty ? nil : random.below(queue.count), random.chance(80) {
            let request = queue.remove(at: index).request
            over += 1
            if !pool.requestAbandoned(request) { failure = "\(request) waited and was not found" }
        } else if let request = assigned.values.min() ?? (nextRequest > 0 ? nextRequest + 5 : nil) {
            if pool.requestAbandoned(request) { failure = "\(request) did not wait and was found" }
        }
    }

    private mutating func takeAll() {
        if pool.takeAllWaiting() != queue.map(\.request) { failure = "not all that waited, or not in order" }
        over += queue.count
        queue.removeAll()
    }

    private mutating func passTime() {
        now += UInt64(random.below(300)) * 1_000_000
        while let request = pool.nextExpired(now: now) {
            guard let index = queue.firstIndex(where: { $0.request == request }), queue[index].deadline <= now else {
                failure = "\(request) had not expired"
                return
            }
            queue.remove(at: index)
            over += 1
        }
        if queue.contains(where: { $0.deadline <= now }) { failure = "one that expired still waits" }
        if let time = retryAt, time <= now, failure == nil {
            retryAt = nil
            perform(pool.connectDue(now: now))
        }
    }

    private mutating func perform(_ action: PoolMachine.LossAction) {
        switch action {
        case .none: break
        case .connect(let server): beginConnecting(server)
        case .retry(let time):
            if time <= now || time > now + Backoff.longest { failure = "a retry at \(time), now is \(now)" }
            retryAt = time
        }
    }

    private mutating func beginConnecting(_ server: Int) {
        if assigned[server] != nil || idle.contains(server) || connecting.contains(server) {
            failure = "connection \(server) was opened twice"
        }
        if now < pool.notBefore { failure = "connection \(server) was opened before its time" }
        connecting.insert(server)
    }

    private mutating func pick(_ servers: [Int]) -> Int? {
        servers.isEmpty ? nil : servers[random.below(servers.count)]
    }

    // MARK: What must be true

    func fault() -> String? {
        if let failure { return failure }
        if ended != begun { return "\(begun) came in, \(ended) are accounted for" }
        for (server, state) in pool.servers.enumerated() {
            let expected: PoolMachine.Server =
                assigned[server] != nil
                ? .assigned : idle.contains(server) ? .idle : connecting.contains(server) ? .connecting : .closed
            if state != expected { return "connection \(server) is \(state), should be \(expected)" }
        }
        if pool.openCount != idle.count + assigned.count { return "open is not idle and assigned" }
        if pool.idleCount != idle.count || pool.assignedCount != assigned.count { return "idle or assigned is wrong" }
        if pool.connectingCount != connecting.count { return "connecting is wrong" }
        if pool.waiting != queue.count { return "\(pool.waiting) wait, should be \(queue.count)" }
        if pool.waiting > max(queueLimit, size) { return "too many wait" }
        if pool.earliestDeadline != queue.map(\.deadline).min() { return "the earliest deadline is wrong" }
        if !queue.isEmpty && !idle.isEmpty { return "one waits beside an idle connection" }
        let isUnderWay = !assigned.isEmpty || !connecting.isEmpty || retryAt != nil
        if !queue.isEmpty && !isUnderWay { return "one waits and nothing will ever come" }
        return nil
    }
}
