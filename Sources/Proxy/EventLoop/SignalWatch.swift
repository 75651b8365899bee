import CLibEvent
import Glibc

/// Calls on the loop's thread, in an ordinary turn, when the process gets a signal. Signals that come faster than turns
/// may be told as one.
///
/// libevent lets one loop of a process have signals: the main loop.
package final class SignalWatch {
    private let loop: EventLoop
    private let onSignal: () -> Void
    private var event: OpaquePointer?

    /// Takes over the signal until `cancel()`. Fails when `signal` is not one that can be caught, or on no memory.
    package init(loop: EventLoop, signal: Int32, onSignal: @escaping () -> Void) throws(EventLoopError) {
        self.loop = loop
        self.onSignal = onSignal
        let context = Unmanaged.passUnretained(self).toOpaque()
        event = pointsman_signal_create(loop.base, signal, { _, _, context in SignalWatch.came(context) }, context)
        guard let event, pointsman_event_add(event) == 0 else {
            throw EventLoopError(operation: "watch signal \(signal)", number: errno)
        }
    }

    deinit {
        cancel()
    }

    /// Gives the signal its former meaning back.
    package func cancel() {
        if let event { pointsman_event_free(event) }
        event = nil
    }

    private static func came(_ context: UnsafeMutableRawPointer?) {
        guard let context else { fatalError("an event without its signal") }
        let watch = Unmanaged<SignalWatch>.fromOpaque(context).takeUnretainedValue()
        watch.onSignal()
    }
}
