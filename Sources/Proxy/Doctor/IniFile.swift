import Glibc

/// PgBouncer's settings file, as far as it can be read here: to name the line that must change. What `%include` brings is
/// not looked at.
package struct IniFile: Sendable, Equatable {
    package let path: String
    /// By section and key, in small letters: the line's number, from 1. The last one counts, as for PgBouncer.
    private let lines: [String: Int]

    package init(path: String, text: String) {
        self.path = path
        var lines: [String: Int] = [:]
        var section = ""
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = Self.trimmed(line)
            if line.hasPrefix("["), line.hasSuffix("]") {
                section = line.dropFirst().dropLast().lowercased()
            } else if let equals = line.firstIndex(of: "="), !line.hasPrefix(";"), !line.hasPrefix("#") {
                lines["\(section) \(Self.trimmed(line[..<equals]).lowercased())"] = index + 1
            }
        }
        self.lines = lines
    }

    /// Nil when it cannot be read.
    init?(reading path: String) {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count < 4 << 20 {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        self.init(path: path, text: String(decoding: bytes, as: UTF8.self))
    }

    func line(of key: String, in section: String) -> Int? { lines["\(section) \(key.lowercased())"] }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0.isWhitespace }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}
