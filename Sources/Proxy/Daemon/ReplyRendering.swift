import EventLoop
import Machines
import Routing
import Upstream
import Wire

/// Reply lines, rendered from libpq's memory straight into the client's output; replies behind an unfinished one go to
/// their exchange until it is their turn.
extension ClientDriver {
    /// The receipt and a few long attributes fit in here beside what is counted exactly.
    private static let receiptBound = 512

    private func write(
        _ bound: Int, for exchange: Exchange?, _ body: (inout ReplyWriter) -> Void
    ) {
        if let exchange, !isFirst(exchange) {
            Self.write(bound, into: &exchange.held, body)
        } else {
            Self.write(bound, into: &output, body)
        }
    }

    private static func write(_ bound: Int, into queue: inout ByteQueue, _ body: (inout ReplyWriter) -> Void) {
        let memory = UnsafeMutableRawBufferPointer(start: queue.reserve(bound), count: bound)
        var writer = ReplyWriter(memory)
        body(&writer)
        queue.commit(writer.count)
    }

    // MARK: Rows

    func deliverColumns(_ result: borrowing QueryResult, of exchange: Exchange) {
        exchange.wroteColumns = true
        let id = idBytes(of: exchange)
        let count = result.columnCount
        var nameBytes = 0
        for column in 0..<count { nameBytes &+= result.columnName(column).count }
        let bound = ReplyWriter.boundOfColumns(count, nameBytes: nameBytes, idBytes: id.count)
        // A noncopyable result cannot be captured: its facts are written without a closure.
        let first = isFirst(exchange)
        let memory = UnsafeMutableRawBufferPointer(
            start: first ? output.reserve(bound) : exchange.held.reserve(bound), count: bound)
        var writer = ReplyWriter(memory)
        writer.beginColumns(id: id)
        for column in 0..<count { writer.column(oid: result.columnType(column), name: result.columnName(column)) }
        writer.endLine()
        if first { output.commit(writer.count) } else { exchange.held.commit(writer.count) }
    }

    func deliverRow(_ result: borrowing QueryResult, of exchange: Exchange) {
        if !exchange.wroteColumns { deliverColumns(result, of: exchange) }
        let count = result.columnCount
        var valueBytes = 0
        for column in 0..<count { valueBytes &+= result.value(0, column)?.count ?? 0 }
        exchange.pool?.telemetry.counters.add(.bytesFromServer, valueBytes)
        let bound = ReplyWriter.boundOfRow(columns: count, valueBytes: valueBytes)
        let first = isFirst(exchange)
        let memory = UnsafeMutableRawBufferPointer(
            start: first ? output.reserve(bound) : exchange.held.reserve(bound), count: bound)
        var writer = ReplyWriter(memory)
        writer.beginRow()
        for column in 0..<count {
            if let value = result.value(0, column) { writer.value(value) } else { writer.null() }
        }
        writer.endLine()
        if first { output.commit(writer.count) } else { exchange.held.commit(writer.count) }
    }

    func deliverNotice(_ notice: borrowing ServerNotice, of exchange: Exchange) {
        let id = idBytes(of: exchange)
        let message = notice.message
        let severity = notice.field(.severityNonlocalized) ?? notice.field(.severity) ?? Self.empty
        let sqlstate = notice.field(.sqlstate) ?? Self.empty
        let detail = notice.field(.detail)
        let hint = notice.field(.hint)
        let bound =
            ReplyWriter.boundOfError(idBytes: id.count, severityBytes: severity.count, messageBytes: message.count)
            + 2 * sqlstate.count + 2 * (detail?.count ?? 0) + 2 * (hint?.count ?? 0) + Self.receiptBound
        write(bound, for: exchange) { writer in
            writer.beginNotice(id: id, sqlstate: sqlstate, severity: severity, message: message)
            if let detail { writer.attribute("D", detail) }
            if let hint { writer.attribute("H", hint) }
            writer.endLine()
        }
    }

    private static var empty: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    // MARK: Completion

    /// C or E, from the server's last word.
    func writeOutcome(of exchange: Exchange, insideTransaction: Bool) {
        guard exchange.outcome != nil else { preconditionFailure("a Sync without an outcome") }
        if exchange.outcomeIsError {
            writeServerError(of: exchange, insideTransaction: insideTransaction)
        } else {
            writeSuccess(of: exchange)
        }
    }

    private func writeSuccess(of exchange: Exchange) {
        let id = idBytes(of: exchange)
        let status = exchange.commandStatus
        let bound =
            ReplyWriter.boundOfCompletion(idBytes: id.count, tagBytes: status.count) + receiptBytes(exchange)
        countAnswer(exchange, .ok)
        write(bound, for: exchange) { writer in
            writer.beginCompletion(id: id, commandStatus: status)
            writeReceipt(&writer, exchange)
            writer.endLine()
        }
    }

    /// C of a commit whose reply was lost and that the server says was applied.
    func writeResolved(_ exchange: Exchange) {
        let id = idBytes(of: exchange)
        let own = "COMMIT" as StaticString
        let commit = UnsafeRawBufferPointer(start: own.utf8Start, count: own.utf8CodeUnitCount)
        let status = exchange.commitsItself ? exchange.commandStatus : commit
        let bound =
            ReplyWriter.boundOfCompletion(idBytes: id.count, tagBytes: status.count) + receiptBytes(exchange)
        countAnswer(exchange, .ok)
        write(bound, for: exchange) { writer in
            writer.beginCompletion(id: id, commandStatus: status)
            writeReceipt(&writer, exchange)
            writer.attribute("resolved", "committed")
            writer.endLine()
        }
        replyCompleted(exchange)
    }

    private func receiptBytes(_ exchange: Exchange) -> Int {
        Self.receiptBound + 2 * (exchange.pool?.nameBytes.count ?? 0) + 2 * (exchange.ruleName?.count ?? 0)
    }

    private func writeReceipt(_ writer: inout ReplyWriter, _ exchange: Exchange) {
        if let pool = exchange.pool { pool.nameBytes.withUnsafeBytes { writer.attribute("pool", $0) } }
        if let node = exchange.node { node.withUnsafeBytes { writer.attribute("node", $0) } }
        writer.attribute("us", (worker.loop.now &- exchange.receivedAt) / 1000)
        let waited = exchange.waited / 1000
        if waited > 0 { writer.attribute("wait_us", waited) }
        if let name = exchange.ruleName { name.withUnsafeBytes { writer.attribute("rule", $0) } }
        writer.attribute("why", exchange.reason.staticWord)
        switch exchange.lag {
        case .notAsked: break
        case .unknown: writer.attribute("lag_ms", "unknown")
        case .milliseconds(let lag): writer.attribute("lag_ms", lag)
        }
        if let rerun = exchange.rerun { writer.attribute("rerun", rerun.staticWord) }
        if let token = exchange.token { writer.attribute("token", text: token.description) }
        writeTransactionLetter(&writer)
    }

    private func writeTransactionLetter(_ writer: inout ReplyWriter) {
        var letter = machine.transactionLetter
        withUnsafeBytes(of: &letter) { writer.attribute("tx", $0) }
    }

    /// C of the daemon's own, without a server.
    func writeCompletion(
        _ tag: StaticString, rows: UInt64? = nil, id: UnsafeRawBufferPointer, extraBytes: Int = 0,
        attributes: (inout ReplyWriter) -> Void = { _ in }
    ) {
        let tag = UnsafeRawBufferPointer(start: tag.utf8Start, count: tag.utf8CodeUnitCount)
        let bound =
            ReplyWriter.boundOfCompletion(idBytes: id.count, tagBytes: tag.count) + Self.receiptBound + extraBytes
        write(bound, for: nil) { writer in
            writer.beginCompletion(id: id, tag: tag, rows: rows)
            attributes(&writer)
            writeTransactionLetter(&writer)
            writer.endLine()
        }
    }

    // MARK: Errors

    private func writeServerError(of exchange: Exchange, insideTransaction: Bool) {
        let id = idBytes(of: exchange)
        let outcome = exchange.errorView
        var retry = exchange.outcomeRetry
        // On a standby it had no effect, and the next one goes to the primary, unless its client said that it does not write.
        if learn(from: exchange, outcome), exchange.effect == .read, !exchange.request.options.present.contains(.ro) {
            retry = .now
        }
        countAnswer(
            exchange, outcome.result(retry, isOverdue: exchange.isOverdue), error: (outcome.sqlstate, retry))
        let bound =
            ReplyWriter.boundOfError(
                idBytes: id.count, severityBytes: outcome.severity.count, messageBytes: outcome.message.count)
            + 2 * outcome.fields.reduce(0) { $0 + $1.bytes.count + 4 } + receiptBytes(exchange)
        write(bound, for: exchange) { writer in
            writer.beginError(
                id: id, sqlstate: outcome.sqlstate, severity: outcome.severity, retry: retry.wire,
                message: outcome.message)
            for field in outcome.fields { writer.attribute(field.key, field.bytes) }
            writer.attribute("src", "server")
            if let pool = exchange.pool { pool.nameBytes.withUnsafeBytes { writer.attribute("pool", $0) } }
            writeTransactionLetter(&writer)
            writer.endLine()
        }
    }

    /// E of the daemon's own.
    func writeError(
        _ answer: Answer, id: UnsafeRawBufferPointer, insideTransaction: Bool, exchange: Exchange?
    ) {
        let retry = insideTransaction ? answer.retry.insideTransaction() : answer.retry
        var message = answer.message
        var sqlstate = answer.sqlstate
        message.withUTF8 { message in
            sqlstate.withUTF8 { sqlstate in
                countAnswer(exchange, answer.result, error: (UnsafeRawBufferPointer(sqlstate), retry))
                let bound =
                    ReplyWriter.boundOfError(idBytes: id.count, severityBytes: 5, messageBytes: message.count)
                    + Self.receiptBound + 2 * (exchange?.pool?.nameBytes.count ?? 0)
                let severity = "ERROR" as StaticString
                write(bound, for: exchange) { writer in
                    writer.beginError(
                        id: id, sqlstate: UnsafeRawBufferPointer(sqlstate),
                        severity: UnsafeRawBufferPointer(start: severity.utf8Start, count: severity.utf8CodeUnitCount),
                        retry: retry.wire, message: UnsafeRawBufferPointer(message))
                    writer.attribute("src", answer.source)
                    if let pool = exchange?.pool { pool.nameBytes.withUnsafeBytes { writer.attribute("pool", $0) } }
                    writeTransactionLetter(&writer)
                    if retry == .later, let after = answer.afterMilliseconds { writer.attribute("after_ms", after) }
                    writer.endLine()
                }
            }
        }
    }

    /// N that no request asked for: why the daemon ends a transaction or a connection.
    func writeNotice(_ answer: Answer) {
        var message = answer.message
        var sqlstate = answer.sqlstate
        message.withUTF8 { message in
            sqlstate.withUTF8 { sqlstate in
                let severity = "FATAL" as StaticString
                let bound = ReplyWriter.boundOfError(idBytes: 1, severityBytes: 5, messageBytes: message.count) + 16
                write(bound, for: nil) { writer in
                    writer.beginNotice(
                        id: Self.empty, sqlstate: UnsafeRawBufferPointer(sqlstate),
                        severity: UnsafeRawBufferPointer(start: severity.utf8Start, count: severity.utf8CodeUnitCount),
                        message: UnsafeRawBufferPointer(message))
                    writer.endLine()
                }
            }
        }
    }

    // MARK: The daemon's own rows

    /// T, a D for each row, C.
    func writeTable(_ columns: [String], _ rows: [[String?]], tag: StaticString, id: UnsafeRawBufferPointer) {
        let nameBytes = columns.reduce(0) { $0 + $1.utf8.count }
        write(ReplyWriter.boundOfColumns(columns.count, nameBytes: nameBytes, idBytes: id.count), for: nil) { writer in
            writer.beginColumns(id: id)
            for var column in columns {
                // 25: the oid of type text.
                column.withUTF8 { writer.column(oid: 25, name: UnsafeRawBufferPointer($0)) }
            }
            writer.endLine()
        }
        for row in rows {
            let valueBytes = row.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
            write(ReplyWriter.boundOfRow(columns: row.count, valueBytes: valueBytes), for: nil) { writer in
                writer.beginRow()
                for value in row {
                    guard var value else {
                        writer.null()
                        continue
                    }
                    value.withUTF8 { writer.value(UnsafeRawBufferPointer($0)) }
                }
                writer.endLine()
            }
        }
        writeCompletion(tag, rows: UInt64(rows.count), id: id)
    }
}
