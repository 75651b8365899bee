// What can be told of a text that was not parsed: enough that its length or its form cannot smuggle in what is refused.

enum UnparsedText {
    /// Refuses by the first keyword, and by calls of functions that change a session.
    static func judge(_ text: UnsafeRawBufferPointer, _ facts: inout StatementFacts) {
        var lexer = Lexer(text)
        var words = Words()
        var isBlank = true
        var previous = Lexer.Token.other
        while let token = lexer.next() {
            if token != .semicolon { isBlank = false }
            switch token {
            case .word(let word): words.note(word, in: lexer)
            case .openParenthesis: call(of: previous, in: lexer, &facts)
            case .escapedWord, .semicolon, .other: words.noteOther()
            }
            previous = token
        }
        if isBlank { return facts.refuse(.empty) }
        if let refusal = refusal(words) { facts.refuse(refusal) }
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
        case .openParenthesis, .semicolon, .other: break
        }
    }

    /// The words of the beginning, and those further on that a command's form hangs on.
    private struct Words {
        var head: [String] = []
        var hasHold = false
        var hasClientStream = false
        var createsTemporary = false
        /// How much of INTO TEMP name was just read.
        private var intoTemporary = 0

        mutating func note(_ word: Lexer.Word, in lexer: Lexer) {
            if head.count < 6 { head.append(lexer.text(of: word)) }
            if lexer.isWord(word, "hold") { hasHold = true }
            if lexer.isWord(word, "stdin") || lexer.isWord(word, "stdout") { hasClientStream = true }
            noteInto(word, lexer)
        }

        mutating func noteOther() { intoTemporary = 0 }

        /// SELECT … INTO TEMP name. A table that is called temp, as in INSERT INTO temp VALUES, is none.
        private mutating func noteInto(_ word: Lexer.Word, _ lexer: Lexer) {
            if lexer.isWord(word, "into") {
                intoTemporary = 1
            } else if intoTemporary == 1, lexer.isWord(word, "temp") || lexer.isWord(word, "temporary") {
                intoTemporary = 2
            } else if intoTemporary == 1, lexer.isWord(word, "local") || lexer.isWord(word, "global") {
                intoTemporary = 1
            } else {
                if intoTemporary == 2, !head.contains("insert"), !Words.insertSources.contains(lexer.text(of: word)) {
                    createsTemporary = true
                }
                intoTemporary = 0
            }
        }

        /// What follows the table of an INSERT.
        private static let insertSources: Set<String> = [
            "select", "values", "default", "as", "overriding", "with", "table",
        ]

        /// CREATE [OR REPLACE] [LOCAL | GLOBAL] TEMP.
        var isCreateTemporary: Bool {
            let skipped = ["create", "or", "replace", "local", "global"]
            guard head.first == "create", let object = head.first(where: { !skipped.contains($0) }) else {
                return false
            }
            return object == "temp" || object == "temporary"
        }
    }

    private static func refusal(_ words: Words) -> Refusal? {
        let second = words.head.count > 1 ? words.head[1] : ""
        switch words.head.first {
        case "begin", "start": return .begin
        case "commit", "end": return second == "prepared" ? .twoPhase : .commit
        case "abort": return .rollback
        case "rollback": return second == "prepared" ? .twoPhase : words.head.contains("to") ? nil : .rollback
        case "prepare": return second == "transaction" ? .twoPhase : .prepare
        case "execute", "deallocate": return .prepare
        case "set": return ["local", "transaction", "constraints"].contains(second) ? nil : .set
        case "reset": return .set
        case "listen", "unlisten": return .listen
        case "discard": return .discard
        case "load": return .load
        case "declare": return words.hasHold ? .cursorWithHold : nil
        case "copy": return words.hasClientStream ? .copyFromClient : nil
        default: return words.isCreateTemporary || words.createsTemporary ? .temporary : nil
        }
    }
}
