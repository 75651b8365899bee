import EventLoop
import Glibc
import Logging
import Machines
import Routing
import Wire

/// Verbs that the daemon answers by itself, each alone and in its turn.
extension ClientDriver {
    func startVerb(_ pending: Pending) {
        let line = UnsafeRawPointer(input.pointer(atPosition: pending.position))
        let id = idBytes(of: pending)
        switch pending.request.verb {
        case .begin: return startBegin(pending)
        case .commit, .rollback: return startEnd(pending)
        case .query: preconditionFailure("a statement has its own way")
        case .hello:
            guard pending.isFirst else { return refuse(pending, .helloNotFirst) }
            session.adopt(pending.request.options, in: line)
            answerHello(id)
        case .ping: writeCompletion("PING", id: id)
        case .cancel: writeCompletion("CANCEL", rows: cancelled.remove(pending.position) == nil ? 0 : 1, id: id)
        case .route: return explain(pending, line)
        case .stats:
            let name = text(of: pending, line)
            switch worker.table(named: name.isEmpty ? "pools" : name) {
            case .rows(let columns, let rows): writeTable(columns, rows, tag: "STATS", id: id)
            case .notInThisVersion: return refuse(pending, .notInThisVersion("STATS \(name)"))
            case .unknown(let known): return refuse(pending, .unknownName(name, known: known))
            }
        case .reload: return startReload(pending)
        case .drain:
            writeCompletion("DRAIN", id: id)
            requestAnswered()
            return worker.drainRequested()
        case .kill: return kill(pending, line)
        case .log: return setLogLevel(pending, line)
        case .forget: return forget(pending, line)
        case .pause, .resume:
            return refuse(pending, .notInThisVersion("\(pending.request.verb.name)"))
        }
        requestAnswered()
    }

    private func text(of pending: Pending, _ line: UnsafeRawPointer) -> String {
        String(decoding: pending.request.text.bytes(in: line), as: UTF8.self)
    }

    private func answerHello(_ id: UnsafeRawBufferPointer) {
        let limits = worker.snapshot.wireLimits
        let pools = worker.pools.map(\.name).joined(separator: ",")
        let key = String(cancelKey, radix: 16)
        writeCompletion("HELLO", id: id, extraBytes: 2 * pools.utf8.count) { writer in
            writer.attribute("proto", 1)
            writer.attribute("server", text: "pointsman/\(Version.current)")
            writer.attribute("conn", number)
            writer.attribute("key", text: key)
            writer.attribute("max_line", UInt64(limits.maxLine))
            writer.attribute("max_params", UInt64(limits.maxParameters))
            writer.attribute("max_inflight", UInt64(machine.maxInFlight))
            writer.attribute("pools", text: pools)
        }
    }

    // MARK: ROUTE

    private func explain(_ pending: Pending, _ line: UnsafeRawPointer) {
        let statement = worker.judge.statement(for: pending.request.text.bytes(in: line))
        var need: PrimaryNeed?
        if pinned == nil {
            let routed = decide(statement, pending.request, line)
            if routed.access == .read, routed.pool != nil {
                _ = freshen(routed, pending.request, line) { asked in
                    need = asked
                    return routed
                }
            }
        }
        let explanation = withRouteRequest(
            pending.request, line, transactionPool: pinned?.pool.index, needing: need
        ) { asked in
            worker.judge.explain(pending.request.text.bytes(in: line), asked, session.origin)
        }
        writeTable(
            ExplanationTable.columns, [ExplanationTable.row(explanation)], tag: "ROUTE", id: idBytes(of: pending))
        requestAnswered()
    }

    // MARK: CANCEL

    /// Acts when the line was read; the answer comes in its turn, behind the target's.
    func actOnCancel(_ request: Request, in line: UnsafeRawPointer, at position: UInt64) {
        let target = request.text.bytes(in: line)
        var client: ClientDriver? = self
        if request.options.present.contains(.conn) {
            client = worker.client(numbered: request.options.connectionNumber)
            if client?.cancelKey != request.options.cancelKey { client = nil }
        }
        if client?.cancelRequest(named: target) == true { cancelled.insert(position) }
    }

    /// The oldest unanswered request of this id; false when there is none.
    private func cancelRequest(named id: UnsafeRawBufferPointer) -> Bool {
        for offset in 0..<requests.count {
            let pending = requests[offset]
            guard pending.request.verb != .cancel, idBytes(of: pending).elementsEqual(id) else { continue }
            if offset < active.count {
                return cancel(active[offset])
            }
            // ROLLBACK undoes what it can either way; a COMMIT that is cancelled becomes one.
            if pending.request.verb == .rollback { return false }
            requests[offset].isCancelled = true
            schedule()
            return true
        }
        return false
    }

    private func cancel(_ exchange: Exchange) -> Bool {
        switch exchange.stage {
        case .running:
            exchange.isCancelled = true
            exchange.server?.cancel(exchange)
            return true
        case .waiting:
            guard exchange.pool?.abandon(exchange) == true else { return false }
            exchangeRefused(exchange, .cancelledBeforeRunning)
            return true
        case .waitingForPosition where exchange.outcome == nil:
            exchange.cluster?.abandon(exchange)
            exchangeRefused(exchange, .cancelledBeforeRunning)
            return true
        case .waitingToRunAgain:
            exchangeRefused(exchange, .cancelledBeforeRunning)
            return true
        // What waits for its token has been committed.
        case .answered, .unused, .waitingForPosition: return false
        }
    }

    // MARK: Operators

    private func startReload(_ pending: Pending) {
        let exchange = worker.takeExchange()
        exchange.client = self
        exchange.kind = .reload
        exchange.request = pending.request
        exchange.position = pending.position
        exchange.receivedAt = pending.receivedAt
        machine.aloneStarted()
        active.append(exchange)
        worker.reloadRequested(by: exchange)
    }

    func reloadFinished(_ exchange: Exchange, _ report: ReloadReport) {
        switch report {
        case .applied(let preview):
            writeCompletion("RELOAD", id: idBytes(of: exchange)) { writer in
                writer.attribute("statements", UInt64(preview.summary.statements))
                writer.attribute("moved", UInt64(preview.summary.moved))
                writer.attribute("calls", UInt64(preview.summary.calls))
                writer.attribute("moved_calls", UInt64(preview.summary.movedCalls))
            }
        case .refused(let complaints):
            writeError(
                .reloadFailed(complaints.joined(separator: "\n")), id: idBytes(of: exchange), insideTransaction: false,
                exchange: exchange)
        }
        replyCompleted(exchange)
    }

    private func kill(_ pending: Pending, _ line: UnsafeRawPointer) {
        let number = pending.request.number(in: line) ?? 0
        guard let victim = worker.client(numbered: number) else {
            return refuse(pending, .noSuchConnection(number))
        }
        writeCompletion("KILL", id: idBytes(of: pending))
        requestAnswered()
        worker.log.notice("client_killed", metadata: ["conn": "\(number)"])
        victim.listener.counters.add(.cut(.killed))
        victim.hangUp()
    }

    /// A standby is trusted with the statement again: the function no longer writes, the table is logged now.
    private func forget(_ pending: Pending, _ line: UnsafeRawPointer) {
        let text = text(of: pending, line)
        guard let fingerprint = Fingerprint.number(text), worker.judge.forget(fingerprint) else {
            return refuse(pending, .unknownName(text, known: "STATS learned shows what may be forgotten"))
        }
        worker.learnedChanged()
        worker.log.notice("forgotten", metadata: ["fp": "\(text)"])
        writeCompletion("FORGET", id: idBytes(of: pending))
        requestAnswered()
    }

    private func setLogLevel(_ pending: Pending, _ line: UnsafeRawPointer) {
        let name = text(of: pending, line)
        guard let level = Logger.Level(rawValue: name) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            return refuse(pending, .unknownName(name, known: "the levels are \(known)"))
        }
        worker.setLogLevel(level)
        writeCompletion("LOG", id: idBytes(of: pending))
        requestAnswered()
    }
}

extension ReplyWriter {
    mutating func attribute(_ key: StaticString, text: String) {
        var text = text
        text.withUTF8 { attribute(key, UnsafeRawBufferPointer($0)) }
    }
}
