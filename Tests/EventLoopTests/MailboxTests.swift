import Glibc
import Testing

@testable import EventLoop

@Suite struct MailboxTests {
    private struct Letter: Sendable {
        let thread: Int
        let number: Int
    }

    @Test func fourThreadsPostAndEachOnesOrderIsKept() throws {
        let perThread = 100_000
        let mailbox = try Mailbox<Letter>()
        var threads: [PostingThread] = []
        for thread in 0..<4 {
            threads.append(
                try PostingThread {
                    for number in 0..<perThread { mailbox.post(Letter(thread: thread, number: number)) }
                })
        }
        let loop = try EventLoop()
        var next = [0, 0, 0, 0]
        var wakeups = 0
        let watch = MailboxWatch(loop: loop, mailbox: mailbox) { letters in
            wakeups += 1
            #expect(!letters.isEmpty)
            for letter in letters {
                if next[letter.thread] != letter.number { Issue.record("out of order") }
                next[letter.thread] += 1
            }
            if next.allSatisfy({ $0 == perThread }) { loop.stop() }
        }
        runUntilStopped(loop)
        for thread in threads { thread.join() }
        #expect(next == [perThread, perThread, perThread, perThread])
        #expect(wakeups > 0)
        watch.cancel()
    }

    @Test func whatWasPostedBeforeTheLoopExistedIsDelivered() throws {
        let mailbox = try Mailbox<String>()
        #expect(mailbox.post("first"))
        #expect(mailbox.post("second"))
        let loop = try EventLoop()
        var got: [[String]] = []
        let watch = MailboxWatch(loop: loop, mailbox: mailbox) { messages in
            got.append(messages)
            loop.stop()
        }
        runUntilStopped(loop)
        #expect(got == [["first", "second"]])
        watch.cancel()
    }

    @Test func aMessageThatIsPostedWhileOthersAreReadWakesTheLoopAgain() throws {
        let mailbox = try Mailbox<Int>()
        let loop = try EventLoop()
        var got: [[Int]] = []
        let watch = MailboxWatch(loop: loop, mailbox: mailbox) { messages in
            got.append(messages)
            if got.count == 3 { loop.stop() } else { mailbox.post(got.count) }
        }
        mailbox.post(0)
        runUntilStopped(loop)
        #expect(got == [[0], [1], [2]])
        watch.cancel()
    }

    @Test func afterTheWatchIsGoneThePosterIsTold() throws {
        let mailbox = try Mailbox<Int>()
        let loop = try EventLoop()
        let watch = MailboxWatch(loop: loop, mailbox: mailbox) { _ in Issue.record("cancelled") }
        mailbox.post(1)
        watch.cancel()
        #expect(!mailbox.post(2))
        // Nothing is left that could wake the loop.
        loop.run()
    }

    @Test func theWatchMayBeDroppedInItsOwnCallback() throws {
        final class Holder { var watch: MailboxWatch<Int>? }
        let mailbox = try Mailbox<Int>()
        let loop = try EventLoop()
        let holder = Holder()
        holder.watch = MailboxWatch(loop: loop, mailbox: mailbox) { _ in
            holder.watch = nil
            loop.stop()
        }
        mailbox.post(1)
        runUntilStopped(loop)
        #expect(!mailbox.post(2))
    }
}

/// A thread that an array can hold.
private final class PostingThread {
    private var thread: Thread?

    init(_ body: @escaping @Sendable () -> Void) throws {
        thread = try Thread(name: "poster", stackSize: 1 << 20, body)
    }

    func join() {
        thread.take()?.join()
    }
}
