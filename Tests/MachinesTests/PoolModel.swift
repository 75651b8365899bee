import Machines

/// A pool, its requests, its clock and its reloads, driven at random; the queue is modelled by a plain array.
struct PoolModel {
    private var random: RandomNumbers
    private var pool: PoolMachine
    private var size: Int
    private var queueLimit: Int
    /// What may wait now: the limit, or what had come before a reload lowered it.
    private var mayWait: Int
    private var now: UInt64 = 0
    private var nextRequest: UInt64 = 0
    /// Waiting requests and their deadlines, first come first.
    private var queue: [(request: UInt64, deadline: UInt64)] = []
    /// Which request has which connection.
    private var assigned: [Int: UInt64] = [:]
    /// The same on connections to an address that the pool has left.
    private var retiring: [Int: UInt64] = [:]
    private var connecting: Set<Int> = []
    private var idle: Set<Int> = []
    private var isHeld = false
    /// When somebody has to ask again.
    private var retryAt: UInt64?
    private var failure: String?
    private(set) var started = 0
    /// Requests that came in, and those that were served, turned away, given up, or are still here.
    private(set) var begun = 0
    private var over = 0
    var ended: Int { over + queue.count + assigned.count + retiring.count }
    /// Connections that were closed because a reload had made them surplus or obsolete.
    private(set) var retired = 0
    /// Requests that got their connection at a release.
    private(set) var released = 0

    init(seed: UInt64) {
        random = RandomNumbers(seed: seed)
        size = 1 + random.below(6)
        queueLimit = random.below(12)
        mayWait = max(size, queueLimit)
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
        case 90: resize()
        case 91: readdress()
        case 92: hold()
        case 93..<95: release()
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
            if !idle.isEmpty && !isHeld { failure = "\(request) waits beside an idle connection" }
            queue.append((request, deadline))
            if let connect { beginConnecting(connect) }
        case .shed:
            over += 1
            let hasRoom = queue.count < queueLimit || (!idle.isEmpty && !isHeld)
            if hasRoom { failure = "\(request) was shed though there was room" }
            if pool != before { failure = "a request that was shed changed the pool" }
        }
    }

    private mutating func start(_ request: UInt64, on server: Int) {
        if isHeld { failure = "\(request) was started on \(server) in a pool that is held" }
        if idle.remove(server) == nil { failure = "connection \(server) was not free for \(request)" }
        if let other = assigned[server] { failure = "connection \(server) has \(other) and \(request)" }
        assigned[server] = request
        started += 1
    }

    /// A connection is in order: the first that waits must get it.
    private mutating func becomeReady(_ server: Int) {
        let isSurplus = idle.count + assigned.count >= size
        let action = pool.serverReady(server)
        if isSurplus {
            if action != .close { failure = "\(action) of surplus connection \(server)" }
            retired += 1
        } else if let first = queue.first, !isHeld {
            queue.removeFirst()
            if action != .start(request: first.request) { failure = "\(action) instead of \(first.request)" }
            assigned[server] = first.request
            started += 1
        } else {
            if action != .park { failure = "\(action) though nobody waits, or it is held" }
            idle.insert(server)
        }
    }

    private mutating func finishOne() {
        guard let server = pick(assigned.keys.sorted() + retiring.keys.sorted()) else { return }
        finish(server)
    }

    private mutating func finish(_ server: Int) {
        over += 1
        if retiring.removeValue(forKey: server) != nil {
            let action = pool.serverReady(server)
            if action != .close { failure = "\(action) of connection \(server), which goes elsewhere" }
            retired += 1
        } else {
            assigned[server] = nil
            becomeReady(server)
        }
    }

    private mutating func connectOne(succeeds: Bool) {
        guard let server = pick(connecting.sorted()) else { return }
        connecting.remove(server)
        if succeeds {
            becomeReady(server)
            openWanted()
        } else {
            perform(pool.connectFailed(server, now: now, jitter: random.next()))
        }
    }

    private mutating func loseOne() {
        guard let server = pick(assigned.keys.sorted() + retiring.keys.sorted() + idle.sorted()) else { return }
        if assigned.removeValue(forKey: server) != nil || retiring.removeValue(forKey: server) != nil { over += 1 }
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

    // MARK: Holding

    private mutating func hold() {
        for index in queue.indices { queue[index].deadline += 1_000_000_000 }
        pool.hold { [queue] request in
            guard let waiting = queue.first(where: { $0.request == request }) else { preconditionFailure("not here") }
            return waiting.deadline
        }
        isHeld = true
    }

    private mutating func release() {
        let starts = pool.release()
        isHeld = false
        if starts.map(\.request) != queue.prefix(starts.count).map(\.request) { failure = "released out of order" }
        queue.removeFirst(min(starts.count, queue.count))
        for start in starts { self.start(start.request, on: start.server) }
        released += starts.count
        openWanted()
    }

    // MARK: Reloads

    private mutating func resize() {
        size = 1 + random.below(9)
        queueLimit = random.below(12)
        mayWait = max(size, queueLimit, queue.count)
        let leaving = pool.resized(to: size, queueLimit: queueLimit)
        leave(leaving)
        let current = assigned.count + idle.count + connecting.count
        if current > size && !(idle.isEmpty && connecting.isEmpty) { failure = "\(current) stay of \(size)" }
        if current < size && !leaving.isEmpty { failure = "\(leaving) left though there is room" }
        openWanted()
    }

    private mutating func readdress() {
        leave(pool.readdressed())
        if !idle.isEmpty || !connecting.isEmpty { failure = "one to the old address stays" }
        retiring.merge(assigned) { _, _ in preconditionFailure("a connection twice") }
        assigned.removeAll()
        openWanted()
        if connecting.isEmpty { failure = "nobody knocks at the new address" }
    }

    private mutating func leave(_ servers: [Int]) {
        for server in servers {
            if idle.remove(server) == nil && connecting.remove(server) == nil {
                failure = "connection \(server) was to close and is in use"
            }
            retired += 1
        }
    }

    /// Nothing comes any more: every request ends, and with it what had to go.
    mutating func settle() {
        release()
        while failure == nil {
            if let time = retryAt { now = max(now, time) }
            retryAt = nil
            openWanted()
            guard let server = assigned.keys.min() ?? retiring.keys.min() ?? connecting.min() else { break }
            if connecting.remove(server) != nil { becomeReady(server) } else { finish(server) }
        }
        if failure == nil && (!queue.isEmpty || !retiring.isEmpty) { failure = "\(queue.count) still wait" }
    }

    private mutating func openWanted() {
        while true {
            let action = pool.connectDue(now: now)
            perform(action)
            guard case .connect = action else { return }
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
        if assigned[server] != nil || retiring[server] != nil || idle.contains(server) || connecting.contains(server) {
            failure = "connection \(server) was opened twice"
        }
        if assigned.count + idle.count + connecting.count >= size { failure = "\(server) was opened beyond \(size)" }
        if now < pool.notBefore { failure = "connection \(server) was opened before its time" }
        connecting.insert(server)
    }

    private mutating func pick(_ servers: [Int]) -> Int? {
        servers.isEmpty ? nil : servers[random.below(servers.count)]
    }

    // MARK: What must be true

    mutating func fault() -> String? {
        defer { mayWait = max(size, queueLimit, min(mayWait, queue.count)) }
        if let failure { return failure }
        if ended != begun { return "\(begun) came in, \(ended) are accounted for" }
        for (server, state) in pool.servers.enumerated() {
            let expected: PoolMachine.Server =
                assigned[server] != nil
                ? .assigned
                : retiring[server] != nil
                    ? .retiring : idle.contains(server) ? .idle : connecting.contains(server) ? .connecting : .closed
            if state != expected { return "connection \(server) is \(state), should be \(expected)" }
        }
        if pool.openCount != idle.count + assigned.count { return "open is not idle and assigned" }
        if pool.idleCount != idle.count || pool.assignedCount != assigned.count { return "idle or assigned is wrong" }
        if pool.connectingCount != connecting.count { return "connecting is wrong" }
        if pool.retiringCount != retiring.count { return "retiring is wrong" }
        if pool.openCount > size && !(idle.isEmpty && connecting.isEmpty) { return "surplus is kept" }
        if pool.waiting != queue.count { return "\(pool.waiting) wait, should be \(queue.count)" }
        if pool.waiting > mayWait { return "too many wait" }
        if pool.earliestDeadline != queue.map(\.deadline).min() { return "the earliest deadline is wrong" }
        if pool.isHeld != isHeld { return "held is wrong" }
        if !queue.isEmpty && !idle.isEmpty && !isHeld { return "one waits beside an idle connection" }
        let isUnderWay = !assigned.isEmpty || !connecting.isEmpty || retryAt != nil
        if !queue.isEmpty && !isUnderWay && !isHeld { return "one waits and nothing will ever come" }
        return nil
    }
}
