import CEpoll
import Glibc

/// epoll over the connections of one load generator.
struct Poller: ~Copyable {
    private let descriptor: Int32
    private var events: [epoll_event]

    init(capacity: Int) throws(BenchError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system("epoll_create1") }
        events = Array(repeating: epoll_event(), count: max(1, capacity))
    }

    deinit {
        close(descriptor)
    }

    /// Watches a socket for input under a number of the caller's choice.
    func watch(_ socket: Int32, as number: Int) throws(BenchError) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = UInt64(number)
        guard epoll_ctl(descriptor, EPOLL_CTL_ADD, socket, &event) == 0 else { throw .system("epoll_ctl") }
    }

    /// Calls `body` with the number of each socket that has input; false after `seconds` without any.
    mutating func wait(seconds: Int32, _ body: (Int) throws(BenchError) -> Void) throws(BenchError) -> Bool {
        let count = epoll_wait(descriptor, &events, Int32(events.count), seconds * 1000)
        if count < 0 && errno == EINTR { return true }
        guard count >= 0 else { throw .system("epoll_wait") }
        for index in 0..<Int(count) { try body(Int(events[index].data.u64)) }
        return count > 0
    }
}
