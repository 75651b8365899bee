import Glibc
import Routing
import Settings
import Wire

/// One settings file, checked and compiled: what a reload swaps as a whole. Made on the main thread, so that no request
/// waits for it.
package final class Snapshot: Sendable {
    package let settings: Settings
    let rules: RuleSet
    let wireLimits: WireLimits
    /// Names of rules as receipts write them, by the rule's index.
    let ruleNames: [[UInt8]]
    /// Nanoseconds.
    let lineTimeout: UInt64
    let clientWriteTimeout: UInt64
    let transactionIdleTimeout: UInt64

    private init(_ settings: Settings, _ rules: RuleSet) {
        self.settings = settings
        self.rules = rules
        let server = settings.server
        wireLimits = WireLimits(maxLine: server.maxLineBytes, maxParameters: server.maxParameters)
        ruleNames = settings.rules.map { Array($0.name.value.utf8) }
        lineTimeout = UInt64(server.lineTimeoutMilliseconds) * 1_000_000
        clientWriteTimeout = UInt64(server.clientWriteTimeoutMilliseconds) * 1_000_000
        transactionIdleTimeout = UInt64(server.transactionIdleTimeoutMilliseconds) * 1_000_000
    }

    var transactionIdleTimeoutText: String { "\(settings.server.transactionIdleTimeoutMilliseconds) ms" }

    /// What became of a settings file.
    enum Outcome {
        case ready(Snapshot)
        case refused([Complaint])
    }

    /// Parses and checks a settings file: its words, its rules, its expectations. All complaints come in one run.
    static func make(_ text: [UInt8], file: String) -> Outcome {
        let parsed = Settings.parse(text, file: file)
        guard let draft = parsed.draft else { return .refused(parsed.complaints) }
        let definition = RoutingDefinition(draft)
        let unknownUsers = draft.unknownUsers()
        do throws(RoutingProblems) {
            let rules = try RuleSet(compiling: definition)
            guard let settings = parsed.settings, unknownUsers.isEmpty else {
                return .refused((parsed.complaints + unknownUsers).inFileOrder())
            }
            return .ready(Snapshot(settings, rules))
        } catch {
            let more = error.problems.map { draft.complaint(about: $0) }
            // What both found wrong with one place is said once, in the words of the settings.
            let said = parsed.complaints + unknownUsers
            let places = Set(said.map(\.position))
            return .refused((said + more.filter { !places.contains($0.position) }).inFileOrder())
        }
    }
}

extension RoutingDefinition {
    /// The router's words for what the settings say.
    init(_ settings: Settings) {
        self.init(
            pools: settings.pools.map {
                PoolDefinition(
                    name: $0.name.value, cluster: $0.cluster.value,
                    role: $0.role.value == .primary ? .primary : .standby)
            },
            rules: settings.rules.map(RuleDefinition.init),
            defaults: DefaultRoute(
                read: settings.defaultRoute.read.rawValue, write: settings.defaultRoute.write.rawValue),
            expectations: settings.expectations.map(ExpectCase.init),
            listeners: settings.listeners.map(\.name.value))
    }
}

extension RuleDefinition {
    fileprivate init(_ rule: RuleSettings) {
        self.init(name: rule.name.value, line: rule.position.line)
        kind = rule.kinds.map(\.value)
        schema = rule.schemas.map(\.value)
        table = rule.tables.map(\.value)
        all = rule.all?.value ?? false
        function = rule.functions.map(\.value)
        regex = rule.regexes.map(\.value)
        app = rule.apps.map(\.value)
        tag = rule.tags.map(\.value)
        listen = rule.listeners.map(\.value)
        fingerprint = rule.fingerprints.map(\.value)
        user = rule.users.compactMap { Users.number(of: $0.value) }
        route = rule.route?.value.rawValue
        pool = rule.pool?.value
        using = rule.using?.value
        reject = rule.reject.map { Rejection(message: $0.message.value, sqlstate: $0.sqlstate) }
        effects.timeout = rule.timeoutMilliseconds.map { Int32($0.value) }
        effects.maxLag = rule.maxLagMilliseconds.map { Int32($0.value) }
        effects.wait = rule.waitMilliseconds.map { Int32($0.value) }
        effects.isExclusive = rule.exclusive?.value
        effects.mayRerun = rule.rerun?.value
        effects.isLogged = rule.log?.value
        isWhole = rule.isWhole
    }
}

extension ExpectCase {
    fileprivate init(_ expectation: ExpectationSettings) {
        self.init(sql: expectation.sql.value)
        app = expectation.app?.value
        tag = expectation.tag?.value
        listen = expectation.listener?.value
        user = expectation.user.flatMap { Users.number(of: $0.value) }
        using = expectation.using?.value
        pool = expectation.pool?.value
        kind = expectation.kind?.value
        access = expectation.access.map { $0.value == .read ? .read : .write }
        rule = expectation.rule?.value
        sqlstate = expectation.refused?.value
    }
}

/// Users of this system.
enum Users {
    /// - Parameter user: a name or a number.
    /// - Returns: nil when there is no user of that name here.
    static func number(of user: String) -> UInt32? { UInt32(user) ?? getpwnam(user)?.pointee.pw_uid }
}

extension Settings {
    /// A rule for a user that is not there would match nobody in silence.
    fileprivate func unknownUsers() -> [Complaint] {
        (rules.flatMap(\.users) + expectations.compactMap(\.user)).filter { Users.number(of: $0.value) == nil }.map {
            Complaint(file: file, position: $0.position, message: "there is no user \"\($0.value)\" here")
        }
    }

    /// The place in the file that a problem of the router's is about.
    fileprivate func complaint(about problem: RoutingProblem) -> Complaint {
        Complaint(file: file, position: position(of: problem), message: problem.message)
    }

    private func position(of problem: RoutingProblem) -> SourcePosition {
        switch problem.subject {
        case .pool(let index): return pools[index].position
        case .defaults: return SourcePosition(line: 1, column: 1)
        case .expectation(let index): return expectations[index].position(of: problem.field)
        case .rule(let index): return rules[index].position(of: problem.field, problem.element)
        }
    }
}

extension RuleSettings {
    fileprivate func position(of field: String, _ element: Int?) -> SourcePosition {
        let list: [Located<String>] =
            switch field {
            case "kind": kinds
            case "schema": schemas
            case "table": tables
            case "function": functions
            case "regex": regexes
            case "app": apps
            case "tag": tags
            case "listen": listeners
            case "fingerprint": fingerprints
            case "name": [name]
            case "using": using.map { [$0] } ?? []
            case "pool": pool.map { [$0] } ?? []
            default: []
            }
        if let element, list.indices.contains(element) { return list[element].position }
        if let first = list.first { return first.position }
        switch field {
        case "route": return route?.position ?? position
        case "reject": return reject?.position ?? position
        case "timeout": return timeoutMilliseconds?.position ?? position
        case "all": return all?.position ?? position
        default: return position
        }
    }
}

extension ExpectationSettings {
    fileprivate func position(of field: String) -> SourcePosition {
        switch field {
        case "sql": sql.position
        case "pool": pool?.position ?? position
        case "kind": kind?.position ?? position
        case "using": using?.position ?? position
        case "refused", "sqlstate": refused?.position ?? position
        case "access": access?.position ?? position
        case "rule": rule?.position ?? position
        default: position
        }
    }
}
