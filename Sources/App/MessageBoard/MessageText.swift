import Foundation

/// What a visitor typed, made fit to be stored and shown, or refused with the reason.
package struct MessageText: Hashable, Sendable {
    /// Characters as PostgreSQL's `char_length` counts them, which are code points: the CHECK of the table says the same.
    package static let maximumLength = 200

    package enum Refusal: Error, Hashable, Sendable {
        case empty
        /// By so many code points.
        case tooLong(by: Int)
        case controlCharacter
    }

    /// 1 to 200 code points, in Unicode's composed form (NFC), without white space at its ends.
    package let text: String

    /// What a browser sent; throws why it cannot be a message.
    package init(_ typed: String) throws(Refusal) {
        // Browsers end the lines of a text area with CR LF (HTML, "constructing the entry list"); a message ends them
        // with LF, so that what counts as one character on the page counts as one here.
        let lines = Self.withPlainLineEnds(typed)
        let visible = lines.filter { !Self.isInvisibleDirection($0) }
        guard !visible.contains(where: Self.isControl) else { throw .controlCharacter }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: visible)
        let composed = String(view).precomposedStringWithCanonicalMapping
        let trimmed = Self.trimmed(composed)
        guard !trimmed.isEmpty else { throw .empty }
        let length = trimmed.unicodeScalars.count
        guard length <= Self.maximumLength else { throw .tooLong(by: length - Self.maximumLength) }
        text = trimmed
    }

    /// Overrides, embeddings and isolates turn the order of the text behind them, beyond the message's own end where
    /// the page did not isolate it, and make one text read as another ("Trojan Source", CVE-2021-42574). The marks
    /// LRM, RLM and ALM stay: they only help a mixed text to be shown right.
    private static func isInvisibleDirection(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// CR LF and CR become LF; a tab, which pasted text often has, becomes a space. By code points: as characters, CR LF
    /// is one, and so is a CR with a combining mark behind it.
    private static func withPlainLineEnds(_ typed: String) -> [Unicode.Scalar] {
        var plain: [Unicode.Scalar] = []
        var followsReturn = false
        for scalar in typed.unicodeScalars {
            switch scalar {
            case "\r": plain.append("\n")
            case "\n": if !followsReturn { plain.append("\n") }
            case "\t": plain.append(" ")
            default: plain.append(scalar)
            }
            followsReturn = scalar == "\r"
        }
        return plain
    }

    /// General category Cc but for LF, and the two separators that some programs take for a line end.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A: false
        case 0x2028, 0x2029: true
        default: scalar.properties.generalCategory == .control
        }
    }

    /// By code points: as characters, a space and a combining mark behind it would be one that is no space.
    private static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isBlank($0) }),
            let last = scalars.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(scalars[first...last])
    }

    /// White space, and characters that show nothing at all: a message of only these would look empty.
    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x200B, 0x2060, 0xFEFF, 0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x00AD: true
        default: scalar.properties.isWhitespace
        }
    }
}
