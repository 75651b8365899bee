import Glibc
import Testing

@testable import EventLoop

@Suite struct FileWatchTests {
    @Test func readableIsToldAgainUntilRead() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        var calls = 0
        let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
            calls += 1
            // Level-triggered: what was not read is told again.
            if calls == 3 {
                #expect(receive(from: pair.left) == "hello")
                loop.stop()
            }
        } onWritable: {
            Issue.record("writing was not asked for")
        }
        watch.wantsRead = true
        watch.wantsRead = true
        send("hello", to: pair.right)
        runUntilStopped(loop)
        #expect(calls == 3)
        #expect(watch.wantsRead)
    }

    @Test func withoutAWishNothingIsTold() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
            Issue.record("reading is not wanted")
        } onWritable: {
            loop.stop()
        }
        watch.wantsRead = true
        watch.wantsRead = false
        send("hello", to: pair.right)
        watch.wantsWrite = true
        runUntilStopped(loop)
        #expect(!watch.wantsRead)
        #expect(watch.wantsWrite)
    }

    @Test func writableComesWhenThePeerHasRead() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        var queue = ByteQueue()
        let block = [UInt8](repeating: 7, count: 1 << 20)
        block.withUnsafeBytes { queue.append($0) }
        #expect(queue.write(to: pair.left) == .wouldBlock)
        var isDrained = false
        var taken = 0
        var writer: FileWatch?
        writer = FileWatch(loop: loop, fileDescriptor: pair.left) {
        } onWritable: {
            if queue.write(to: pair.left) == .drained {
                isDrained = true
                writer?.wantsWrite = false
            }
        }
        var sink = ByteQueue()
        let reader = FileWatch(loop: loop, fileDescriptor: pair.right) {
            if case .bytes(let count) = sink.read(from: pair.right, upTo: 65536) { taken += count }
            sink.consume(sink.count)
            if taken == 1 << 20 { loop.stop() }
        } onWritable: {
        }
        writer?.wantsWrite = true
        reader.wantsRead = true
        runUntilStopped(loop)
        #expect(isDrained)
        #expect(taken == 1 << 20)
        writer?.cancel()
    }

    @Test func endOfFileIsReadable() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        var outcome: ReadOutcome?
        let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
            var queue = ByteQueue()
            outcome = queue.read(from: pair.left, upTo: 100)
            loop.stop()
        } onWritable: {
        }
        watch.wantsRead = true
        pair.closeRight()
        runUntilStopped(loop)
        #expect(outcome == .endOfFile)
    }

    @Test func cancelledAndReleasedInItsOwnCallback() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        weak var released: FileWatch?
        var calls = 0
        do {
            final class Holder { var watch: FileWatch? }
            let holder = Holder()
            let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
                calls += 1
                holder.watch?.cancel()
                holder.watch = nil
                send("more", to: pair.right)
                loop.atEndOfTurn { loop.atEndOfTurn { loop.stop() } }
            } onWritable: {
                // Due in the same turn, but the watch is cancelled by then.
                calls += 100
            }
            holder.watch = watch
            released = watch
            watch.wantsRead = true
            watch.wantsWrite = true
            send("x", to: pair.right)
        }
        #expect(released != nil)
        runUntilStopped(loop)
        // Reading is told before writing or after it; nothing is told after the cancel.
        #expect(calls == 1 || calls == 101)
        #expect(released == nil)
    }

    @Test func oneCallbackCancelsAnotherWatchThatIsDueInTheSameTurn() throws {
        let loop = try EventLoop()
        let first = try SocketPair()
        let second = try SocketPair()
        var calls = 0
        final class Holder { var watches: [FileWatch] = [] }
        let holder = Holder()
        for pair in [first, second] {
            let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
                calls += 1
                for watch in holder.watches { watch.cancel() }
                loop.atEndOfTurn { loop.stop() }
            } onWritable: {
            }
            watch.wantsRead = true
            holder.watches.append(watch)
        }
        send("x", to: first.right)
        send("x", to: second.right)
        runUntilStopped(loop)
        #expect(calls == 1)
    }

    @Test func aCancelledWatchLetsGoOfWhatItsCallbacksHold() throws {
        final class Driver {
            var watch: FileWatch?
        }
        let loop = try EventLoop()
        let pair = try SocketPair()
        weak var released: Driver?
        do {
            let driver = Driver()
            driver.watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
                driver.watch?.wantsRead = false
            } onWritable: {
            }
            released = driver
            driver.watch?.cancel()
            driver.watch?.wantsRead = true
            #expect(driver.watch?.wantsRead == false)
        }
        #expect(released == nil)
    }

    @Test func aCancelledWatchNoLongerKeepsTheLoop() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
        } onWritable: {
        }
        watch.wantsRead = true
        watch.wantsWrite = true
        watch.cancel()
        // Work for its end lets the turn not wait.
        loop.atEndOfTurn {}
        #expect(!loop.turn())
        withExtendedLifetime(watch) {}
    }

    @Test func theSameNumberCanBeWatchedAgain() throws {
        let loop = try EventLoop()
        for _ in 0..<3 {
            let pair = try SocketPair()
            var hasCome = false
            let watch = FileWatch(loop: loop, fileDescriptor: pair.left) {
                hasCome = true
                loop.stop()
            } onWritable: {
            }
            watch.wantsRead = true
            send("x", to: pair.right)
            runUntilStopped(loop)
            #expect(hasCome)
            watch.cancel()
        }
    }
}
