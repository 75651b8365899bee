/// "Did you mean …?"
enum Suggestion {
    /// The nearest of the candidates, when one is near enough to be a slip of the fingers.
    static func nearest(to word: String, in candidates: [String]) -> String? {
        let letters = Array(word.utf8)
        // The cost is the product of the lengths and of the number: a broken file must not take seconds.
        guard letters.count <= 64, candidates.count <= 1000 else { return nil }
        var best: (word: String, distance: Int)?
        for candidate in candidates where candidate != word && candidate.utf8.count <= 64 {
            let distance = distance(letters, Array(candidate.utf8))
            let allowed = max(1, min(letters.count, candidate.utf8.count) / 3)
            guard distance <= allowed else { continue }
            if let known = best, known.distance <= distance { continue }
            best = (candidate, distance)
        }
        return best?.word
    }

    /// "; did you mean `x`?" or nothing.
    static func clause(for word: String, in candidates: [String]) -> String {
        nearest(to: word, in: candidates).map { "; did you mean `\($0)`?" } ?? ""
    }

    /// Changed, missing, additional and swapped letters (optimal string alignment). Case does not count.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        let left = left.map(lowercase)
        let right = right.map(lowercase)
        if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 1...left.count {
            var current = [Int](repeating: row, count: right.count + 1)
            for column in 1...right.count {
                let changed = left[row - 1] == right[column - 1] ? 0 : 1
                current[column] = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + changed)
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    current[column] = min(current[column], beforeLast[column - 2] + 1)
                }
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
    }
}

/// Text of the file inside a message: short, and without control characters.
enum Quoted {
    static func clip(_ text: String, to limit: Int = 40) -> String {
        var result = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if index == limit { return result + "…" }
            result.unicodeScalars.append(scalar.properties.isPrintable ? scalar : "\u{FFFD}")
        }
        return result
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isPrintable: Bool {
        switch generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
