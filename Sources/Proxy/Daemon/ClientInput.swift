import EventLoop
import Glibc
import Wire

/// What a client sends: read, cut into lines, parsed, and put in line.
extension ClientDriver {
    private var longestInput: Int { framer.maxLine + Self.readSize }

    func readable() {
        // One large buffer for all clients: each keeps only what came, so thousands of idle ones cost little.
        switch worker.readBuffer.read(from: descriptor, upTo: Self.readSize) {
        case .bytes(let count):
            countReceived(count)
            input.append(UnsafeRawBufferPointer(worker.readBuffer.readable))
            worker.readBuffer.consume(count)
            frameLines()
            updateReading()
            schedule()
        case .wouldBlock: break
        case .endOfFile: inputEnded()
        case .failed: hangUp()
        }
    }

    /// Cuts what came into requests, as many as may wait. False when there was none.
    @discardableResult
    func frameLines() -> Bool {
        let before = machine.unanswered
        let limits = worker.snapshot.wireLimits
        while machine.input == .reading, framedTo < input.tailPosition {
            let bytes = UnsafeMutableRawBufferPointer(
                start: input.pointer(atPosition: framedTo), count: Int(input.tailPosition &- framedTo))
            switch framer.next(UnsafeRawBufferPointer(bytes)) {
            case .needMore:
                if lineDeadline == UInt64.max {
                    lineDeadline = worker.loop.now &+ worker.snapshot.lineTimeout
                    armTimer()
                }
                return machine.unanswered > before
            case .tooLong:
                refuseUnfinished(
                    Request(
                        unfinished: UnsafeRawBufferPointer(bytes), error: .lineTooLong(limit: Int32(limits.maxLine))))
                return true
            case .line(let length):
                lineDeadline = UInt64.max
                let request = RequestParser.parse(
                    UnsafeMutableRawBufferPointer(rebasing: bytes[..<length]), limits: limits)
                let position = framedTo
                framedTo &+= UInt64(length)
                arrived(request, at: position)
            }
        }
        return machine.unanswered > before
    }

    private func arrived(_ request: Request, at position: UInt64, fault: Fault? = nil) {
        listener.counters.add(.lines)
        let isFirst = requestsRead == 0
        requestsRead &+= 1
        var pending = Pending(
            request: request, position: position, receivedAt: worker.loop.now, fault: fault, isFirst: isFirst)
        let line = UnsafeRawPointer(input.pointer(atPosition: position))
        if session.hasSalt {
            if !session.accepts(request, in: line) { pending.fault = .saltMissing }
        } else if isFirst {
            let isSalted = request.error == nil && request.verb == .hello && request.options.present.contains(.salt)
            if isSalted { session.adoptSalt(request.options.salt.bytes(in: line)) }
            if !isSalted, listener.requiresSalt { pending.fault = .saltRequired }
        }
        let closes = pending.fault != nil || request.error?.closesConnection == true
        requests.append(pending)
        lastRequestAt = worker.loop.now
        if machine.requestArrived() == .pauseReading { updateReading() }
        if closes {
            // What follows is not what its sender meant: it is never parsed.
            listener.counters.add(.cut(fault == .lineUnfinished ? .silence : .framing))
            _ = machine.inputEnded()
            updateReading()
        } else if request.error == nil, request.verb == .cancel {
            actOnCancel(request, in: line, at: position)
        }
    }

    func refuseUnfinished(_ request: Request, fault: Fault? = nil) {
        lineDeadline = UInt64.max
        let position = framedTo
        framedTo = input.tailPosition
        arrived(request, at: position, fault: fault)
    }

    /// The client closed its half: no more requests. Whether it closed the other half too only the kernel knows.
    private func inputEnded() {
        lineDeadline = UInt64.max
        let action = machine.inputEnded()
        updateReading()
        if hasHungUp {
            hangUp()
        } else if action == .close {
            closesAfterFlush = true
            schedule()
        }
    }

    func updateReading() {
        let wants = machine.input == .reading && !isClosed && input.count < longestInput
        watch?.wantsRead = wants
        if !wants { armTimer() }
    }

    /// Both halves are closed: nobody reads what could be answered.
    var hasHungUp: Bool {
        var poll = pollfd(fd: descriptor, events: 0, revents: 0)
        return Glibc.poll(&poll, 1, 0) == 1 && Int32(poll.revents) & (POLLHUP | POLLERR) != 0
    }
}
