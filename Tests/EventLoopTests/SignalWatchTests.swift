import Glibc
import Testing

@testable import EventLoop

/// In processes of their own: libevent knows one loop for the signals of a process.
@Suite struct SignalWatchTests {
    @Test func aSignalComesAsAnOrdinaryCallback() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop()
            var log: [String] = []
            let hangup = try SignalWatch(loop: loop, signal: SIGHUP) {
                log.append("hangup")
                kill(getpid(), SIGTERM)
            }
            let terminate = try SignalWatch(loop: loop, signal: SIGTERM) {
                log.append("terminate")
                loop.stop()
            }
            // From a callback, as in life: the loop waits when the signal comes.
            let start = DeadlineTimer(loop: loop) { kill(getpid(), SIGHUP) }
            start.set(at: loop.now + millisecond)
            runUntilStopped(loop)
            #expect(log == ["hangup", "terminate"])
            hangup.cancel()
            terminate.cancel()
        }
    }

    @Test func aCancelledWatchGivesTheSignalItsFormerMeaningBack() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let loop = try EventLoop()
            var calls = 0
            let watch = try SignalWatch(loop: loop, signal: SIGTERM) {
                calls += 1
                loop.stop()
            }
            kill(getpid(), SIGTERM)
            runUntilStopped(loop)
            #expect(calls == 1)
            watch.cancel()
            kill(getpid(), SIGTERM)
        }
    }

    @Test func aSignalThatCannotBeCaughtIsAnError() throws {
        let loop = try EventLoop()
        #expect(throws: EventLoopError.self) { try SignalWatch(loop: loop, signal: SIGKILL) {} }
    }
}
