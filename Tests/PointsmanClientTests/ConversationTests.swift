import Testing
import Wire

@testable import PointsmanClient

/// A reply line as the daemon writes it, parsed.
func reply(_ text: String) throws -> ReplyLine {
    var line = text + "\n"
    return try line.withUTF8 { try ReplyLine.parse(UnsafeRawBufferPointer($0)) }
}

@Suite struct ConversationTests {
    private var conversation = Conversation(maximumReplyBytes: 1000)

    private mutating func submit(_ kind: Outgoing.Kind, _ id: String, ticket: UInt64 = 1) {
        conversation.submitted(Outgoing(kind: kind, id: id, line: []), ticket: ticket)
    }

    private mutating func arrived(_ text: String) throws -> Conversation.Action {
        conversation.lineArrived(try reply(text), byteCount: text.utf8.count + 1)
    }

    private mutating func result(_ text: String) throws -> QueryResult {
        guard case .answer(_, .success(let result)) = try arrived(text) else { throw Unexpected() }
        return result
    }

    private mutating func loss(_ text: String) throws -> Conversation.Loss? {
        if case .close(let loss) = try arrived(text) { loss } else { nil }
    }

    private struct Unexpected: Error {}

    // MARK: Answers

    @Test mutating func collectsRowsUntilTheCompletion() throws {
        submit(.query(isRead: true), "a1")
        #expect(try loss("T\ta1\t20\tid\t25\ttext") == nil)
        #expect(try loss("D\t42\thello") == nil)
        #expect(try loss("D\t43\t\\N") == nil)
        let result = try result("C\ta1\tSELECT\t2\tpool=standby\tus=311\ttx=I")
        #expect(result.rows.map { $0["text"] } == ["hello", nil])
        #expect(result.columns.map(\.typeOID) == [20, 25])
        #expect(result.count == 2)
        #expect(result.receipt.pool == "standby")
        #expect(conversation.standing.isReusable)
    }

    @Test mutating func keepsRowsWithoutColumns() throws {
        submit(.query(isRead: true), "a1")
        _ = try arrived("T\ta1")
        _ = try arrived("D")
        _ = try arrived("D")
        #expect(try result("C\ta1\tSELECT\t2").rows.count == 2)
    }

    @Test mutating func givesEachAnswerToItsOwnRequest() throws {
        submit(.query(isRead: true), "a1", ticket: 1)
        submit(.query(isRead: true), "a2", ticket: 2)
        guard case .answer(1, .failure(let error)) = try arrived("E\ta1\t42P01\tERROR\tnever\tno such relation") else {
            throw Unexpected()
        }
        #expect(error.sqlstate == "42P01")
        guard case .answer(2, .success) = try arrived("C\ta2\tSELECT\t0") else { throw Unexpected() }
    }

    @Test(
        arguments: [
            "C\ta2\tSELECT\t1", "T\ta2\t25\tx", "E\ta2\t42601\tERROR\tnever\tno", "D\t1", "C\tA1\tSELECT\t1",
        ])
    func anAnswerOutOfTurnEndsTheConnection(line: String) throws {
        var other = self
        other.submit(.query(isRead: true), "a1", ticket: 1)
        other.submit(.query(isRead: true), "a2", ticket: 2)
        guard case .violation = try other.loss(line) else { throw Unexpected() }
    }

    @Test mutating func anAnswerToNothingEndsTheConnection() throws {
        guard case .violation = try loss("C\ta1\tSELECT\t1") else { throw Unexpected() }
    }

    @Test mutating func rowsMustHaveTheAnnouncedColumns() throws {
        submit(.query(isRead: true), "a1")
        _ = try arrived("T\ta1\t25\tx")
        guard case .violation = try loss("D\t1\t2") else { throw Unexpected() }
        guard case .violation = try loss("T\ta1\t25\tx") else { throw Unexpected() }
    }

    @Test mutating func aReplyHasABound() throws {
        submit(.query(isRead: true), "a1")
        _ = try arrived("T\ta1\t25\tx")
        let row = "D\t" + String(repeating: "x", count: 490)
        #expect(try loss(row) == nil)
        #expect(try loss(row) == nil)
        #expect(try loss(row) == .tooLarge(limit: 1000))
    }

    @Test mutating func noticesGoWithTheirRequest() throws {
        submit(.query(isRead: true), "a1")
        _ = try arrived("N\ta1\t01000\tWARNING\tcareful\tD=why")
        guard case .notice(let notice) = try arrived("N\t-\t01000\tWARNING\tfor all") else { throw Unexpected() }
        #expect(notice.message == "for all")
        let notices = try result("C\ta1\tSELECT\t0").notices
        #expect(notices.map(\.message) == ["careful"])
        #expect(notices.first?.detail == "why")
    }

    // MARK: What a later lease must know

    @Test mutating func aConnectionThatWroteIsLentAgain() throws {
        submit(.query(isRead: false), "a1")
        _ = try arrived("C\ta1\tINSERT\t1\tpool=primary")
        #expect(conversation.standing.isReusable)
        submit(.query(isRead: true), "a2")
        _ = try arrived("C\ta2\tSELECT\t1\tpool=primary\twhy=own-write")
        #expect(conversation.standing.isReusable)
    }

    @Test mutating func aConnectionInATransactionIsNotLentAgain() throws {
        submit(.begin(readOnly: true), "a1")
        _ = try arrived("E\ta1\t57P03\tERROR\tlater\tno server")
        #expect(!conversation.standing.isReusable, "a failed BEGIN leaves an aborted transaction")
        submit(.rollback, "a2")
        #expect(!conversation.standing.isReusable)
        _ = try arrived("C\ta2\tROLLBACK\t\\N")
        #expect(conversation.standing.isReusable)
    }

    @Test mutating func aConnectionOfADrainingDaemonIsNotLentAgain() throws {
        submit(.query(isRead: true), "a1")
        _ = try arrived("E\ta1\t57P01\tERROR\tlater\tdraining\tsrc=pool")
        #expect(!conversation.standing.isReusable)
    }

    @Test mutating func aCancelledConnectionIsNotLentAgain() throws {
        submit(.query(isRead: true), "a1")
        conversation.cancelRequested()
        _ = try arrived("C\ta1\tSELECT\t0")
        #expect(!conversation.standing.isReusable)
    }

    // MARK: What a loss means

    /// Requests in their order, `!` marks one that did not leave whole; the outcome of each.
    struct Loss: Sendable, CustomTestStringConvertible {
        var requests: [(Outgoing.Kind, sent: Bool)]
        var outcomes: [String]
        var testDescription: String { outcomes.joined(separator: ", ") }
    }

    static let losses: [Loss] = [
        Loss(requests: [(.query(isRead: false), true)], outcomes: ["08007 unknown"]),
        Loss(requests: [(.query(isRead: false), false)], outcomes: ["08006 now"]),
        Loss(requests: [(.query(isRead: true), true)], outcomes: ["08006 now"]),
        Loss(requests: [(.harmless, true)], outcomes: ["08006 now"]),
        Loss(requests: [(.begin(readOnly: false), true)], outcomes: ["08006 tx"]),
        Loss(
            requests: [(.begin(readOnly: false), true), (.query(isRead: false), true)],
            outcomes: ["08006 tx", "08006 tx"]),
        Loss(
            requests: [(.begin(readOnly: false), true), (.query(isRead: false), true), (.commit, true)],
            outcomes: ["08006 tx", "08007 unknown", "08007 unknown"]),
        Loss(
            requests: [(.begin(readOnly: false), true), (.query(isRead: false), true), (.commit, false)],
            outcomes: ["08006 tx", "08006 tx", "08006 tx"]),
        Loss(
            requests: [(.begin(readOnly: true), true), (.query(isRead: false), true), (.commit, true)],
            outcomes: ["08006 tx", "08006 tx", "08006 tx"]),
        Loss(
            requests: [(.begin(readOnly: false), true), (.query(isRead: false), true), (.rollback, true)],
            outcomes: ["08006 tx", "08006 tx", "08006 tx"]),
        // The COMMIT of a second transaction says nothing about the first, nor about what stands between them.
        Loss(
            requests: [
                (.begin(readOnly: false), true), (.query(isRead: false), true), (.rollback, true),
                (.query(isRead: true), true), (.begin(readOnly: false), true), (.commit, true),
                (.query(isRead: false), true),
            ],
            outcomes: [
                "08006 tx", "08006 tx", "08006 tx", "08006 now", "08006 tx", "08007 unknown", "08007 unknown",
            ]),
    ]

    @Test(arguments: losses)
    func aLossSaysWhatMayHaveHappened(loss: Loss) {
        var other = Conversation(maximumReplyBytes: 1000)
        for (number, request) in loss.requests.enumerated() {
            let id = "a\(number)"
            other.submitted(Outgoing(kind: request.0, id: id, line: []), ticket: UInt64(number + 1))
            if !request.sent { other.writeFailed(id: id) }
        }
        let answers = other.lost(.closedByDaemon("end of stream"))
        #expect(answers.map { "\($0.error.sqlstate) \($0.error.retry)" } == loss.outcomes)
        #expect(answers.map(\.ticket) == loss.requests.indices.map { UInt64($0 + 1) })
        #expect(other.unanswered == 0)
        #expect(!other.standing.isReusable)
    }

    @Test mutating func whatWasAnsweredIsNotLost() throws {
        submit(.begin(readOnly: false), "a1", ticket: 1)
        submit(.query(isRead: false), "a2", ticket: 2)
        _ = try arrived("C\ta1\tBEGIN\t\\N")
        #expect(conversation.lost(.silent).map(\.ticket) == [2])
    }

    @Test mutating func theDaemonsReasonIsPassedOn() throws {
        submit(.query(isRead: true), "a1")
        let line = "E\t-\t53300\tFATAL\tlater\ttoo many clients\tafter_ms=20"
        guard let loss = try loss(line) else { throw Unexpected() }
        let error = try #require(conversation.lost(loss).first?.error)
        #expect(error.sqlstate == "53300")
        #expect(error.afterMilliseconds == 20)
    }

    @Test(arguments: [
        (Conversation.Loss.silent, "57014 later"), (.cancelled, "57014 now"), (.tooLarge(limit: 9), "54000 never"),
        (.violation("x"), "08006 now"),
    ])
    func aReadSaysWhyItWasLost(loss: Conversation.Loss, outcome: String) {
        var other = Conversation(maximumReplyBytes: 1000)
        other.submitted(Outgoing(kind: .query(isRead: true), id: "a", line: []), ticket: 1)
        #expect(other.lost(loss).map { "\($0.error.sqlstate) \($0.error.retry)" } == [outcome])
    }
}
