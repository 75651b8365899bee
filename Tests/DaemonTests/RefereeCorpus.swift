import Foundation
import TestKit

/// A statement of `Tests/Corpus/referee/statements`, whose README explains the form.
struct RefereeStatement {
    /// The file's name without its ending.
    let origin: String
    /// From 1.
    let line: Int
    let sql: String
    /// Runs before it in the same transaction.
    let setup: String?

    var place: String { "\(origin):\(line)" }
}

/// A word of `about-the-server.tsv`.
struct ServerQuestion {
    let word: String
    let reason: String

    /// Whether the word stands in the text by itself, in any case of letters; at its end `*` is for more of a name.
    func occurs(in sql: String) -> Bool {
        let stem = word.hasSuffix("*") ? String(word.dropLast()) : word
        let end = word.hasSuffix("*") ? "" : "(?![a-z0-9_])"
        let pattern = "(?<![a-z0-9_])\(NSRegularExpression.escapedPattern(for: stem))\(end)"
        return sql.range(of: pattern, options: [.regularExpression, .caseInsensitive]) != nil
    }
}

enum RefereeCorpus {
    static let folder = "\(Workplace.root)/Tests/Corpus/referee"

    /// The texts that make the schema and the evidence, in order.
    static func schema() throws -> [String] {
        try ["schema.sql", "django.sql", "alchemy.sql", "evidence.sql"].map {
            try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)
        }
    }

    /// Each text once: several programs say BEGIN.
    static func statements() throws -> [RefereeStatement] {
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/statements").sorted()
        var seen: Set<[String]> = []
        return try files.filter { $0.hasSuffix(".tsv") }.flatMap { file in
            try lines("statements/\(file)").filter { seen.insert($0.fields).inserted }.map { number, fields in
                RefereeStatement(
                    origin: String(file.dropLast(4)), line: number, sql: fields[0],
                    setup: fields.count > 1 ? fields[1] : nil)
            }
        }
    }

    static func questions() throws -> [ServerQuestion] {
        try lines("about-the-server.tsv").map { number, fields in
            guard fields.count == 2 else { throw TestFailure("about-the-server.tsv:\(number): a word and a reason") }
            return ServerQuestion(word: fields[0], reason: fields[1])
        }
    }

    /// The lines that are no comments, divided at tabs, in COPY's escapes.
    private static func lines(_ file: String) throws -> [(number: Int, fields: [String])] {
        let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
            guard !line.isEmpty, !line.hasPrefix("#") else { return nil }
            return (index + 1, line.split(separator: "\t", omittingEmptySubsequences: false).map(unescaped))
        }
    }

    private static func unescaped(_ field: Substring) -> String {
        var text = ""
        var isEscape = false
        for scalar in field.unicodeScalars {
            if isEscape {
                text.unicodeScalars.append(["t": "\t", "n": "\n", "r": "\r"][scalar] ?? scalar)
                isEscape = false
            } else if scalar == "\\" {
                isEscape = true
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
