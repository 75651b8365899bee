import Foundation

@testable import Settings

/// The files of Tests/Corpus/settings.
enum Corpus {
    static func read(_ name: String) throws -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: folder.appendingPathComponent("Corpus/settings/\(name)"), encoding: .utf8)
    }

    /// A text and everything that is wrong with it.
    struct BadCase: Sendable, CustomStringConvertible {
        let title: String
        let text: String
        /// "line:column: message"
        let complaints: [String]

        var description: String { title }
    }

    /// The cases of bad.txt, whose first lines describe its form.
    static func badCases() throws -> [BadCase] {
        let base = try read("base.toml")
        return try read("bad.txt").components(separatedBy: "\n== ").dropFirst().map { block in
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
            let title = lines.first ?? ""
            let text = lines.dropFirst().prefix { !$0.hasPrefix("-- ") }
            let complaints = lines.filter { $0.hasPrefix("-- ") }.map { String($0.dropFirst(3)) }
            return BadCase(
                title: title,
                text: (title.hasSuffix("(whole)") ? "" : base) + text.map { $0 + "\n" }.joined(),
                complaints: complaints)
        }
    }
}

extension ParsedSettings {
    /// "line:column: message"
    var lines: [String] { complaints.map { "\($0.position): \($0.message)" } }
}

extension Settings {
    static func parse(_ text: String, file: String = "pointsman.toml") -> ParsedSettings {
        parse(Array(text.utf8), file: file)
    }
}
