/// What a standby refused, by fingerprint: it goes to the primary from then on. Bounded: beyond `maximumCount` the one learned
/// first is forgotten, and a standby refuses it once more.
package struct LearnedStatements {
    package struct Entry {
        package let fingerprint: UInt64
        /// What the standby said: 25006 for what writes; other codes for what only the primary can do, such as reading an
        /// unlogged table.
        package let sqlstate: String
        package let statement: Statement
    }

    package static let maximumCount = 1000
    private var entriesByFingerprint: [UInt64: Entry] = [:]
    /// In the order of learning.
    private var order: [UInt64] = []

    package var isEmpty: Bool { entriesByFingerprint.isEmpty }
    /// The one learned first comes first.
    package var entries: [Entry] { order.compactMap { entriesByFingerprint[$0] } }

    package subscript(fingerprint: UInt64) -> Entry? { entriesByFingerprint[fingerprint] }

    /// False when it was known.
    mutating func learn(_ statement: Statement, sqlstate: String) -> Bool {
        let fingerprint = statement.fingerprint
        guard entriesByFingerprint[fingerprint] == nil else { return false }
        if order.count >= Self.maximumCount { entriesByFingerprint[order.removeFirst()] = nil }
        entriesByFingerprint[fingerprint] = Entry(fingerprint: fingerprint, sqlstate: sqlstate, statement: statement)
        order.append(fingerprint)
        return true
    }

    /// False when it was not known.
    mutating func forget(_ fingerprint: UInt64) -> Bool {
        guard entriesByFingerprint.removeValue(forKey: fingerprint) != nil else { return false }
        order.removeAll { $0 == fingerprint }
        return true
    }
}
