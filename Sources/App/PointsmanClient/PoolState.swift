/// Who has which connection, who waits, and when to connect: numbers only, no I/O and no clock.
struct PoolState {
    enum Action: Hashable, Sendable {
        /// Open a connection under this number.
        case connect(Int)
        /// Give this connection to this waiter.
        case lease(connection: Int, waiter: UInt64)
        /// This waiter gets no connection.
        case refuse(waiter: UInt64, Refusal)
        case close(Int)
        /// Say ``backoffOver()`` after so many failures in a row.
        case backOff(failures: Int)
    }

    enum Refusal: Hashable, Sendable { case tooManyWaiting, closed }

    private enum Slot { case connecting, idle, leased }

    let maximumConnections: Int
    let maximumWaiting: Int
    private var slots: [Int: Slot] = [:]
    /// The last given back is used first, so that surplus connections stay idle. Never holds a dead one.
    private var idle: [Int] = []
    private var waiters: [UInt64] = []
    private var lastNumber = 0
    private var failures = 0
    private var isBackingOff = false
    private var isClosed = false

    init(maximumConnections: Int, maximumWaiting: Int) {
        self.maximumConnections = maximumConnections
        self.maximumWaiting = maximumWaiting
    }

    /// Whether somebody has a connection; else those who wait, wait for the daemon.
    var isBusy: Bool { slots.values.contains(.leased) }
    var connectionCount: Int { slots.count }
    var waitingCount: Int { waiters.count }
    var idleCount: Int { idle.count }

    // MARK: Events

    mutating func wanted(by waiter: UInt64) -> [Action] {
        if isClosed { return [.refuse(waiter: waiter, .closed)] }
        if waiters.isEmpty, let connection = idle.popLast() {
            slots[connection] = .leased
            return [.lease(connection: connection, waiter: waiter)]
        }
        guard waiters.count < maximumWaiting else { return [.refuse(waiter: waiter, .tooManyWaiting)] }
        waiters.append(waiter)
        return connectIfNeeded()
    }

    /// The waiter's time is over, or its task was cancelled.
    ///
    /// - Returns: whether it was still waiting; if not, it has been given a connection or a refusal.
    mutating func gaveUp(_ waiter: UInt64) -> Bool {
        guard let index = waiters.firstIndex(of: waiter) else { return false }
        waiters.remove(at: index)
        return true
    }

    mutating func connected(_ connection: Int) -> [Action] {
        failures = 0
        // It may have ended, or the pool may have been closed, while HELLO was under way.
        guard slots[connection] != nil else { return [.close(connection)] }
        return offer(connection) + connectIfNeeded()
    }

    mutating func connectFailed(_ connection: Int) -> [Action] {
        slots[connection] = nil
        failures += 1
        guard !isBackingOff, !isClosed else { return [] }
        isBackingOff = true
        return [.backOff(failures: failures)]
    }

    mutating func backoffOver() -> [Action] {
        isBackingOff = false
        return connectIfNeeded()
    }

    /// The lease is over.
    mutating func givenBack(_ connection: Int, isReusable: Bool) -> [Action] {
        guard slots[connection] != nil else { return connectIfNeeded() }
        if isReusable, !isClosed { return offer(connection) }
        slots[connection] = nil
        return [.close(connection)] + connectIfNeeded()
    }

    /// The connection is gone, in whatever state it was.
    mutating func ended(_ connection: Int) -> [Action] {
        // A leased one leaves when it is given back, one that connects when that has failed: each says so itself.
        guard slots[connection] == .idle else { return [] }
        slots[connection] = nil
        idle.removeAll { $0 == connection }
        return [.close(connection)]
    }

    mutating func closed() -> [Action] {
        isClosed = true
        let refusals = waiters.map { Action.refuse(waiter: $0, .closed) }
        let closes = slots.keys.sorted().map { Action.close($0) }
        waiters.removeAll()
        idle.removeAll()
        slots.removeAll()
        return refusals + closes
    }

    // MARK: Rules

    private mutating func offer(_ connection: Int) -> [Action] {
        guard !waiters.isEmpty else {
            slots[connection] = .idle
            idle.append(connection)
            return []
        }
        slots[connection] = .leased
        return [.lease(connection: connection, waiter: waiters.removeFirst())]
    }

    /// As many attempts as there are waiters without one; but one at a time after a failure, so that a daemon that
    /// comes back is not met by a storm.
    private mutating func connectIfNeeded() -> [Action] {
        var connecting = slots.values.count { $0 == .connecting }
        let atMost = failures == 0 ? waiters.count : min(1, waiters.count)
        var actions: [Action] = []
        while !isBackingOff, !isClosed, connecting < atMost, slots.count < maximumConnections {
            lastNumber += 1
            slots[lastNumber] = .connecting
            connecting += 1
            actions.append(.connect(lastNumber))
        }
        return actions
    }
}
