import Foundation

/// A conversation written down as in the protocol's description, and played against the daemon.
///
///     # a comment
///     $ SQL          run beforehand by the app's user, seen by all servers before the conversation starts
///     > REQUEST      sent, with an LF behind it
///     < REPLY        expected
///     >END           the client closes its half
///     <END           the daemon closes
///
/// `→` is a TAB and `␍` a CR. In a reply `*` stands for any text inside one field. The fields of a C, E or N line up to
/// its attributes must be as written, of the attributes those that are written. The table name `msgs_msg` is replaced
/// by one of the same length that only this play has.
package struct Transcript: Sendable, CustomStringConvertible {
    package enum Feeding: String, Sendable, CaseIterable {
        /// Each run of requests in one write, then its replies are read before the next.
        case inTurn
        /// All requests in one write.
        case pipelined
        /// All requests, one byte a write.
        case byteByByte
    }

    private enum Step {
        case send(String)
        case expect(String)
        case endRequests
        case expectEnd
    }

    package let name: String
    private let preparation: [String]
    private let steps: [Step]

    package var description: String { name }

    /// Attributes of this version of the protocol; others would have to be described first.
    private static let known: Set<String> = [
        "pool", "us", "wait_us", "rule", "why", "tx", "node", "lag_ms", "token", "rerun", "proto", "server", "conn",
        "key", "max_line",
        "max_params", "max_inflight", "pools", "D", "H", "P", "W", "s", "t", "c", "d", "n", "src", "after_ms",
    ]

    /// - Throws: `TestFailure` for a line that is none of these.
    package init(name: String, text: String) throws {
        self.name = name
        var preparation: [String] = []
        var steps: [Step] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let rest = String(line.dropFirst(2))
            switch line {
            case "": break
            case _ where line.hasPrefix("#"): break
            case ">END": steps.append(.endRequests)
            case "<END": steps.append(.expectEnd)
            case _ where line.hasPrefix("$ "): preparation.append(rest)
            case _ where line.hasPrefix("> "): steps.append(.send(rest))
            case _ where line.hasPrefix("< "): steps.append(.expect(rest))
            default: throw TestFailure("\(name):\(index + 1): what is this line? \(line)")
            }
        }
        self.preparation = preparation
        self.steps = steps
    }

    /// All transcripts of the corpus.
    package static func corpus() throws -> [Transcript] {
        let folder = "\(Workplace.root)/Tests/Corpus/transcripts"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".txt") }
        guard !names.isEmpty else { throw TestFailure("no transcripts in \(folder)") }
        return try names.sorted().map {
            try Transcript(
                name: String($0.dropLast(4)), text: try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8))
        }
    }

    /// Plays it on a new connection.
    ///
    /// - Throws: `TestFailure` at the first reply that is not as written.
    package func play(_ feeding: Feeding, on socket: String, cluster: Cluster) throws {
        let table = Workplace.uniqueTable()
        let own = { (text: String) in
            text.replacingOccurrences(of: "→", with: "\t").replacingOccurrences(of: "␍", with: "\r")
                .replacingOccurrences(of: "msgs_msg", with: table)
        }
        if !preparation.isEmpty { try cluster.makeTables(preparation.map(own).joined(separator: ";\n")) }
        let client = try LineClient(socket)
        var place = ""
        do {
            if feeding != .inTurn { try sendAll(client, byteByByte: feeding == .byteByByte, own) }
            var run: [UInt8] = []
            for step in steps {
                if case .send(let line) = step {
                    run += Array((own(line) + "\n").utf8)
                    continue
                }
                if feeding == .inTurn, !run.isEmpty { try client.send(run) }
                run = []
                switch step {
                case .send: break
                case .endRequests: if feeding == .inTurn { client.endRequests() }
                case .expectEnd:
                    place = "<END"
                    try client.expectEnd()
                case .expect(let line):
                    place = own(line)
                    try Transcript.match(place, try client.text())
                }
            }
        } catch {
            throw TestFailure("\(name), \(feeding.rawValue): at \"\(place)\": \(error)")
        }
    }

    private func sendAll(_ client: LineClient, byteByByte: Bool, _ own: (String) -> String) throws {
        var all: [UInt8] = []
        var ends = false
        for step in steps {
            switch step {
            case .send(let line): all += Array((own(line) + "\n").utf8)
            case .endRequests: ends = true
            case .expect, .expectEnd: break
            }
        }
        if byteByByte {
            // A conversation that the daemon ends may be over before its last byte could be written.
            for byte in all { do { try client.send([byte]) } catch { break } }
        } else {
            try client.send(all)
        }
        if ends { client.endRequests() }
    }

    private static func match(_ expected: String, _ actual: String?) throws {
        guard let actual else { throw TestFailure("the daemon closed") }
        let wanted = expected.split(separator: "\t", omittingEmptySubsequences: false)
        let got = actual.split(separator: "\t", omittingEmptySubsequences: false)
        let fixed =
            switch wanted.first {
            case "C": 4
            case "E": 6
            case "N": 5
            default: max(wanted.count, got.count)
            }
        let differs = TestFailure("got \"\(actual)\"")
        guard got.count >= min(fixed, wanted.count), wanted.prefix(fixed).count == got.prefix(fixed).count else {
            throw differs
        }
        for (one, other) in zip(wanted.prefix(fixed), got.prefix(fixed)) where !glob(one, other) { throw differs }
        let attributes = got.dropFirst(fixed).map { $0.split(separator: "=", maxSplits: 1) }
        for attribute in attributes where attribute.isEmpty || !known.contains(String(attribute[0])) {
            throw TestFailure("an attribute of no version yet in \"\(actual)\"")
        }
        for wish in wanted.dropFirst(fixed) {
            guard got.dropFirst(fixed).contains(where: { glob(wish, $0) }) else {
                throw TestFailure("no \"\(wish)\" in \"\(actual)\"")
            }
        }
    }

    /// Whether `text` is `pattern`, in which each `*` stands for any text, or none.
    private static func glob(_ pattern: Substring, _ text: Substring) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return pattern == text }
        guard text.hasPrefix(first), text.count >= first.count + last.count, text.hasSuffix(last) else { return false }
        var rest = text.dropFirst(first.count).dropLast(last.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}
