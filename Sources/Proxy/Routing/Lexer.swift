import Glibc

// PostgreSQL's lexical rules, as far as telling code from strings and comments needs them, in one pass and linear time. For
// texts that were not parsed, and for comments, which a parse drops.

struct Lexer {
    enum Token: Equatable {
        /// An identifier or keyword, without its quotes; `Lexer.text` reads it.
        case word(Word)
        /// U&"…", with its UESCAPE: an identifier whose letters may be written as escapes.
        case escapedWord
        case semicolon
        case openParenthesis
        case closeParenthesis
        /// Anything else: strings, numbers, operators, punctuation.
        case other
    }

    struct Word: Equatable {
        var start: Int
        var count: Int
        var isQuoted: Bool
    }

    private let text: UnsafeRawBufferPointer
    private var position = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    private func byte(_ offset: Int = 0) -> UInt8 {
        position + offset < text.count ? text[position + offset] : 0
    }

    /// The next token, nil at the end. A string or comment that does not end is taken to the end of the text.
    mutating func next() -> Token? {
        skipBlank()
        guard position < text.count else { return nil }
        let first = byte()
        switch first {
        case UInt8(ascii: ";"): position += 1; return .semicolon
        case UInt8(ascii: "("): position += 1; return .openParenthesis
        case UInt8(ascii: ")"): position += 1; return .closeParenthesis
        case UInt8(ascii: "'"): string(escapes: false); return .other
        case UInt8(ascii: "\""): return .word(quotedName())
        case UInt8(ascii: "$"): dollar(); return .other
        default: break
        }
        guard Lexer.startsName(first) else {
            if Lexer.isDigit(first) { number() } else { position += 1 }
            return .other
        }
        return wordOrPrefixedString(first)
    }

    private mutating func wordOrPrefixedString(_ first: UInt8) -> Token {
        let quote = UInt8(ascii: "'")
        let lower = first | 0x20
        if byte(1) == quote,
            [UInt8(ascii: "e"), UInt8(ascii: "b"), UInt8(ascii: "x"), UInt8(ascii: "n")].contains(lower)
        {
            position += 1
            string(escapes: lower == UInt8(ascii: "e"))
            return .other
        }
        if lower == UInt8(ascii: "u"), byte(1) == UInt8(ascii: "&"), byte(2) == quote || byte(2) == UInt8(ascii: "\"") {
            position += 2
            if byte() == quote {
                string(escapes: false)
                return .other
            }
            _ = quotedName()
            skipEscapeCharacter()
            return .escapedWord
        }
        let start = position
        while position < text.count, Lexer.continuesName(byte()) { position += 1 }
        return .word(Word(start: start, count: position - start, isQuoted: false))
    }

    /// UESCAPE and any form of a string belong to the name before them.
    private mutating func skipEscapeCharacter() {
        let end = position
        skipBlank()
        let start = position
        while position < text.count, position - start < 8, Lexer.continuesName(byte()) { position += 1 }
        let word = Word(start: start, count: position - start, isQuoted: false)
        skipBlank()
        guard isWord(word, "uescape") else {
            position = end
            return
        }
        let isEscaped = byte() | 0x20 == UInt8(ascii: "e") && byte(1) == UInt8(ascii: "'")
        if isEscaped { position += 1 }
        if byte() == UInt8(ascii: "'") { string(escapes: isEscaped) } else if byte() == UInt8(ascii: "$") { dollar() }
    }

    /// The word as PostgreSQL folds it (in ASCII, as it does in UTF-8 databases); at most 64 bytes, as no name is longer.
    func text(of word: Word) -> String {
        let bytes = text[word.start..<word.start + min(word.count, 64)]
        return String(decoding: word.isQuoted ? Array(bytes) : bytes.map { Lexer.folded($0) }, as: UTF8.self)
    }

    func isWord(_ word: Word, _ name: StaticString) -> Bool {
        guard word.count == name.utf8CodeUnitCount, !word.isQuoted else { return false }
        return name.withUTF8Buffer { known in
            known.indices.allSatisfy { Lexer.folded(text[word.start + $0]) == known[$0] }
        }
    }

    /// A quoted name that the text ends in: no server takes it.
    func isUnfinished(_ word: Word) -> Bool { word.isQuoted && word.start + word.count >= text.count }

    /// As it stands in the text.
    func bytes(of word: Word) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: text[word.start..<word.start + word.count])
    }

    /// Compares as PostgreSQL folds it.
    func begins(_ word: Word, with prefix: StaticString) -> Bool {
        guard word.count >= prefix.utf8CodeUnitCount else { return false }
        return prefix.withUTF8Buffer { known in
            known.indices.allSatisfy { index in
                let byte = text[word.start + index]
                return (word.isQuoted ? byte : Lexer.folded(byte)) == known[index]
            }
        }
    }

    private mutating func skipBlank() {
        while position < text.count {
            switch byte() {
            case 0x20, 0x09...0x0d: position += 1
            case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"):
                while position < text.count, byte() != 0x0a, byte() != 0x0d { position += 1 }
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"): blockComment()
            default: return
            }
        }
    }

    private mutating func blockComment() {
        var depth = 0
        while position < text.count {
            if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                depth -= 1
                position += 2
                if depth == 0 { return }
            } else {
                position += 1
            }
        }
    }

    /// From the opening quote to behind the closing one.
    private mutating func string(escapes: Bool) {
        repeat {
            position += 1
            while position < text.count {
                if !escapes { position = nextQuote() }
                let current = byte()
                position += 1
                if escapes, current == UInt8(ascii: "\\") {
                    position += 1
                } else if current == UInt8(ascii: "'") {
                    if byte() != UInt8(ascii: "'") { break }
                    position += 1
                }
            }
        } while escapes && continuesOnNextLine()
        position = min(position, text.count)
    }

    private func nextQuote() -> Int {
        guard position < text.count, let base = text.baseAddress,
            let found = memchr(base + position, CInt(UInt8(ascii: "'")), text.count - position)
        else { return text.count }
        return UnsafeRawPointer(found) - base
    }

    /// A string that follows behind a line's end is part of the one before, escapes included; moves to its opening quote.
    private mutating func continuesOnNextLine() -> Bool {
        var ahead = position
        var sawNewline = false
        while ahead < text.count {
            switch text[ahead] {
            case 0x0a, 0x0d: sawNewline = true
            case 0x20, 0x09, 0x0b, 0x0c: break
            case UInt8(ascii: "-") where ahead + 1 < text.count && text[ahead + 1] == UInt8(ascii: "-"):
                while ahead + 1 < text.count, text[ahead + 1] != 0x0a, text[ahead + 1] != 0x0d { ahead += 1 }
            case UInt8(ascii: "'") where sawNewline:
                position = ahead
                return true
            default: return false
            }
            ahead += 1
        }
        return false
    }

    /// A doubled quote inside stays doubled: no name that anyone looks for has one.
    private mutating func quotedName() -> Word {
        position += 1
        let start = position
        while position < text.count {
            if byte() == UInt8(ascii: "\"") {
                if byte(1) != UInt8(ascii: "\"") { break }
                position += 1
            }
            position += 1
        }
        let end = min(position, text.count)
        position = min(position + 1, text.count)
        return Word(start: start, count: end - start, isQuoted: true)
    }

    /// $n, or a string between two equal $tag$.
    private mutating func dollar() {
        let start = position
        position += 1
        guard !Lexer.isDigit(byte()) else { return }
        while position < text.count, byte() != UInt8(ascii: "$"), Lexer.continuesName(byte()) { position += 1 }
        guard byte() == UInt8(ascii: "$") else {
            position = start + 1
            return
        }
        position += 1
        let tag = UnsafeRawBufferPointer(rebasing: text[start..<position])
        while position + tag.count <= text.count {
            if byte() == UInt8(ascii: "$"), text[position..<position + tag.count].elementsEqual(tag) {
                position += tag.count
                return
            }
            position += 1
        }
        position = text.count
    }

    private mutating func number() {
        while Lexer.isDigit(byte()) || byte() == UInt8(ascii: ".") { position += 1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    private static func startsName(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return (lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_") || byte >= 0x80
    }
    private static func continuesName(_ byte: UInt8) -> Bool {
        startsName(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
    }
    private static func folded(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
