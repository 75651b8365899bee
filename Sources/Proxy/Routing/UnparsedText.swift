// What can be told of a text that was not parsed: enough that its length or its form cannot smuggle in what is refused.

enum UnparsedText {
    /// How many words of the beginning a command's form is looked for in.
    private static let headWords = 6

    /// Refuses by the first keyword, and by calls of functions that change a session.
    static func judge(_ text: UnsafeRawBufferPointer, _ facts: inout StatementFacts) {
        var lexer = Lexer(text)
        var head: [String] = []
        var words = TailWords()
        var previous: Lexer.Token = .other
        while let token = lexer.next() {
            switch token {
            case .word(let word):
                if head.count < headWords { head.append(word) }
                words.note(word)
            case .openParenthesis:
                if case .word(let name) = previous, KnownFunctions.isRefusedUnparsed(name) {
                    facts.refuse(name == "set_config" ? .setConfig : .sessionLock)
                } else if previous == .escapedWord {
                    facts.refuse(.unreadableName)
                }
            case .escapedWord, .semicolon, .other: break
            }
            previous = token
        }
        if head.isEmpty, previous == .other || previous == .semicolon, isBlank(text) { return facts.refuse(.empty) }
        if let refusal = refusal(head, words) { facts.refuse(refusal) }
    }

    private static func isBlank(_ text: UnsafeRawBufferPointer) -> Bool {
        var lexer = Lexer(text)
        while let token = lexer.next() {
            if token != .semicolon { return false }
        }
        return true
    }

    /// Words that matter behind the command's own.
    private struct TailWords {
        var hasHold = false
        var hasClientStream = false
        var hasPrepared = false

        mutating func note(_ word: String) {
            switch word {
            case "hold": hasHold = true
            case "stdin", "stdout": hasClientStream = true
            case "prepared": hasPrepared = true
            default: break
            }
        }
    }

    private static func refusal(_ head: [String], _ words: TailWords) -> Refusal? {
        let second = head.count > 1 ? head[1] : ""
        switch head.first {
        case "begin", "start": return .begin
        case "commit", "end": return words.hasPrepared && second == "prepared" ? .twoPhase : .commit
        case "abort": return .rollback
        case "rollback": return second == "prepared" ? .twoPhase : head.contains("to") ? nil : .rollback
        case "prepare": return second == "transaction" ? .twoPhase : .prepare
        case "execute", "deallocate": return .prepare
        case "set": return second == "local" || second == "transaction" || second == "constraints" ? nil : .set
        case "reset": return .set
        case "listen", "unlisten": return .listen
        case "discard": return .discard
        case "load": return .load
        case "declare": return words.hasHold ? .cursorWithHold : nil
        case "copy": return words.hasClientStream ? .copyFromClient : nil
        case "create": return head.contains("temp") || head.contains("temporary") ? .temporary : nil
        default: return nil
        }
    }
}
