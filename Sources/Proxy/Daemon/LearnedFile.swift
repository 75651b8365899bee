import Glibc
import Logging
import Routing

/// What standbys refused, kept over restarts in `state_dir`: one line a statement, SQLSTATE and normalised text in the
/// protocol's escapes. Normalised, so that no constant of a user lands on the disk; the fingerprint is the same.
///
/// Nothing hangs on it: a file that cannot be read or written is said in the log, and a standby refuses once more.
struct LearnedFile {
    private static let name = "learned"
    private static let head =
        "# Statements that standbys refused: read when the daemon starts, written when it learns.\n"
    /// Far above what `LearnedStatements.maximumCount` texts of the usual length need.
    private static let maximumBytes = 16 << 20

    private let path: String
    private let log: Logger

    init(folder: String, log: Logger) {
        path = "\(folder)/\(Self.name)"
        self.log = log
    }

    /// Teaches the judge what the file says; how many statements that were.
    func load(into judge: Judge) -> Int {
        guard let bytes = read() else { return 0 }
        var count = 0
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            guard let tab = line.firstIndex(of: UInt8(ascii: "\t")), tab - line.startIndex == 5 else { continue }
            let sqlstate = String(decoding: line[..<tab], as: UTF8.self)
            guard let text = Self.unescaped(line[(tab + 1)...]) else { continue }
            let isLearned = text.withUnsafeBytes { judge.learn(judge.statement(for: $0), sqlstate: sqlstate) }
            if isLearned { count += 1 }
        }
        return count
    }

    private func read() -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno != ENOENT { complain("read") }
            return nil
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= Self.maximumBytes {
            let count = part.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            guard count > 0 else {
                complain("read")
                return nil
            }
            bytes += part[..<count]
        }
        log.error("state_unreadable", metadata: ["file": "\(path)", "error": "it is larger than 16 MiB"])
        return nil
    }

    /// Writes all of it, by a rename: a reader sees the old one or the new one.
    func save(_ learned: LearnedStatements) {
        var bytes = Array(Self.head.utf8)
        for entry in learned.entries where entry.statement.isNormalised {
            bytes += entry.sqlstate.utf8
            bytes.append(UInt8(ascii: "\t"))
            Self.append(entry.statement.normalisedBytes, to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        let next = "\(path).new"
        let file = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return complain("written") }
        let isWritten = bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let count = Glibc.write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
        guard isWritten else {
            complain("written")
            close(file)
            return
        }
        close(file)
        if rename(next, path) != 0 { complain("written") }
    }

    private func complain(_ what: String) {
        log.error("state_not_\(what)", metadata: ["file": "\(path)", "error": "\(String(cString: strerror(errno)))"])
    }

    // MARK: Escapes

    private static func append(_ text: [UInt8], to line: inout [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "\\"): line += [byte, byte]
            case UInt8(ascii: "\n"): line += Array("\\n".utf8)
            case UInt8(ascii: "\r"): line += Array("\\r".utf8)
            case UInt8(ascii: "\t"): line += Array("\\t".utf8)
            default: line.append(byte)
            }
        }
    }

    /// Nil when it ends in half an escape, or has one that is none.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var bytes = text.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            switch bytes.next() {
            case UInt8(ascii: "\\"): result.append(byte)
            case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
            case UInt8(ascii: "t"): result.append(UInt8(ascii: "\t"))
            default: return nil
            }
        }
        return result
    }
}
