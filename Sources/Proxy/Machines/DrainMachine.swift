/// Decides how the daemon ends: stop accepting, answer what was sent, roll back what idles, then exit; at once when
/// asked twice or when the time is over.
package struct DrainMachine: Equatable {
    package enum State: Equatable {
        /// Can go to: draining, ended.
        case serving
        /// Can go to: ended.
        case draining(until: UInt64)
        case ended
    }

    package private(set) var state = State.serving
    /// Nanoseconds that a drain may take.
    package var timeout: UInt64

    package init(timeout: UInt64) {
        self.timeout = timeout
    }

    package enum Action: Equatable {
        case none
        /// Stop accepting, end every client's input, turn away what waits; look again at `until`.
        case drain(until: UInt64)
        /// Every client is gone: exit 0.
        case exitDrained
        /// Cut what is left and exit.
        case exitNow
    }

    /// TERM, or the DRAIN verb. The second one ends the daemon now.
    package mutating func drainRequested(clients: Int, now: UInt64) -> Action {
        switch state {
        case .serving:
            guard clients > 0 else {
                state = .ended
                return .exitDrained
            }
            state = .draining(until: now &+ timeout)
            return .drain(until: now &+ timeout)
        case .draining:
            state = .ended
            return .exitNow
        case .ended: return .none
        }
    }

    /// INT.
    package mutating func exitRequested() -> Action {
        guard state != .ended else { return .none }
        state = .ended
        return .exitNow
    }

    package mutating func clientGone(clients: Int) -> Action {
        guard case .draining = state, clients == 0 else { return .none }
        state = .ended
        return .exitDrained
    }

    package mutating func deadlinePassed(now: UInt64) -> Action {
        guard case .draining(let until) = state, now >= until else { return .none }
        state = .ended
        return .exitNow
    }
}
