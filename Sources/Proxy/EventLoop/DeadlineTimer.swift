import CLibEvent
import Glibc

/// Calls once when a moment has come, never before it, and up to about 10 ms after it (the kernel's coarse clock).
///
/// Made for deadlines that are set for every request and hardly ever reached: moving one later, or clearing it, only
/// writes a number. The armed event then fires early once and is armed again for what is left, or is given back.
package final class DeadlineTimer {
    private static let never = UInt64.max

    private let loop: EventLoop
    private let onDeadline: () -> Void
    private var event: OpaquePointer?
    private var deadline = DeadlineTimer.never
    /// The moment for which libevent is armed.
    private(set) var armedFor = DeadlineTimer.never

    package init(loop: EventLoop, onDeadline: @escaping () -> Void) {
        self.loop = loop
        self.onDeadline = onDeadline
    }

    deinit {
        if let event { pointsman_event_free(event) }
    }

    /// Asks for the call at `at` (nanoseconds of `EventLoop.now`) in place of an earlier wish. A moment that is past
    /// means the next turn.
    package func set(at moment: UInt64) {
        deadline = min(moment, DeadlineTimer.never - 1)
        if deadline < armedFor { arm() }
    }

    /// Takes the wish back.
    package func clear() {
        deadline = DeadlineTimer.never
    }

    /// Whether a call is still to come.
    package var isSet: Bool { deadline != DeadlineTimer.never }

    private func arm() {
        if event == nil {
            let context = Unmanaged.passUnretained(self).toOpaque()
            event = pointsman_timer_create(loop.base, { _, _, context in DeadlineTimer.fired(context) }, context)
        }
        let now = loop.now
        let wait = deadline > now ? deadline - now : 0
        guard let event, pointsman_timer_arm(event, wait) == 0 else { fatalError("no memory for a timer") }
        armedFor = deadline
    }

    private static func fired(_ context: UnsafeMutableRawPointer?) {
        guard let context else { fatalError("an event without its timer") }
        // Held while the callback runs: it may drop the last other reference.
        Unmanaged<DeadlineTimer>.fromOpaque(context).takeUnretainedValue().fired()
    }

    private func fired() {
        armedFor = DeadlineTimer.never
        if deadline == DeadlineTimer.never {
            // An idle client pays for no timer.
            if let event { pointsman_event_free(event) }
            event = nil
        } else if deadline > loop.now {
            arm()
        } else {
            deadline = DeadlineTimer.never
            onDeadline()
        }
    }
}
