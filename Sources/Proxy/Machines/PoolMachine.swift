/// Decides, for one pool, which server connection serves which request, who waits, who is turned away, and when a
/// connection is opened.
///
/// Requests are numbers of the caller's choice; server connections are places in `servers`, used again and never given
/// back: there are more of them than `size` once the pool had to be smaller, or to connect elsewhere, while connections
/// were in use. Times are monotonic nanoseconds.
package struct PoolMachine: Equatable {
    package enum Server: Equatable {
        /// Can go to: connecting.
        case closed
        /// Can go to: idle, assigned, closed.
        case connecting
        /// Can go to: assigned, closed.
        case idle
        /// A request, a transaction, or the clean-up behind one has it. Can go to: idle, assigned (to the next), retiring,
        /// closed.
        case assigned
        /// The same, of an address that is not the pool's any more: nobody gets it after that. Not counted as one of the
        /// pool's `size`, because it does not take a place where the pool connects now. Can go to: closed.
        case retiring
    }

    private struct Waiting: Equatable {
        var request: UInt64
        var deadline: UInt64
    }

    package private(set) var size: Int
    package private(set) var queueLimit: Int
    package private(set) var servers: [Server]
    /// Whether the open connection has had a request.
    private var hasServed: [Bool]
    /// Idle connections, the most recently used last: few warm connections serve better than many cold ones.
    private var idle: [Int] = []
    /// First come, first served; `head` is the index of the first, so that taking one moves nothing.
    private var queue: [Waiting] = []
    private var head = 0
    /// Goes back to its first step when a connection serves a request, not when it is made: a PgBouncer that accepts and
    /// then drops every connection is no better than one that refuses them.
    private var backoff = Backoff()
    /// Between `hold` and `release`.
    package private(set) var isHeld = false
    /// No connection is opened before this time: the last attempt failed. 0 when it did not.
    package private(set) var notBefore: UInt64 = 0

    package var waiting: Int { queue.count - head }
    /// Whoever has waited longest.
    package var firstWaiting: UInt64? { waiting > 0 ? queue[head].request : nil }
    package var idleCount: Int { idle.count }
    /// Idle and assigned.
    package private(set) var openCount = 0
    package private(set) var connectingCount = 0
    package private(set) var retiringCount = 0
    package var assignedCount: Int { openCount - idle.count }

    /// - Parameters:
    ///   - size: server connections at most, 1 or more.
    ///   - queueLimit: requests that may wait, 0 or more. Who waits for a connection that may be opened now does not
    ///     count against it: a cold pool sheds nothing that it has room to serve.
    package init(size: Int, queueLimit: Int) {
        precondition(size >= 1 && queueLimit >= 0)
        self.size = size
        self.queueLimit = queueLimit
        servers = Array(repeating: .closed, count: size)
        hasServed = Array(repeating: false, count: size)
        idle.reserveCapacity(size)
    }

    // MARK: Requests

    package enum RequestAction: Equatable {
        case start(server: Int)
        /// It waits; `connect` is a connection to open for it, if one may be opened now.
        case wait(connect: Int?)
        /// The queue is full.
        case shed
    }

    /// A request wants a server connection; its wait ends at `deadline`, whatever else happens.
    package mutating func requestArrived(_ request: UInt64, deadline: UInt64, now: UInt64) -> RequestAction {
        if !isHeld, waiting == 0, let server = idle.popLast() {
            assign(server)
            return .start(server: server)
        }
        let mayBeServedSoon = !isHeld && now >= notBefore && waiting < size - openCount
        guard waiting < queueLimit || mayBeServedSoon else { return .shed }
        queue.append(Waiting(request: request, deadline: deadline))
        return .wait(connect: connectionToOpen(now: now))
    }

    /// A waiting request is not wanted any more. False when it does not wait here.
    package mutating func requestAbandoned(_ request: UInt64) -> Bool {
        guard let index = queue[head...].firstIndex(where: { $0.request == request }) else { return false }
        queue.remove(at: index)
        compact()
        return true
    }

    /// One waiting request whose deadline has passed, or nil; to be called until nil.
    package mutating func nextExpired(now: UInt64) -> UInt64? {
        guard let index = queue[head...].firstIndex(where: { $0.deadline <= now }) else { return nil }
        let request = queue.remove(at: index).request
        compact()
        return request
    }

    /// Takes every waiting request out, first come first.
    package mutating func takeAllWaiting() -> [UInt64] {
        defer {
            queue.removeAll(keepingCapacity: true)
            head = 0
        }
        return queue[head...].map(\.request)
    }

    /// The earliest deadline of those that wait.
    package var earliestDeadline: UInt64? {
        queue[head...].lazy.map(\.deadline).min()
    }

    // MARK: Holding

    /// A waiting request and the connection that is now its own.
    package struct Start: Equatable {
        package let request: UInt64
        package let server: Int

        package init(request: UInt64, server: Int) {
            self.request = request
            self.server = server
        }
    }

    /// What is sent now would only wait, or fail, behind the connections: until `release` no request gets one. Requests
    /// wait within the queue's limit, connections that fall idle park, and one is opened only when there is none.
    ///
    /// - Parameter deadline: until when a request that waits already does so from now on.
    package mutating func hold(until deadline: (UInt64) -> UInt64) {
        isHeld = true
        for index in queue.indices[head...] { queue[index].deadline = deadline(queue[index].request) }
    }

    /// An idle connection for a question of the pool's owner, whatever waits and whether it is held. It comes back by
    /// `serverReady` like any other.
    package mutating func lend() -> Int? {
        guard let server = idle.popLast() else { return nil }
        assign(server)
        return server
    }

    /// Ends `hold`. `connectDue` opens connections for those that still wait.
    ///
    /// - Returns: the first that waited, as many as there are idle connections.
    package mutating func release() -> [Start] {
        isHeld = false
        var starts: [Start] = []
        while waiting > 0, let server = idle.popLast(), let first = popFirst() {
            assign(server)
            starts.append(Start(request: first, server: server))
        }
        return starts
    }

    // MARK: Server connections

    package enum ServerAction: Equatable {
        /// The connection now belongs to this request, the first that waited.
        case start(request: UInt64)
        case park
        /// Nobody gets it any more: close it. For the pool it is closed already.
        case close
    }

    /// A connection was made, or what had it is done with it and it is clean.
    package mutating func serverReady(_ server: Int) -> ServerAction {
        switch servers[server] {
        case .connecting:
            connectingCount -= 1
            openCount += 1
            notBefore = 0
        case .assigned:
            // The pool became smaller: whichever is done first goes, and those that wait get the others.
            if openCount > size {
                forget(server)
                return .close
            }
        case .retiring:
            forget(server)
            return .close
        case .closed, .idle: preconditionFailure("a connection that is \(servers[server]) cannot fall idle")
        }
        if !isHeld, let first = popFirst() {
            assign(server)
            return .start(request: first)
        }
        servers[server] = .idle
        idle.append(server)
        return .park
    }

    package enum LossAction: Equatable {
        case none
        case connect(server: Int)
        /// Ask again (`connectDue`) at this time.
        case retry(at: UInt64)
    }

    /// A connection attempt failed: the next one waits, longer each time. Attempts that failed side by side are one
    /// failure: a pool of 20 that lost its PgBouncer would otherwise be at the longest wait at once. `jitter` is any
    /// number; it spreads the attempts of many daemons.
    package mutating func connectFailed(_ server: Int, now: UInt64, jitter: UInt64) -> LossAction {
        precondition(servers[server] == .connecting)
        forget(server)
        backOff(now: now, jitter: jitter)
        // Also when nobody waits: who comes before that time has no other way to be remembered.
        return .retry(at: notBefore)
    }

    /// An open connection is gone. One that never served anybody counts as a failed attempt, spread by `jitter`.
    package mutating func serverLost(_ server: Int, now: UInt64, jitter: UInt64 = 0) -> LossAction {
        switch servers[server] {
        case .idle: if !hasServed[server] { backOff(now: now, jitter: jitter) }
        case .assigned, .retiring: break
        case .closed, .connecting: preconditionFailure("a connection that is \(servers[server]) cannot be lost")
        }
        forget(server)
        return connectDue(now: now)
    }

    /// Opens one connection when one is wanted: somebody waits for it, or none is open (so that a pool that came back is
    /// seen). To be called when a retry is due, after a connection was made and after `release`, until it has none to
    /// open: while attempts fail only one is under way at a time, and those that wait behind it get theirs when it
    /// succeeds.
    package mutating func connectDue(now: UInt64) -> LossAction {
        guard openCount + connectingCount < size else { return .none }
        let isAwaited = !isHeld && waiting > connectingCount
        guard isAwaited || (openCount == 0 && connectingCount == 0) else { return .none }
        return connect(now: now)
    }

    /// Opens one connection for a question of the pool's owner when `lend` has none to give and there is room: all that are
    /// open may be pinned to transactions for long.
    package mutating func connectToAsk(now: UInt64) -> LossAction {
        guard idle.isEmpty, connectingCount == 0, openCount < size else { return .none }
        return connect(now: now)
    }

    private mutating func connect(now: UInt64) -> LossAction {
        if now < notBefore { return .retry(at: notBefore) }
        if notBefore > 0 && connectingCount > 0 { return .none }
        let server = servers.firstIndex(of: .closed) ?? addPlace()
        servers[server] = .connecting
        connectingCount += 1
        return .connect(server: server)
    }

    // MARK: Reloads

    /// A reload changed the pool's size or its queue: who waits goes on waiting, also beyond the new limit. When the pool
    /// is smaller now, what is surplus goes at once as far as nobody has it: first what is being made, then the coldest of
    /// what is idle. What is in use goes when it is done, as `serverReady` says. `connectDue` opens what a larger pool has
    /// room for.
    /// - Returns: connections to close. For the pool they are closed already.
    package mutating func resized(to size: Int, queueLimit: Int) -> [Int] {
        precondition(size >= 1 && queueLimit >= 0)
        self.size = size
        self.queueLimit = queueLimit
        var surplus = max(0, openCount + connectingCount - size)
        var leaving: [Int] = []
        for server in servers.indices.reversed() where surplus > 0 && servers[server] == .connecting {
            leaving.append(server)
            surplus -= 1
        }
        leaving += idle.prefix(surplus)
        for server in leaving { forget(server) }
        return leaving
    }

    /// A reload changed where the pool connects to: nothing that was opened there serves a new request. What is in use
    /// goes when it is done. The new address is another server: what is known of failures does not hold for it.
    /// - Returns: connections to close. For the pool they are closed already.
    package mutating func readdressed() -> [Int] {
        backoff = Backoff()
        notBefore = 0
        var leaving: [Int] = []
        for server in servers.indices {
            switch servers[server] {
            case .connecting, .idle: leaving.append(server)
            case .assigned:
                servers[server] = .retiring
                openCount -= 1
                retiringCount += 1
            case .closed, .retiring: break
            }
        }
        for server in leaving { forget(server) }
        return leaving
    }

    // MARK: Inside

    private mutating func addPlace() -> Int {
        servers.append(.closed)
        hasServed.append(false)
        return servers.count - 1
    }

    /// The connection is gone, or goes: nothing of it stays but its place.
    private mutating func forget(_ server: Int) {
        switch servers[server] {
        case .closed: preconditionFailure("a closed connection cannot go")
        case .connecting: connectingCount -= 1
        case .idle:
            idle.removeAll { $0 == server }
            openCount -= 1
        case .assigned: openCount -= 1
        case .retiring: retiringCount -= 1
        }
        servers[server] = .closed
        hasServed[server] = false
    }

    private mutating func connectionToOpen(now: UInt64) -> Int? {
        if case .connect(let server) = connectDue(now: now) { return server }
        return nil
    }

    private mutating func assign(_ server: Int) {
        servers[server] = .assigned
        hasServed[server] = true
        backoff = Backoff()
    }

    private mutating func backOff(now: UInt64, jitter: UInt64) {
        guard now >= notBefore else { return }
        notBefore = now &+ backoff.next(jitter: jitter)
    }

    private mutating func popFirst() -> UInt64? {
        guard waiting > 0 else { return nil }
        let first = queue[head].request
        head += 1
        compact()
        return first
    }

    /// Drops the served front once it is the larger half, so that each entry is moved at most once.
    private mutating func compact() {
        if head == queue.count {
            queue.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64 && head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }
}

/// Waits between attempts: 10 ms, doubling to 1 s, each shortened by up to a half so that many daemons do not knock at
/// the same moment.
package struct Backoff: Equatable {
    package static let first: UInt64 = 10_000_000
    package static let longest: UInt64 = 1_000_000_000
    private var step = Backoff.first

    package init() {}

    /// Nanoseconds until the next attempt.
    package mutating func next(jitter: UInt64) -> UInt64 {
        let wait = step
        step = min(step * 2, Backoff.longest)
        return wait - jitter % (wait / 2)
    }
}
