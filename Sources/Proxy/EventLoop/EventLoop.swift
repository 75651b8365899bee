// Owners of libevent things. Everything here but `Mailbox` and `Thread` belongs to the thread that runs its loop:
// plain classes, made on that thread, used on it, never handed to another.

import CLibEvent
import Glibc

/// A call to the operating system or to libevent that failed when a loop, a watch or a thread was made.
package struct EventLoopError: Error, Equatable, CustomStringConvertible {
    /// What was tried, for instance `eventfd`.
    package let operation: String
    /// The error number that it left.
    package let number: Int32

    package var description: String { "\(operation): \(String(cString: strerror(number)))" }
}

/// One thread's loop: waits for descriptors, timers and signals, and runs their callbacks.
///
/// A *turn* is one wait and all the callbacks that it made due, then the work left for the end of the turn.
package final class EventLoop {
    let base: OpaquePointer
    private var isStopping = false
    private var isNowKnown = false
    private var turnTime: UInt64 = 0
    /// A closure inside a struct: as an array's own element it would be wrapped anew, on the heap, each time.
    private struct Work {
        let run: () -> Void
    }

    private var deferred: [Work] = []
    private var running: [Work] = []

    /// Fails when there is no memory or no descriptor left.
    package init() throws(EventLoopError) {
        guard let base = pointsman_loop_create() else {
            throw EventLoopError(operation: "event_base_new", number: errno)
        }
        self.base = base
    }

    deinit {
        pointsman_loop_free(base)
    }

    /// Takes turns until `stop()`; returns also when nothing is registered that could ever wake it.
    package func run() {
        isStopping = false
        while turn(), !isStopping {}
    }

    /// One turn; it waits unless work is left from the last one. False: nothing is registered and nothing is left.
    func turn() -> Bool {
        isNowKnown = false
        let outcome = pointsman_loop_turn(base, deferred.isEmpty)
        guard outcome >= 0 else {
            fatalError("the event loop cannot wait: \(String(cString: strerror(errno)))")
        }
        runDeferred()
        return outcome == 0 || !deferred.isEmpty
    }

    /// Makes `run()` return at the end of this turn. Call it from a callback.
    package func stop() {
        isStopping = true
    }

    /// Runs `work` once, after the callbacks of this turn and before the next wait. Work that is added meanwhile runs
    /// at the end of the next turn, which then does not wait.
    package func atEndOfTurn(_ work: @escaping () -> Void) {
        deferred.append(Work(run: work))
    }

    /// Nanoseconds of CLOCK_MONOTONIC, read when first asked for in a turn and then the same until the turn ends.
    package var now: UInt64 {
        if !isNowKnown { refreshNow() }
        return turnTime
    }

    /// Reads the clock again, after work that took long or outside `run()`.
    package func refreshNow() {
        turnTime = EventLoop.monotonicNanoseconds()
        isNowKnown = true
    }

    /// CLOCK_MONOTONIC in nanoseconds.
    package static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    private func runDeferred() {
        guard !deferred.isEmpty else { return }
        // Two arrays change places, so that the memory of both is used again.
        swap(&deferred, &running)
        for work in running { work.run() }
        running.removeAll(keepingCapacity: running.count <= 256)
    }
}
