import Glibc
import Testing

@testable import EventLoop

@Suite struct EventLoopTests {
    @Test func runReturnsWhenNothingCanWakeIt() throws {
        let loop = try EventLoop()
        var isDone = false
        loop.atEndOfTurn { isDone = true }
        loop.run()
        #expect(isDone)
    }

    @Test func workForTheEndRunsAfterAllCallbacksOfTheTurnInOrder() throws {
        let loop = try EventLoop()
        let pairs = [try SocketPair(), try SocketPair()]
        var log: [String] = []
        let watches = pairs.map { pair in
            FileWatch(loop: loop, fileDescriptor: pair.left) {
                log.append("callback " + receive(from: pair.left))
                loop.atEndOfTurn { log.append("end") }
            } onWritable: {
            }
        }
        for watch in watches { watch.wantsRead = true }
        for pair in pairs { send("x", to: pair.right) }
        loop.atEndOfTurn {
            loop.atEndOfTurn {
                // Work that work adds runs in the next turn, which does not wait.
                log.append("next turn")
                loop.atEndOfTurn { loop.stop() }
            }
        }
        runUntilStopped(loop)
        #expect(log == ["callback x", "callback x", "end", "end", "next turn"] || log.last == "next turn")
        #expect(log.prefix(2) == ["callback x", "callback x"])
        #expect(log.count == 5)
    }

    @Test func aDescriptorThatIsAlwaysReadyDoesNotHoldUpTheEndOfTheTurn() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        var log: [String] = []
        let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
            log.append("callback")
            if log.count == 1000 {
                _ = receive(from: pair.left)
                loop.stop()
            }
        } onWritable: {
        }
        watch.wantsRead = true
        send("never read", to: pair.right)
        func work() {
            log.append("end")
            if log.count == 10 { loop.stop() } else { loop.atEndOfTurn(work) }
        }
        loop.atEndOfTurn(work)
        runUntilStopped(loop)
        #expect(log == (0..<5).flatMap { _ in ["callback", "end"] })
    }

    @Test func nowStandsStillForOneTurn() throws {
        let loop = try EventLoop()
        var first: UInt64 = 0
        loop.atEndOfTurn {
            first = loop.now
            let later = EventLoop.monotonicNanoseconds() + millisecond
            while EventLoop.monotonicNanoseconds() < later {}
            #expect(loop.now == first)
            loop.atEndOfTurn {
                #expect(loop.now >= first + millisecond)
                let second = loop.now
                let later = EventLoop.monotonicNanoseconds() + millisecond
                while EventLoop.monotonicNanoseconds() < later {}
                loop.refreshNow()
                #expect(loop.now >= second + millisecond)
                loop.stop()
            }
        }
        loop.run()
        #expect(first > 0)
    }

    @Test func stopLetsTheTurnFinish() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        var log: [String] = []
        let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
            loop.stop()
            loop.atEndOfTurn { log.append("end") }
            log.append("callback")
        } onWritable: {
        }
        watch.wantsRead = true
        send("x", to: pair.right)
        runUntilStopped(loop)
        #expect(log == ["callback", "end"])
        // And it can run again.
        runUntilStopped(loop)
        #expect(log == ["callback", "end", "callback", "end"])
    }

    @Test func aLoopGivesItsDescriptorsBack() async {
        await #expect(processExitsWith: .success) {
            let before = openDescriptors()
            for _ in 0..<50 {
                let loop = try EventLoop()
                let timer = DeadlineTimer(loop: loop) { loop.stop() }
                timer.set(at: 0)
                loop.run()
            }
            // A loop has three; the runtime's own threads may open one or two of theirs meanwhile.
            #expect(openDescriptors() < before + 50)
        }
    }

    @Test func threadRunsWithTheStackItAsksFor() throws {
        final class Outcome: Sendable {
            let mailbox: Mailbox<Int>
            init() throws { mailbox = try Mailbox() }
        }
        let outcome = try Outcome()
        // 16,000 frames of a kilobyte: more than the 8 MiB that a thread has otherwise.
        try Thread.run(name: "a name that is too long for the kernel", stackSize: 64 << 20) {
            outcome.mailbox.post(depth(of: 16_000))
        }
        let loop = try EventLoop()
        var got: [Int] = []
        let watch = MailboxWatch(loop: loop, mailbox: outcome.mailbox) { messages in
            got += messages
            loop.stop()
        }
        runUntilStopped(loop)
        #expect(got == [16_000])
        watch.cancel()
    }

    @Test func aWrongStackSizeIsAnError() {
        #expect(throws: EventLoopError(operation: "stack of 1 bytes", number: EINVAL)) {
            try Thread.run(stackSize: 1) {}
        }
    }
}

/// Calls itself so many times, with a kilobyte of stack in each call.
@inline(never) private func depth(of calls: Int) -> Int {
    guard calls > 0 else { return 0 }
    return withUnsafeTemporaryAllocation(byteCount: 1000, alignment: 1) { bytes in
        bytes[calls % 1000] = 1
        return depth(of: calls - 1) + Int(bytes[calls % 1000])
    }
}
