import NIOCore
import NIOPosix
import Synchronization
import Wire

/// One connection to the daemon, from anywhere: it hands requests to its event loop and waits for the answers.
final class Connection: Sendable {
    let number: Int
    let salt = Salt.random()
    private let handler: NIOLoopBound<ConversationHandler>
    private let eventLoop: any EventLoop
    private let shared: Shared
    private let configuration: PointsmanClient.Configuration
    private let lastID = Atomic<UInt64>(0)
    private let lastTicket = Atomic<UInt64>(Conversation.noTicket)

    /// What the event loop tells everybody else.
    final class Shared: Sendable {
        let standing = Mutex(Conversation.Standing())
        let limits = Mutex(WireLimits())
    }

    private init(
        number: Int, handler: NIOLoopBound<ConversationHandler>, eventLoop: any EventLoop, shared: Shared,
        configuration: PointsmanClient.Configuration
    ) {
        self.number = number
        self.handler = handler
        self.eventLoop = eventLoop
        self.shared = shared
        self.configuration = configuration
    }

    // MARK: Opening

    /// Connects and says HELLO with a fresh salt. `ended` is called once, on the event loop, when the connection is no
    /// more, also when HELLO failed. Throws 08001 when nobody listens or the daemon refuses; its own words are in the
    /// message.
    static func open(
        number: Int, configuration: PointsmanClient.Configuration, group: any EventLoopGroup,
        ended: @escaping @Sendable () -> Void
    ) async throws(PointsmanError) -> Connection {
        let eventLoop = group.next()
        let shared = Shared()
        let handler: NIOLoopBound<ConversationHandler>
        do {
            handler = try await ClientBootstrap(group: eventLoop)
                .connectTimeout(TimeAmount(configuration.connectTimeout))
                .connect(unixDomainSocketPath: configuration.socketPath) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = ConversationHandler(configuration: configuration, shared: shared, ended: ended)
                        try channel.pipeline.syncOperations.addHandler(handler)
                        return NIOLoopBound(handler, eventLoop: channel.eventLoop)
                    }
                }
        } catch {
            throw .cannotConnect(String(describing: error))
        }
        let connection = Connection(
            number: number, handler: handler, eventLoop: eventLoop, shared: shared,
            configuration: configuration)
        try await connection.greet()
        return connection
    }

    private func greet() async throws(PointsmanError) {
        let hello = Draft(verb: .hello, kind: .harmless, options: configuration.helloOptions(salt: salt), text: "1")
        do throws(PointsmanError) {
            // A daemon that accepts but does not answer (stopped, its loop blocked) must not hold a waiter for ever.
            let answer = try await performOne(hello, isCancellable: false, within: configuration.connectTimeout)
            shared.limits.withLock { $0 = WireLimits(hello: answer.attributes) }
        } catch {
            close()
            var refused = PointsmanError.cannotConnect(error.message)
            refused.afterMilliseconds = error.afterMilliseconds
            if error.retry == .never { refused.retry = .never }
            throw refused
        }
    }

    // MARK: Requests

    /// Sends the requests in one write and waits until each has its answer; one answer a request, in their order.
    ///
    /// When the task is cancelled the daemon is asked to CANCEL what is not answered. The answers still decide what is
    /// returned: a statement that was quicker than its CANCEL succeeded. When they do not come soon the connection is
    /// closed, and what may have been applied is `unknown`.
    ///
    /// `limit` is how long the answers may take before the connection is given up; nil: as long as the requests'
    /// deadlines allow, for ever when one has none. Throws only when nothing was sent.
    func perform(
        _ drafts: [Draft], isCancellable: Bool = true, within limit: Duration? = nil
    ) async throws(PointsmanError) -> [Answer] {
        var requests: [Outgoing] = []
        for draft in drafts { requests.append(try encode(draft)) }
        if requests.isEmpty { return [] }
        let ticket = lastTicket.wrappingAdd(1, ordering: .relaxed).newValue
        let wait = limit ?? replyWait(drafts)
        guard isCancellable else {
            return await submit(requests, ticket: ticket, wait: wait, cancelled: nil)
        }
        // Of a task that is cancelled already, onCancel runs before the submission: then the flag keeps it from being
        // sent.
        let cancelled = CancelledFlag()
        return await withTaskCancellationHandler {
            await submit(requests, ticket: ticket, wait: wait, cancelled: cancelled)
        } onCancel: {
            cancelled.set()
            eventLoop.execute { [self] in
                handler.value.cancel(ticket: ticket) { target in try? encode(.cancel(target)) }
            }
        }
    }

    /// The same for one request.
    func performOne(
        _ draft: Draft, isCancellable: Bool = true, within limit: Duration? = nil
    ) async throws(PointsmanError) -> QueryResult {
        guard let answer = try await perform([draft], isCancellable: isCancellable, within: limit).first else {
            preconditionFailure("one request has one answer")
        }
        return try answer.get()
    }

    /// Ends a transaction whose effect nobody wants, whether or not the task is cancelled. If that takes long the
    /// connection is closed, and the daemon rolls back.
    func rollback() async {
        _ = try? await perform([.rollback], isCancellable: false, within: configuration.cancelGrace)
    }

    private func replyWait(_ drafts: [Draft]) -> Duration? {
        var wait = configuration.replyGrace
        for draft in drafts {
            guard let timeout = draft.timeoutMilliseconds ?? configuration.timeoutMilliseconds else { return nil }
            wait += .milliseconds(timeout)
        }
        return wait
    }

    private func submit(
        _ requests: [Outgoing], ticket: UInt64, wait: Duration?, cancelled: CancelledFlag?
    ) async -> [Answer] {
        await withCheckedContinuation { continuation in
            let submission = Submission(
                ticket: ticket, requests: requests, wait: wait.map { TimeAmount($0) }, cancelled: cancelled,
                answered: { continuation.resume(returning: $0) })
            eventLoop.execute { [handler] in handler.value.submit(submission) }
        }
    }

    private func encode(_ draft: Draft) throws(PointsmanError) -> Outgoing {
        let id = salt + String(lastID.wrappingAdd(1, ordering: .relaxed).newValue)
        let limits = shared.limits.withLock { $0 }
        return try draft.encoded(id: id, limits: limits)
    }

    // MARK: State

    var standing: Conversation.Standing { shared.standing.withLock { $0 } }

    func close() {
        eventLoop.execute { [handler] in handler.value.close(.closedHere) }
    }
}

/// What each id of a connection starts with, once HELLO said so.
///
/// A client that forgot to escape a newline lets a stranger's text begin a line of its own; without the salt, which
/// the stranger cannot know, the daemon refuses that line and cuts the connection.
enum Salt {
    /// 12 of 62 characters: 71 bits; with 20 digits of a counter an id still has 32 characters at most.
    static let length = 12
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")

    /// From the system's source of randomness (getrandom on Linux).
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] })
    }
}
