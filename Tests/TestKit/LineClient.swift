import Foundation

/// A client by script: sends exactly the bytes it is told, reads lines with a deadline, checks each reply strictly.
package final class LineClient {
    private let file: Int32
    private var open = true
    private var input: [UInt8] = []
    private var start = 0
    /// How far `input` was searched for LF.
    private var searched = 0
    private var ended = false
    private var nextNumber = 1
    /// How long each read or write may take.
    package var patience: Duration = .seconds(20)

    /// - Throws: `TestFailure` when nobody accepts at `path`.
    package init(_ path: String, within duration: Duration = .seconds(5)) throws {
        file = try UnixSocket.connect(path, within: duration)
    }

    deinit { if open { Glibc.close(file) } }

    /// Full close.
    package func close() {
        if open { Glibc.close(file) }
        open = false
    }

    /// Half-close: no more requests.
    package func endRequests() { shutdown(file, Int32(SHUT_WR)) }

    // MARK: Bytes

    /// Writes all of it. While the socket is full it reads what comes, so that a long pipeline cannot block both sides.
    ///
    /// - Throws: `TestFailure` when the daemon does not take it in time or has closed.
    package func send(_ bytes: [UInt8]) throws {
        let deadline = Deadline(after: patience)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(file, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
                continue
            }
            guard count < 0, errno == EAGAIN || errno == EINTR else {
                throw TestFailure("send: \(String(cString: strerror(errno)))")
            }
            guard let events = UnixSocket.wait(file, for: POLLOUT | POLLIN, until: deadline) else {
                throw TestFailure("the daemon takes no more bytes: \(bytes.count - sent) left")
            }
            if events & Int16(POLLIN) != 0 { try fill() }
        }
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Writes as much as the socket takes without reading anything; for a client that never reads.
    package func sendWithoutReading(_ bytes: [UInt8]) -> Int {
        max(0, bytes.withUnsafeBytes { Glibc.send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) })
    }

    private func fill() throws {
        let size = 1 << 18
        if start > size {
            input.removeFirst(start)
            searched -= start
            start = 0
        }
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            count = Glibc.recv(file, buffer.baseAddress, size, 0)
            initialized = max(0, count)
        }
        if count > 0 {
            input.append(contentsOf: chunk)
        } else if count == 0 || errno == ECONNRESET {
            ended = true
        } else if errno != EAGAIN && errno != EINTR {
            throw TestFailure("recv: \(String(cString: strerror(errno)))")
        }
    }

    /// The next line without its LF; nil when the daemon has closed behind a whole line.
    ///
    /// - Throws: `TestFailure` when none comes in time, or the connection ends inside one.
    package func line() throws -> ArraySlice<UInt8>? {
        let deadline = Deadline(after: patience)
        while true {
            let found = input.withUnsafeBytes { all -> Int? in
                guard let base = all.baseAddress, searched < all.count,
                    let place = memchr(base + searched, 10, all.count - searched)
                else { return nil }
                return UnsafeRawPointer(place) - base
            }
            if let found {
                defer {
                    start = found + 1
                    searched = start
                }
                return input[start..<found]
            }
            searched = input.count
            if ended {
                guard start == input.count else { throw TestFailure("half a line, then the end") }
                return nil
            }
            guard UnixSocket.wait(file, for: POLLIN, until: deadline) != nil else {
                throw TestFailure("no line within \(patience)")
            }
            try fill()
        }
    }

    package func text() throws -> String? { try line().map { String(decoding: $0, as: UTF8.self) } }

    /// - Throws: `TestFailure` unless the daemon closes and says nothing more.
    package func expectEnd() throws {
        if let line = try text() { throw TestFailure("expected the end of the connection: \(line)") }
    }

    /// Whether a byte or the end arrives within the time; nothing is taken.
    package func hasInput(within duration: Duration) -> Bool {
        start < input.count || UnixSocket.wait(file, for: POLLIN, until: Deadline(after: duration)) != nil
    }

    // MARK: Requests and answers

    /// An id that this client has not used.
    package func freshID() -> String {
        defer { nextNumber += 1 }
        return "\(nextNumber)"
    }

    /// One request as bytes, everything escaped.
    package static func request(
        _ verb: String, _ id: String, _ options: String = "", _ text: String? = nil, _ values: [String?] = []
    ) -> [UInt8] {
        var line = "\(verb) \(id)"
        if !options.isEmpty { line += " \(options)" }
        if let text { line += " \(escape(text))" }
        for value in values { line += "\t" + (value.map(escape) ?? "\\N") }
        return Array(line.utf8) + [10]
    }

    private static func escape(_ text: String) -> String {
        let plain = ArraySlice(text.utf8)
        guard [9, 10, 13, 92].contains(where: { plain.place(of: $0) != nil }) else { return text }
        var bytes: [UInt8] = []
        for byte in plain {
            switch byte {
            case 92: bytes += Array("\\\\".utf8)
            case 9: bytes += Array("\\t".utf8)
            case 10: bytes += Array("\\n".utf8)
            case 13: bytes += Array("\\r".utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The next whole answer.
    ///
    /// - Throws: `TestFailure` when a line is not of the grammar, out of order, or does not come.
    package func answer() throws -> Answer {
        var columns: (id: String, list: [ReplyLine.Column])?
        var rows: [[String?]] = []
        var notices: [String] = []
        while true {
            guard let line = try line() else { throw TestFailure("the daemon closed instead of answering") }
            switch try ReplyLine(line) {
            case .columns(let id, let list):
                guard columns == nil, rows.isEmpty else { throw TestFailure("a second T, or T behind D") }
                columns = (id, list)
            case .row(let row):
                // One empty field is "D TAB"; no field at all is "D".
                guard let columns, row.count == columns.list.count else {
                    throw TestFailure("D of \(row.count) fields behind T of \(columns?.list.count ?? -1)")
                }
                rows.append(row)
            case .notice(_, _, _, let message, _):
                notices.append(message)
            case .complete(let id, let tag, let count, let attributes):
                return try Answer.checked(
                    id, columns, rows, notices, .complete(tag: tag, count: count), attributes)
            case .failed(let id, let problem, let attributes):
                return try Answer.checked(id, columns, rows, notices, .failed(problem), attributes)
            }
        }
    }

    /// The next whole answer, which must be to the request of this id.
    package func answer(to id: String) throws -> Answer {
        let answer = try answer()
        guard answer.id == id else { throw TestFailure("an answer to \(answer.id) in the place of \(id): \(answer)") }
        return answer
    }

    /// Sends one request of any verb and reads its answer.
    @discardableResult
    package func ask(
        _ verb: String, _ options: String = "", _ text: String? = nil, _ values: [String?] = []
    ) throws -> Answer {
        let id = freshID()
        try send(LineClient.request(verb, id, options, text, values))
        return try answer(to: id)
    }

    /// Sends one request of any verb that must succeed.
    ///
    /// - Throws: `TestFailure` that shows the E.
    @discardableResult
    package func succeed(_ verb: String, _ options: String = "", _ text: String? = nil) throws -> Answer {
        let answer = try ask(verb, options, text)
        if let problem = answer.problem { throw TestFailure("\(problem) for: \(verb) \(options) \(text ?? "")") }
        return answer
    }

    /// Sends one statement and reads its answer, C or E.
    @discardableResult
    package func query(_ sql: String, _ values: [String?] = [], options: String = "") throws -> Answer {
        try ask("Q", options, sql, values)
    }

    /// Sends one statement that must succeed.
    ///
    /// - Throws: `TestFailure` that shows the E.
    @discardableResult
    package func run(_ sql: String, _ values: [String?] = [], options: String = "") throws -> Answer {
        let answer = try query(sql, values, options: options)
        if let problem = answer.problem { throw TestFailure("\(problem) for: \(sql.prefix(200))") }
        return answer
    }

    /// Sends one request that must fail, and gives what it says.
    ///
    /// - Throws: `TestFailure` when it succeeds.
    package func failure(
        _ verb: String = "Q", _ options: String = "", _ text: String? = nil, _ values: [String?] = []
    ) throws -> Problem {
        let answer = try ask(verb, options, text, values)
        guard let problem = answer.problem else { throw TestFailure("succeeded: \(verb) \(text?.prefix(200) ?? "")") }
        return problem
    }
}

extension Answer {
    fileprivate static func checked(
        _ id: String, _ columns: (id: String, list: [ReplyLine.Column])?, _ rows: [[String?]], _ notices: [String],
        _ ending: Ending, _ attributes: [Attribute]
    ) throws -> Answer {
        if let columns, columns.id != id { throw TestFailure("T of \(columns.id) ended by the answer to \(id)") }
        return Answer(
            id: id, columns: columns?.list, rows: rows, notices: notices, ending: ending, attributes: attributes)
    }
}
