import CLibEvent
import Glibc
import Synchronization

/// Messages from any thread to the thread of one loop, in the order in which they were posted.
///
/// The mailbox may be made and posted to before its loop exists; `MailboxWatch` opens it. It has no bound of its own:
/// those who post have one (requests in flight, workers).
package final class Mailbox<Message: Sendable>: Sendable {
    private struct Contents {
        var messages: [Message] = []
        var isClosed = false
    }

    private let contents = Mutex(Contents())
    /// Lives as long as the mailbox, so nobody can write to a descriptor that was closed meanwhile.
    let wakeup: Int32

    /// Fails when no descriptor is left.
    package init() throws(EventLoopError) {
        wakeup = pointsman_wakeup_create()
        guard wakeup >= 0 else { throw EventLoopError(operation: "eventfd", number: errno) }
    }

    deinit {
        if wakeup >= 0 { Glibc.close(wakeup) }
    }

    /// Leaves a message and wakes the loop when it is the first. False: the watch was cancelled, nobody will read it.
    @discardableResult
    package func post(_ message: Message) -> Bool {
        let (isTaken, isFirst) = contents.withLock { contents in
            guard !contents.isClosed else { return (false, false) }
            contents.messages.append(message)
            return (true, contents.messages.count == 1)
        }
        if isFirst { wake() }
        return isTaken
    }

    /// All messages so far, in exchange for an empty array whose memory is used again.
    func take(into messages: inout [Message]) {
        var value: UInt64 = 0
        // Emptied before the messages are taken: a post that comes between wakes the loop once too often, not never.
        _ = Glibc.read(wakeup, &value, 8)
        contents.withLock { contents in swap(&contents.messages, &messages) }
    }

    func close() {
        contents.withLock { contents in
            contents.isClosed = true
            contents.messages = []
        }
    }

    private func wake() {
        var one: UInt64 = 1
        // Cannot be full: it counts to 2^64 - 2, and one is added per emptied mailbox.
        while Glibc.write(wakeup, &one, 8) < 0, errno == EINTR {}
    }
}

/// The reading end of a mailbox, on the thread of its loop.
package final class MailboxWatch<Message: Sendable> {
    private let mailbox: Mailbox<Message>
    private let onMessages: ([Message]) -> Void
    private var messages: [Message] = []
    private var watch: FileWatch?

    /// `onMessages` gets, once per wake-up, all messages that came since the last one; never an empty array.
    package init(loop: EventLoop, mailbox: Mailbox<Message>, onMessages: @escaping ([Message]) -> Void) {
        self.mailbox = mailbox
        self.onMessages = onMessages
        let watch = FileWatch(
            loop: loop, fileDescriptor: mailbox.wakeup, onReadable: { [unowned self] in deliver() }, onWritable: {})
        watch.wantsRead = true
        self.watch = watch
    }

    deinit {
        cancel()
    }

    /// No more messages: those that wait are dropped, and `post` says so from now on.
    package func cancel() {
        guard let watch else { return }
        watch.cancel()
        self.watch = nil
        mailbox.close()
    }

    private func deliver() {
        // The callback may drop the last reference to this watch.
        withExtendedLifetime(self) {
            mailbox.take(into: &messages)
            guard !messages.isEmpty else { return }
            onMessages(messages)
            messages.removeAll(keepingCapacity: messages.capacity <= 4096)
        }
    }
}
