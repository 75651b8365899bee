import Glibc
import Testing

@testable import Routing

/// One line of Tests/Corpus/statements.tsv, whose head explains its form.
struct CorpusLine: Sendable, CustomTestStringConvertible {
    var number: Int
    var outcome: String
    var kind: String
    var sql: String

    var testDescription: String { "line \(number): \(sql)" }

    static let all: [CorpusLine] = {
        let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let text = contents(of: "/\(path)/Corpus/statements.tsv")
        return text.split(separator: "\n").enumerated().compactMap { index, line in
            if line.hasPrefix("#") { return nil }
            let fields = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
            precondition(fields.count == 3, "line \(index + 1) of the corpus has not three fields")
            return CorpusLine(
                number: index + 1, outcome: String(fields[0]), kind: String(fields[1]), sql: unescaped(fields[2]))
        }
    }()

    private static func contents(of path: String) -> String {
        guard let file = fopen(path, "r") else { preconditionFailure("cannot open \(path)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func unescaped(_ text: Substring) -> String {
        var out = ""
        var isEscape = false
        for character in text {
            if isEscape {
                out.append(["t": "\t", "n": "\n", "r": "\r"][character] ?? character)
                isEscape = false
            } else if character == "\\" {
                isEscape = true
            } else {
                out.append(character)
            }
        }
        return out
    }
}

// MARK: Shorthands

extension RoutingDefinition {
    /// One cluster with a primary and a standby pool, as most settings have it.
    static func usual(_ rules: [RuleDefinition] = []) -> RoutingDefinition {
        RoutingDefinition(
            pools: [PoolDefinition(name: "primary", role: .primary), PoolDefinition(name: "standby", role: .standby)],
            rules: rules)
    }

    /// `main` with two standby pools, `accounts` without one.
    static func twoClusters(_ rules: [RuleDefinition] = []) -> RoutingDefinition {
        RoutingDefinition(
            pools: [
                PoolDefinition(name: "primary", role: .primary), PoolDefinition(name: "near", role: .standby),
                PoolDefinition(name: "far", role: .standby),
                PoolDefinition(name: "accounts", cluster: "accounts", role: .primary),
            ], rules: rules)
    }
}

extension RuleDefinition {
    static func rule(_ name: String? = nil, _ change: (inout RuleDefinition) -> Void) -> RuleDefinition {
        var rule = RuleDefinition(name: name)
        change(&rule)
        return rule
    }
}

/// What a test says of a request: Strings instead of borrowed bytes.
struct Asking {
    var role: Role?
    var pool: String?
    var using: String?
    var tag: String?
    var mustNotWrite = false
    var needsPrimary: PrimaryNeed?
    var needsPrimaryIn = ClusterSet.all
    var transactionPool: String?
    var app = ""
    var listener = ""
    var user: UInt32?
}

extension Judge {
    convenience init(_ definition: RoutingDefinition, cacheBytes: Int = 1 << 20) throws {
        self.init(rules: try RuleSet(compiling: definition), cacheBytes: cacheBytes)
    }

    /// Judges as the daemon does, and checks that explaining says the same.
    func ask(_ sql: String, _ asking: Asking = Asking()) -> Decision {
        let origin = RouteOrigin(app: asking.app, listener: asking.listener, user: asking.user)
        return withRequest(asking) { request in
            withBytes(sql) { sql in
                let explanation = explain(sql, request, origin)
                let decision = decide(sql, request, origin)
                #expect(explanation.pool == decision.pool.map { rules.pools[$0].name })
                #expect(explanation.reason == decision.reason.word)
                #expect(explanation.sqlstate == decision.refusal?.sqlstate)
                return decision
            }
        }
    }

    /// The name of the pool that a statement goes to, or the SQLSTATE of its refusal, and why.
    func way(_ sql: String, _ asking: Asking = Asking()) -> String {
        let decision = ask(sql, asking)
        let place = decision.pool.map { rules.pools[$0].name } ?? decision.refusal?.sqlstate ?? ""
        return "\(place) \(decision.reason.word)"
    }

    func statement(_ sql: String) -> Statement { withBytes(sql) { statement(for: $0) } }

    private func withRequest<Result>(_ asking: Asking, _ body: (RouteRequest) -> Result) -> Result {
        withOptionalBytes(asking.pool) { pool in
            withOptionalBytes(asking.using) { using in
                withOptionalBytes(asking.tag) { tag in
                    var request = RouteRequest()
                    request.role = asking.role
                    request.pool = pool
                    request.using = using
                    request.tag = tag
                    request.mustNotWrite = asking.mustNotWrite
                    request.needsPrimary = asking.needsPrimary
                    request.needsPrimaryIn = asking.needsPrimaryIn
                    request.transactionPool = asking.transactionPool.flatMap { rules.pool(named: $0) }
                    return body(request)
                }
            }
        }
    }
}

func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var text = text
    return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
}

private func withOptionalBytes<Result>(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return withBytes(text) { body($0) }
}
