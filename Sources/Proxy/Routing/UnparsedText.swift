// What can be told of a text that was not parsed: enough that its length or its form cannot smuggle in what is refused.
// Where words leave it open what a command does, it is refused: all of this concerns texts that are very long or very odd.
// A second statement behind a semicolon is not looked for: libpq's extended protocol runs none (42601).

enum UnparsedText {
    /// Refuses by a command's first words, and by calls of functions that change a session.
    static func judge(_ text: UnsafeRawBufferPointer, _ facts: inout StatementFacts) {
        var lexer = Lexer(text)
        var words = CommandWords()
        var isBlank = true
        var previous = Lexer.Token.other
        while let token = lexer.next() {
            if token != .semicolon { isBlank = false }
            if token == .openParenthesis { call(of: previous, in: lexer, &facts) }
            if case .word(let word) = token { attribute(word, in: lexer, &facts) }
            words.note(token, in: lexer)
            previous = token
        }
        if isBlank { return facts.refuse(.empty) }
        if let refusal = words.refusal { facts.refuse(refusal) }
    }

    private static func call(of name: Lexer.Token, in lexer: Lexer, _ facts: inout StatementFacts) {
        switch name {
        case .word(let word):
            // The shortest name to look for is set_config; literals' digits and short words need no look-up.
            guard word.count >= 10, word.count < 64 else { return }
            let name = lexer.text(of: word)
            guard KnownFunctions.isRefusedUnparsed(name) else { return }
            facts.refuse(name == "set_config" ? .setConfig : .sessionLock)
        case .escapedWord: facts.refuse(.unreadableName)
        case .openParenthesis, .closeParenthesis, .semicolon, .other: break
        }
    }

    /// (1).pg_advisory_lock is a call too.
    private static func attribute(_ word: Lexer.Word, in lexer: Lexer, _ facts: inout StatementFacts) {
        guard !lexer.isUnfinished(word), KnownFunctions.mayBelongToPrimary(lexer.bytes(of: word)) else { return }
        if KnownFunctions.meaning(of: QualifiedName(name: lexer.text(of: word))) == .sessionLock {
            facts.refuse(.sessionLock)
        }
    }
}

/// The words of a command's beginning, and those further on that its meaning hangs on.
private struct CommandWords {
    private struct Word {
        var text: String
        var isQuoted: Bool
    }

    /// Without EXPLAIN and its options.
    private var head: [Word] = []
    private var isExplained = false
    private var depth = 0
    /// A dot, a sign or the like stands behind the second word.
    private var hasSignBehindSecond = false
    private var hasHold = false
    private var readsClientStream = false
    private var writesClientStream = false
    private var namesSettingsView = false
    /// Only words that may stand between CREATE and TEMP were read since a CREATE.
    private var isBehindCreate = false
    private var createsTemporary = false
    private var hasEscapedName = false
    private var namesTemporarySchema = false
    private var executes = false
    /// Whether the word before was AS.
    private var isAfterAs = false
    private var target = Target.none
    private var intoTemporary = false
    private var intoUnreadable = false

    /// How much of INTO [LOCAL | GLOBAL] TEMP name was just read.
    private enum Target { case none, into, temporary }

    mutating func note(_ token: Lexer.Token, in lexer: Lexer) {
        if case .word(let word) = token {
            return note(word, in: lexer)
        }
        if head.count == 2, token != .semicolon { hasSignBehindSecond = true }
        if token == .openParenthesis { depth += 1 }
        if token == .closeParenthesis { depth -= 1 }
        if token == .escapedWord {
            hasEscapedName = true
            if target == .temporary { intoTemporary = true }
            if target == .into { intoUnreadable = true }
        }
        isAfterAs = false
        target = .none
    }

    private mutating func note(_ word: Lexer.Word, in lexer: Lexer) {
        if head.count < 6, !head.isEmpty || !isOfExplain(word, lexer) {
            head.append(Word(text: lexer.text(of: word), isQuoted: word.isQuoted))
        }
        if lexer.isWord(word, "hold") { hasHold = true }
        if lexer.isWord(word, "stdin") { readsClientStream = true }
        if lexer.isWord(word, "stdout") { writesClientStream = true }
        if word.count == 11, lexer.begins(word, with: "pg_settings") { namesSettingsView = true }
        noteCreate(word, lexer)
        let isTemporarySchema = lexer.begins(word, with: "pg_temp")
        if isTemporarySchema { namesTemporarySchema = true }
        if isAfterAs, lexer.isWord(word, "execute") { executes = true }
        isAfterAs = lexer.isWord(word, "as")
        noteTarget(word, isTemporarySchema, lexer)
    }

    /// EXPLAIN does what the command behind it does: that one's words count.
    private mutating func isOfExplain(_ word: Lexer.Word, _ lexer: Lexer) -> Bool {
        guard isExplained else {
            isExplained = lexer.isWord(word, "explain")
            return isExplained
        }
        return depth > 0 || lexer.isWord(word, "analyze") || lexer.isWord(word, "analyse")
            || lexer.isWord(word, "verbose")
    }

    /// A table that is called temp, as in INSERT INTO temp SELECT, is told by a reserved word behind it, which cannot be the
    /// name of a temporary table.
    private mutating func noteTarget(_ word: Lexer.Word, _ isTemporarySchema: Bool, _ lexer: Lexer) {
        switch target {
        case .none: break
        case .into:
            if isTemporarySchema { intoTemporary = true }
            if lexer.isWord(word, "local") || lexer.isWord(word, "global") { return }
            if lexer.isWord(word, "temp") || lexer.isWord(word, "temporary") {
                target = .temporary
                return
            }
        case .temporary:
            if word.isQuoted || !CommandWords.reserved.contains(lexer.text(of: word)) { intoTemporary = true }
        }
        target = lexer.isWord(word, "into") ? .into : .none
    }

    private static let reserved: Set<String> = ["select", "default", "as", "with", "using"]

    // MARK: The judgement

    var refusal: Refusal? {
        let second = word(1)
        switch word(0) {
        case "begin", "start": return .begin
        case "commit", "end": return second == "prepared" ? .twoPhase : .commit
        case "abort": return .rollback
        case "rollback":
            return second == "prepared" ? .twoPhase : head.contains { $0.text == "to" } ? nil : .rollback
        case "prepare": return second == "transaction" ? .twoPhase : .prepare
        case "execute", "deallocate": return .prepare
        case "set": return set
        case "reset": return .set
        case "listen", "unlisten": return .listen
        case "discard": return .discard
        case "load": return .load
        case "declare": return hasHold ? .cursorWithHold : nil
        case "copy":
            if readsClientStream { return .copyFromClient }
            return writesClientStream ? .copyToClient(select: "the query, or a SELECT of the table, by itself") : nil
        case "update": return namesSettingsView ? .set : nil
        case "create", "alter":
            if executes { return .prepare }
            if createsTemporary || namesTemporarySchema { return .temporary }
            return hasEscapedName ? .unreadableName : nil
        // The heads of SELECT … INTO; none: EXPLAIN (SELECT …).
        case "select", "with", "":
            if intoTemporary { return .temporary }
            if namesSettingsView, word(0) != "select" { return .set }
            return intoUnreadable ? .unreadableName : nil
        default: return nil
        }
    }

    /// Empty when there are fewer, or a quoted name stands there.
    private func word(_ index: Int) -> String {
        head.count > index && !head[index].isQuoted ? head[index].text : ""
    }

    /// LOCAL, TRANSACTION and CONSTRAINTS are what they seem when a word follows: SET local.a = … sets local.a for the
    /// session. Outside a transaction PostgreSQL itself says that they have no effect.
    private var set: Refusal? {
        guard ["local", "transaction", "constraints"].contains(word(1)), !hasSignBehindSecond,
            !["to", "from"].contains(word(2))
        else { return .set }
        guard word(1) == "local", head.count > 2 else { return nil }
        if word(2) == "names" || isProtectedSetting(head[2].text) { return .protectedSetting }
        return head[2].text.lowercased() == "search_path" ? .temporarySearchPath : nil
    }

    /// CREATE [OR REPLACE] [LOCAL | GLOBAL] TEMP, also inside CREATE SCHEMA.
    private mutating func noteCreate(_ word: Lexer.Word, _ lexer: Lexer) {
        if isBehindCreate, lexer.isWord(word, "temp") || lexer.isWord(word, "temporary") { createsTemporary = true }
        let isBetween = ["or", "replace", "local", "global"].contains { lexer.isWord(word, $0) }
        isBehindCreate = lexer.isWord(word, "create") || (isBehindCreate && isBetween)
    }
}
