import CRe2

/// A compiled RE2 pattern. Immutable: any thread may match.
final class RegularExpression: Sendable {
    struct BadPattern: Error { var message: String }

    /// Bytes that one pattern and its automata may take. RE2 falls back to a slower, still linear way when they do not do.
    private static let maximumMemory: Int64 = 2 << 20

    // RE2's matching functions are const and thread-safe (re2.h, "thread-safe" at the class).
    private nonisolated(unsafe) let pattern: OpaquePointer

    init(_ source: String) throws(BadPattern) {
        let bytes = Array(source.utf8)
        let compiled = bytes.withUnsafeBufferPointer {
            cre2_new($0.baseAddress, $0.count, RegularExpression.maximumMemory)
        }
        guard let compiled else { throw BadPattern(message: "out of memory") }
        if let error = cre2_error(compiled) {
            let message = String(cString: error)
            cre2_free(compiled)
            throw BadPattern(message: message)
        }
        pattern = compiled
    }

    deinit { cre2_free(pattern) }

    func matches(_ text: [UInt8]) -> Bool {
        text.withUnsafeBufferPointer { cre2_matches(pattern, $0.baseAddress, $0.count) }
    }
}
