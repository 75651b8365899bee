import Foundation

/// What a test ends with when something that it waits for did not happen, or was not as agreed.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// A moment until which a test is ready to wait. Every wait in the tests has one: nothing sleeps and hopes.
package struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    package init(after duration: Duration) {
        end = ContinuousClock.now + duration
    }

    package var hasPassed: Bool { ContinuousClock.now >= end }

    /// Milliseconds that are left, rounded up, as `poll(2)` wants them; 0 when it has passed.
    package var remainingMilliseconds: Int32 {
        let left = end - ContinuousClock.now
        guard left > .zero else { return 0 }
        return Int32(min(left.milliseconds + 1, 600_000))
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    package var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}

/// Asks again and again until the condition holds.
///
/// - Throws: `TestFailure` naming `what` when it does not hold within the time, or what the condition throws.
package func eventually(
    _ what: @autoclosure () -> String, within duration: Duration = .seconds(10),
    every pause: Duration = .milliseconds(10),
    _ condition: () throws -> Bool
) throws {
    let deadline = Deadline(after: duration)
    while true {
        if try condition() { return }
        if deadline.hasPassed { throw TestFailure("\(what()): not within \(duration)") }
        usleep(UInt32(pause.milliseconds) * 1000)
    }
}

/// How long the work took.
package func elapsed(_ work: () throws -> Void) rethrows -> Duration {
    let start = ContinuousClock.now
    try work()
    return ContinuousClock.now - start
}
