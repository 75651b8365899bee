import NIOCore
import Synchronization

/// Performs what ``PoolState`` decides: opens and closes connections, wakes those who wait for one.
final class ConnectionPool: Sendable {
    private struct Waiter {
        var continuation: CheckedContinuation<Result<Connection, PointsmanError>, Never>
        var timer: Scheduled<Void>?
    }

    private struct Inside {
        var state: PoolState
        var connections: [Int: Connection] = [:]
        var waiters: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
        /// Why the last attempt to connect failed; nil after one that did not.
        var lastFailure: PointsmanError?
    }

    private let configuration: PointsmanClient.Configuration
    private let group: any EventLoopGroup
    private let inside: Mutex<Inside>

    init(configuration: PointsmanClient.Configuration, group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
        inside = Mutex(
            Inside(
                state: PoolState(
                    maximumConnections: configuration.maximumConnections,
                    maximumWaiting: configuration.maximumWaiting)))
    }

    // MARK: Leases

    /// A connection for the caller alone, until ``giveBack(_:)``.
    func lease() async throws(PointsmanError) -> Connection {
        if Task.isCancelled { throw .cancelledBeforeSending }
        let number = inside.withLock { inside in
            inside.lastWaiter += 1
            return inside.lastWaiter
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wait(number, continuation)
            }
        } onCancel: {
            giveUp(number) { _ in .cancelledBeforeSending }
        }
        return try result.get()
    }

    func giveBack(_ connection: Connection) {
        let standing = connection.standing
        perform { $0.state.givenBack(connection.number, isReusable: standing.isReusable) }
    }

    func close() {
        perform { $0.state.closed() }
    }

    private func wait(
        _ number: UInt64, _ continuation: CheckedContinuation<Result<Connection, PointsmanError>, Never>
    ) {
        perform { inside in
            inside.waiters[number] = Waiter(continuation: continuation)
            return inside.state.wanted(by: number)
        }
        guard inside.withLock({ $0.waiters[number] != nil }) else { return }
        let milliseconds = TimeAmount(configuration.acquireTimeout).nanoseconds / 1_000_000
        let timer = group.any().scheduleTask(in: TimeAmount(configuration.acquireTimeout)) { [weak self] () -> Void in
            self?.giveUp(number) { inside in
                if let failure = inside.lastFailure { return failure }
                return inside.state.isBusy
                    ? .noConnectionFree(waitedMilliseconds: milliseconds)
                    : .cannotConnect("no connection was made within \(milliseconds) ms")
            }
        }
        let isServed = inside.withLock { inside in
            inside.waiters[number]?.timer = timer
            return inside.waiters[number] == nil
        }
        if isServed { timer.cancel() }
        // The task may have been cancelled before there was anything to give up.
        if Task.isCancelled { giveUp(number) { _ in .cancelledBeforeSending } }
    }

    private func giveUp(_ number: UInt64, _ reason: (borrowing Inside) -> PointsmanError) {
        let gone = inside.withLock { inside -> (Waiter, PointsmanError)? in
            guard inside.state.gaveUp(number), let waiter = inside.waiters.removeValue(forKey: number) else {
                return nil
            }
            return (waiter, reason(inside))
        }
        guard let (waiter, error) = gone else { return }
        waiter.timer?.cancel()
        waiter.continuation.resume(returning: .failure(error))
    }

    // MARK: What the state decides

    /// One event, and what follows from it; nothing is resumed, opened or closed while the lock is held.
    private func perform(_ event: (inout Inside) -> [PoolState.Action]) {
        var effects: [() -> Void] = []
        inside.withLock { inside in
            for action in event(&inside) {
                if let effect = prepare(action, &inside) { effects.append(effect) }
            }
        }
        for effect in effects { effect() }
    }

    private func prepare(_ action: PoolState.Action, _ inside: inout Inside) -> (() -> Void)? {
        switch action {
        case .connect(let number):
            return { self.connect(number) }
        case .lease(let number, let waiter):
            guard let connection = inside.connections[number] else { return nil }
            return resume(waiter, .success(connection), &inside)
        case .refuse(let waiter, .closed):
            return resume(waiter, .failure(.closed), &inside)
        case .refuse(let waiter, .tooManyWaiting):
            return resume(waiter, .failure(.tooManyWaiting(configuration.maximumWaiting)), &inside)
        case .close(let number):
            let connection = inside.connections.removeValue(forKey: number)
            return { connection?.close() }
        case .backOff(let failures):
            let delay = Backoff.delay(failures: failures, random: Double.random(in: 0..<1))
            return {
                _ = self.group.any().scheduleTask(in: delay) { [weak self] in self?.perform { $0.state.backoffOver() } }
            }
        }
    }

    private func resume(
        _ number: UInt64, _ result: Result<Connection, PointsmanError>, _ inside: inout Inside
    ) -> (() -> Void)? {
        guard let waiter = inside.waiters.removeValue(forKey: number) else { return nil }
        return {
            waiter.timer?.cancel()
            waiter.continuation.resume(returning: result)
        }
    }

    private func connect(_ number: Int) {
        Task { [self] in
            do throws(PointsmanError) {
                let connection = try await Connection.open(
                    number: number, configuration: configuration, group: group,
                    ended: { [weak self] in self?.perform { $0.state.ended(number) } })
                perform { inside in
                    // It may have ended before the pool knew it; its standing is set before `ended` is called.
                    guard !connection.standing.isSpent else { return inside.state.connectFailed(number) }
                    inside.connections[number] = connection
                    inside.lastFailure = nil
                    return inside.state.connected(number)
                }
            } catch {
                perform { inside in
                    inside.lastFailure = error
                    return inside.state.connectFailed(number)
                }
            }
        }
    }
}

/// How long to wait between attempts to connect.
enum Backoff {
    /// 10 ms, doubled with each failure up to 1 s, of which between a half and the whole is taken: clients that lost
    /// the same daemon do not come back at the same moment. `random` is at least 0 and below 1.
    static func delay(failures: Int, random: Double) -> TimeAmount {
        let milliseconds = min(1000, 10 << min(max(failures, 1) - 1, 10))
        return .microseconds(Int64(Double(milliseconds) * 1000 * (0.5 + random / 2)))
    }
}
