/// "Did you mean": the known word nearest to a misspelt one.
enum Suggestion {
    /// ` (did you mean "standby"?)`, or a list of what is allowed when nothing is near; begins with a blank.
    static func text(for word: String, among known: [String]) -> String {
        let lower = word.lowercased()
        let nearest = known.map { (word: $0, distance: distance(lower, $0.lowercased())) }.min {
            $0.distance < $1.distance
        }
        if let nearest, nearest.distance <= max(1, min(word.utf8.count, nearest.word.utf8.count) / 3) {
            return " (did you mean \"\(nearest.word)\"?)"
        }
        guard !known.isEmpty, known.count <= 16 else { return "" }
        return " (known: \(known.joined(separator: ", ")))"
    }

    /// Optimal string alignment: insertions, deletions, replacements, and neighbours swapped.
    private static func distance(_ one: String, _ other: String) -> Int {
        let (a, b) = (Array(one.utf8.prefix(64)), Array(other.utf8.prefix(64)))
        var before = [Int](repeating: 0, count: b.count + 1)
        var previous = Array(0...b.count)
        for i in 0..<a.count {
            var current = [i + 1] + [Int](repeating: 0, count: b.count)
            for j in 0..<b.count {
                current[j + 1] = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    current[j + 1] = min(current[j + 1], before[j - 1] + 1)
                }
            }
            (before, previous) = (previous, current)
        }
        return previous[b.count]
    }
}
