import NIOCore
import Synchronization
import Wire

/// Requests that belong together, and who waits for their answers.
struct Submission: Sendable {
    var ticket: UInt64
    var requests: [Outgoing]
    /// How long the answers may take, all together.
    var wait: TimeAmount?
    /// Set by the task's cancellation, which may come before the submission has reached the event loop.
    var cancelled: CancelledFlag?
    /// Called exactly once, with one answer a request.
    var answered: @Sendable ([Answer]) -> Void
}

/// Set once, from anywhere.
final class CancelledFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() { flag.store(true, ordering: .releasing) }
}

/// Does what a ``Conversation`` decides, on the connection's event loop and only there.
final class ConversationHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiting {
        var submission: Submission
        var answers: [Answer] = []
        var timer: Scheduled<Void>?
    }

    private let configuration: PointsmanClient.Configuration
    private let shared: Connection.Shared
    private let ended: @Sendable () -> Void
    private var conversation: Conversation
    private var context: ChannelHandlerContext?
    private var waiting: [UInt64: Waiting] = [:]
    private var received = ByteBuffer()
    private var framer: LineFramer
    /// Set once the connection is of no more use; nothing that arrives later is looked at.
    private var loss: Conversation.Loss?
    private var lastError: (any Error)?

    init(
        configuration: PointsmanClient.Configuration, shared: Connection.Shared, ended: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.shared = shared
        self.ended = ended
        framer = LineFramer(maxLine: configuration.maximumReplyBytes)
        conversation = Conversation(maximumReplyBytes: configuration.maximumReplyBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    // MARK: From the client

    func submit(_ submission: Submission) {
        if let cancelled = submission.cancelled, cancelled.isSet {
            refuse(submission, .cancelledBeforeSending)
            return
        }
        guard loss == nil, let context, context.channel.isActive else {
            refuse(submission, Conversation.errorBeforeSending(loss))
            return
        }
        guard conversation.unanswered + submission.requests.count <= configuration.maximumInFlight else {
            refuse(submission, .tooManyInFlight(configuration.maximumInFlight))
            return
        }
        var entry = Waiting(submission: submission)
        if let wait = submission.wait {
            entry.timer = context.eventLoop.assumeIsolated().scheduleTask(in: wait) { [weak self] in
                self?.close(.silent)
            }
        }
        waiting[submission.ticket] = entry
        for request in submission.requests { write(request, ticket: submission.ticket, context) }
        context.flush()
        publish()
    }

    /// The task that waits for this submission was cancelled.
    func cancel(ticket: UInt64, makeCancel: (_ target: String) -> Outgoing?) {
        // Not waiting any more: answered meanwhile, or refused in `submit`, which saw the flag.
        guard waiting[ticket] != nil else { return }
        guard loss == nil, let context else { return }
        conversation.cancelRequested()
        for target in conversation.unansweredIDs(ticket: ticket) {
            if let request = makeCancel(target) { write(request, ticket: Conversation.noTicket, context) }
        }
        context.flush()
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.cancelGrace)) { [weak self] in
            if let self, self.waiting[ticket] != nil { self.close(.cancelled) }
        }
        publish()
    }

    /// Ends the connection; what is unanswered gets the answer that is still true.
    func close(_ loss: Conversation.Loss) {
        lose(loss)
        context?.close(promise: nil)
    }

    // MARK: From the socket

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard loss == nil else { return }
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 {
            received = bytes
        } else {
            received.writeBuffer(&bytes)
        }
        readLines()
        received.discardReadBytes()
    }

    private func readLines() {
        while loss == nil {
            let frame = received.withUnsafeReadableBytes { framer.next($0) }
            switch frame {
            case .needMore: return
            case .tooLong: close(.tooLarge(limit: configuration.maximumReplyBytes))
            case .line(let length):
                guard let line = received.readSlice(length: length) else { return }
                do throws(WireError) {
                    let reply = try line.withUnsafeReadableBytes { bytes throws(WireError) in
                        try ReplyLine.parse(bytes)
                    }
                    act(on: conversation.lineArrived(reply, byteCount: length))
                } catch {
                    close(.violation(error.message))
                }
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        lastError = error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // What is left in `received` is a line without its end: nothing that the daemon said, and never looked at.
        lose(.closedByDaemon(lastError.map { String(describing: $0) } ?? "end of stream"))
        ended()
        context.fireChannelInactive()
    }

    // MARK: What the conversation decides

    private func act(on action: Conversation.Action) {
        switch action {
        case .nothing: break
        case .notice(let notice): configuration.onNotice?(notice)
        case .close(let loss): close(loss)
        case .answer(let ticket, let answer):
            publish()
            answered(ticket, answer)
        }
    }

    private func answered(_ ticket: UInt64, _ answer: Answer) {
        // No entry: the answer to a CANCEL of our own.
        guard var entry = waiting.removeValue(forKey: ticket) else { return }
        entry.answers.append(answer)
        guard entry.answers.count == entry.submission.requests.count else {
            waiting[ticket] = entry
            return
        }
        entry.timer?.cancel()
        entry.submission.answered(entry.answers)
    }

    private func write(_ request: Outgoing, ticket: UInt64, _ context: ChannelHandlerContext) {
        conversation.submitted(request, ticket: ticket)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenFailure { [weak self] _ in
            self?.conversation.writeFailed(id: request.id)
        }
        context.write(wrapOutboundOut(ByteBuffer(bytes: request.line)), promise: promise)
    }

    private func lose(_ loss: Conversation.Loss) {
        guard self.loss == nil else { return }
        self.loss = loss
        let answers = conversation.lost(loss)
        publish()
        for (ticket, error) in answers { answered(ticket, .failure(error)) }
    }

    private func refuse(_ submission: Submission, _ error: PointsmanError) {
        submission.answered(submission.requests.map { _ in .failure(error) })
    }

    private func publish() {
        let standing = conversation.standing
        shared.standing.withLock { $0 = standing }
    }
}
