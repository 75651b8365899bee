/// Decides what a connection to PgBouncer's console does next: connect, ask a round of questions, send a command, rest,
/// try again. One thing at a time, and whatever does not end in time ends the connection.
///
/// Questions are known by how many are left of a round; which they are is the caller's. Times are monotonic nanoseconds.
package struct ConsoleMachine: Equatable {
    package enum State: Equatable {
        /// The next attempt is due at `notBefore`. Can go to: connecting.
        case closed
        /// Can go to: beginning, closed.
        case connecting
        /// A round begins, and how many questions it has is not said yet. Can go to: asking, closed.
        case beginning
        /// So many questions are left behind the one under way. Can go to: asking, commanding, resting, closed.
        case asking(left: Int)
        /// Can go to: asking, commanding, resting, closed.
        case commanding(left: Int)
        /// Can go to: beginning, commanding, closed.
        case resting
    }

    /// How long connecting, or one answer, may take.
    package static let patience: UInt64 = 5_000_000_000

    package private(set) var state = State.closed
    /// From the end of a round to the start of the next.
    package var interval: UInt64
    /// Waits for its turn, each once.
    private var commands: [String] = []
    /// Goes back to its first step when a round is over.
    private var backoff = Backoff()

    package init(interval: UInt64) {
        self.interval = interval
    }

    package enum Action: Equatable {
        case none
        case connect(giveUpAt: UInt64)
        /// A round begins: say by `roundBegins` how many questions it has.
        case beginRound
        /// The next question of the round.
        case ask(giveUpAt: UInt64)
        case command(String, giveUpAt: UInt64)
        /// The round is over; come back (`timePassed`) then.
        case rest(until: UInt64)
        /// Close the connection, and come back then.
        case retry(at: UInt64)
    }

    /// The first connection is wanted, or the settings lead elsewhere now: what there was of a connection is closed.
    package mutating func started(now: UInt64) -> Action {
        state = .connecting
        backoff = Backoff()
        return .connect(giveUpAt: now &+ Self.patience)
    }

    package mutating func connected() -> Action {
        precondition(state == .connecting)
        return beginRound()
    }

    /// The first of so many questions, 1 or more.
    package mutating func roundBegins(questions: Int, now: UInt64) -> Action {
        precondition(state == .beginning && questions > 0)
        state = .asking(left: questions - 1)
        return .ask(giveUpAt: now &+ Self.patience)
    }

    /// The question under way was answered, or the command, well or with an error.
    package mutating func answered(now: UInt64) -> Action {
        let left: Int
        switch state {
        case .asking(let questions), .commanding(let questions): left = questions
        case .closed, .connecting, .beginning, .resting: preconditionFailure("an answer while it is \(state)")
        }
        if let command = nextCommand(left: left, now: now) { return command }
        if left > 0 {
            state = .asking(left: left - 1)
            return .ask(giveUpAt: now &+ Self.patience)
        }
        state = .resting
        backoff = Backoff()
        return .rest(until: now &+ interval)
    }

    /// A command is wanted once, as soon as may be; also when it waits for a connection already.
    package mutating func commandWanted(_ command: String, now: UInt64) -> Action {
        if !commands.contains(command) { commands.append(command) }
        guard state == .resting else { return .none }
        return nextCommand(left: 0, now: now) ?? .none
    }

    /// The time that an action named has come.
    package mutating func timePassed(now: UInt64, jitter: UInt64) -> Action {
        switch state {
        case .closed:
            state = .connecting
            return .connect(giveUpAt: now &+ Self.patience)
        case .resting: return beginRound()
        case .connecting, .beginning, .asking, .commanding: return lost(now: now, jitter: jitter)
        }
    }

    /// The connection failed, or is gone. `jitter` is any number; it spreads the attempts of many daemons.
    package mutating func lost(now: UInt64, jitter: UInt64) -> Action {
        precondition(state != .closed)
        state = .closed
        return .retry(at: now &+ backoff.next(jitter: jitter))
    }

    private mutating func beginRound() -> Action {
        state = .beginning
        return .beginRound
    }

    private mutating func nextCommand(left: Int, now: UInt64) -> Action? {
        guard !commands.isEmpty else { return nil }
        state = .commanding(left: left)
        return .command(commands.removeFirst(), giveUpAt: now &+ Self.patience)
    }
}
