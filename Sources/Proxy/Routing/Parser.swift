import CPgQuery
import Glibc

/// From SQL text to facts. Calls the parser only for texts inside ParseLimits. Needs 4 MB of free stack.
enum Parser {
    static func facts(of sql: UnsafeRawBufferPointer) -> StatementFacts {
        // The wire lets none through; behind one the parser and the server would see another text than the client sent.
        if sql.contains(0) {
            var facts = unparsed(sql, .syntax("a NUL byte in the text"))
            facts.refuse(.nulByte)
            return facts
        }
        guard sql.count <= ParseLimits.textBytes else { return unparsed(sql, .tooLong) }
        guard TextCost(sql).isBearable else { return unparsed(sql, .tooCostly) }
        return withCString(sql) { parsed(sql, $0) }
    }

    private static func parsed(_ sql: UnsafeRawBufferPointer, _ text: UnsafePointer<CChar>) -> StatementFacts {
        guard let parse = cpgquery_parse_new(text) else { return unparsed(sql, .tooCostly) }
        defer { cpgquery_parse_free(parse) }
        if let error = cpgquery_parse_error(parse) {
            return unparsed(
                sql,
                .syntax(
                    String(decoding: UnsafeRawBufferPointer(start: error, count: strnlen(error, 200)), as: UTF8.self)))
        }
        let tree = ProtobufMessage(
            UnsafeRawBufferPointer(start: cpgquery_parse_bytes(parse), count: cpgquery_parse_count(parse)))
        var facts = statementFacts(tree) ?? unparsed(sql, .tooCostly)
        facts.commentTags = CommentTags.read(sql)
        return facts
    }

    /// nil when the tree was too deep to walk.
    private static func statementFacts(_ tree: ProtobufMessage) -> StatementFacts? {
        let grammar = Grammar.shared
        var count = 0
        var statement: ProtobufField?
        tree.forEach(grammar.fields.stmts) { raw in
            if count == 0 { statement = raw.message(grammar.fields.rawStmt)?.content }
            count += 1
        }
        guard let statement, count == 1 else {
            var facts = StatementFacts()
            facts.kind = .utility
            facts.refuse(count == 0 ? .empty : .severalStatements(count))
            return facts
        }
        return StatementDetails.facts(of: statement)
    }

    private static func unparsed(_ sql: UnsafeRawBufferPointer, _ cause: UnparsedCause) -> StatementFacts {
        var facts = StatementFacts()
        facts.writes = true
        facts.unparsedCause = cause
        facts.commitsOnTheWay = true
        UnparsedText.judge(sql, &facts)
        return facts
    }

    static func fingerprint(of sql: UnsafeRawBufferPointer) -> UInt64? {
        var fingerprint: UInt64 = 0
        return withCString(sql) { cpgquery_fingerprint($0, &fingerprint) } ? fingerprint : nil
    }

    /// nil too when it would take too long.
    static func normalised(_ sql: UnsafeRawBufferPointer) -> [UInt8]? {
        guard TextCost.allowsNormalising(sql) else { return nil }
        return withCString(sql) { text in
            guard let normalised = cpgquery_normalise(text) else { return nil }
            defer { cpgquery_text_free(normalised) }
            return Array(UnsafeRawBufferPointer(start: normalised, count: strlen(normalised)))
        }
    }

    private static func withCString<Result>(
        _ sql: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: sql.count + 1) { copy in
            UnsafeMutableRawBufferPointer(copy).copyMemory(from: sql)
            copy[sql.count] = 0
            guard let text = copy.baseAddress else {
                preconditionFailure("an allocation of at least one byte has an address")
            }
            return body(text)
        }
    }
}
