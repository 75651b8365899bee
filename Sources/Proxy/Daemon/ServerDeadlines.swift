import EventLoop
import Machines
import Upstream

/// Cancels, deadlines, and clients that leave while their statement runs.
extension ServerDriver {
    /// From the deadline to the reply: the time that a cancel has to bring the server's own answer. Every request ends
    /// within its deadline and 100 ms.
    static let cancelGrace: UInt64 = 80_000_000
    /// Behind a deadline that the server was told, its own word is waited for a little: a cancel that is not needed is not
    /// sent, because PgBouncer before 1.21 can die of one.
    static let serverTimeoutGrace: UInt64 = 20_000_000
    /// Between a cancel that had no effect and the next one.
    private static let cancelInterval: UInt64 = 15_000_000
    /// From there to the end of the connection, when neither cancel nor Sync comes back.
    static let cancelPatience: UInt64 = 5_000_000_000

    /// Asks the server to stop what runs for this exchange. The reply comes as always, most likely 57014.
    func cancel(_ exchange: Exchange) {
        guard running === exchange else { return }
        cancelBatch()
    }

    private func cancelBatch() {
        guard let link else { return }
        guard machine.cancelRequested() == .send else { return }
        pool.telemetry.counters.add(.cancelsSent)
        if !worker.startCancel(of: link, for: self) { close(reason: "too many cancels are under way", as: .stuck) }
    }

    func cancelReturned(isDelivered: Bool) {
        if !isDelivered { pool.telemetry.counters.add(.cancelsFailed) }
        switch machine.cancelReturned() {
        case .none: break
        case .stillBusy:
            // Its answer may be on the way. If not, the next one may reach the host that runs the statement.
            let timer = cancelTimer ?? DeadlineTimer(loop: worker.loop) { [unowned self] in cancelBatch() }
            cancelTimer = timer
            timer.set(at: worker.loop.now &+ Self.cancelInterval)
        case .ready:
            waiting = .nothing
            timer?.clear()
            becameFree()
        }
    }

    /// The client is gone: what runs is cancelled, its results are discarded, its transaction ends.
    func clientLeft(_ exchange: Exchange) {
        if exchange.mayWrite { pool.telemetry.counters.add(.orphanedWrites) }
        exchange.client = nil
        if isPaused { resume() }
        cancel(exchange)
        if isBusy {
            waiting = .quiet
            timer?.set(at: worker.loop.now &+ Self.cancelPatience)
        }
    }

    func deadlinePassed() {
        switch waiting {
        case .nothing: break
        case .connection: close(reason: "no connection within \(pool.settings.connectTimeoutMilliseconds) ms")
        case .deadline:
            guard let exchange = running else { return }
            if exchange.isOwnQuestion {
                // Not worth a cancel.
                exchange.givenUp()
                return close(reason: "a question of the daemon's own was not answered in time", as: .stuck)
            }
            exchange.isOverdue = true
            waiting = .answerToCancel
            timer?.set(at: exchange.deadline &+ Self.cancelGrace)
            cancel(exchange)
        case .answerToCancel:
            waiting = .quiet
            timer?.set(at: worker.loop.now &+ Self.cancelPatience)
            running?.givenUp()
            if isPaused { resume() }
        case .quiet: close(reason: "no answer to a cancel", as: .stuck)
        }
    }
}
