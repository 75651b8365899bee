/// A fingerprint as people write it: 16 hexadecimal digits.
package enum Fingerprint {
    package static func text(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// nil when the text is none.
    package static func number(_ text: String) -> UInt64? {
        guard text.utf8.count == 16, !text.hasPrefix("+") else { return nil }
        return UInt64(text, radix: 16)
    }
}
