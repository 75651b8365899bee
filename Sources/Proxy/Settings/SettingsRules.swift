extension SettingsParser {
    mutating func ruleSettings(_ sections: [SectionValues]) -> [RuleSettings] {
        var result: [RuleSettings] = []
        for (index, values) in sections.enumerated() {
            let before = reader.complaints.count
            if let name = values.text("name") { claim(name, as: .rule) }
            checkNames(ofRule: values)
            checkActions(ofRule: values)
            let isWhole = !values.isFlawed && reader.complaints.count == before
            note(values, as: "rule.\(index + 1)")
            if let reject = values.table("reject") { note(reject, as: "rule.\(index + 1).reject") }
            result.append(
                RuleSettings(
                    name: values.text("name") ?? Located("rule \(index + 1)", at: values.position),
                    kinds: values.texts("kind"),
                    schemas: values.texts("schema"),
                    tables: values.texts("table"),
                    all: values.optionalFlag("all"),
                    functions: values.texts("function"),
                    regexes: values.texts("regex"),
                    apps: values.texts("app"),
                    tags: values.texts("tag"),
                    listeners: values.texts("listen"),
                    users: values.texts("user"),
                    fingerprints: values.texts("fingerprint"),
                    using: values.text("using"),
                    route: values.optionalWord("route", as: PoolRole.self),
                    pool: values.text("pool"),
                    reject: rejection(values),
                    timeoutMilliseconds: values.optionalNumber("timeout"),
                    maxLagMilliseconds: values.optionalNumber("max_lag"),
                    waitMilliseconds: values.optionalNumber("wait"),
                    exclusive: values.optionalFlag("exclusive"),
                    rerun: values.optionalFlag("rerun"),
                    log: values.optionalFlag("log"),
                    isWhole: isWhole,
                    position: values.position))
        }
        return result
    }

    private func rejection(_ values: SectionValues) -> RejectionSettings? {
        guard let reject = values.table("reject"), let message = reject.text("message") else { return nil }
        return RejectionSettings(
            message: message, sqlstate: reject.string("sqlstate"), position: reject.position)
    }

    private mutating func checkNames(ofRule values: SectionValues) {
        for listener in values.texts("listen") { check(listener, as: .listener) }
        check(values.text("pool"), as: .pool)
        check(values.text("using"), as: .cluster)
    }

    private mutating func checkActions(ofRule values: SectionValues) {
        let places = ["route", "pool", "using", "reject"]
        let effects = ["timeout", "max_lag", "wait", "exclusive", "rerun", "log"]
        if !values.isFlawed, !(places + effects).contains(where: values.mentions) {
            reader.complain(
                "this rule does nothing: give it `route`, `pool`, `using`, `reject`, or one of "
                    + effects.map { "`\($0)`" }.joined(separator: ", "), at: values.position)
        }
        if values.mentions("all"), !values.mentions("table"), !values.mentions("schema") {
            let position = values.optionalFlag("all")?.position ?? values.position
            reader.complain("`all` needs `table` or `schema`", at: position)
        }
        if let reject = values.table("reject") {
            for other in ["route", "pool", "using"] + effects where values.mentions(other) && other != "log" {
                reader.complain("`reject` and `\(other)` exclude each other", at: reject.position)
            }
        } else if let pool = values.text("pool") {
            for other in ["route", "using"] where values.mentions(other) {
                reader.complain("`pool` and `\(other)` exclude each other: a pool has both", at: pool.position)
            }
        }
    }

    mutating func expectationSettings(_ sections: [SectionValues]) -> [ExpectationSettings] {
        var result: [ExpectationSettings] = []
        for values in sections {
            let before = reader.complaints.count
            check(values.text("listen"), as: .listener)
            check(values.text("pool"), as: .pool)
            check(values.text("using"), as: .cluster)
            check(values.text("rule"), as: .rule)
            let outcomes = ["kind", "access", "pool", "rule", "refused"]
            if !values.isFlawed, !outcomes.contains(where: values.mentions) {
                reader.complain(
                    "this case expects nothing: give it `pool`, `access`, `kind`, `rule` or `refused`",
                    at: values.position)
            }
            if let refused = values.text("refused"), values.mentions("pool") {
                reader.complain("`refused` and `pool` exclude each other", at: refused.position)
            }
            let isSound = !values.isFlawed && reader.complaints.count == before
            guard isSound, let sql = values.text("sql") else { continue }
            result.append(
                ExpectationSettings(
                    sql: sql,
                    app: values.text("app"),
                    tag: values.text("tag"),
                    listener: values.text("listen"),
                    user: values.text("user"),
                    using: values.text("using"),
                    kind: values.text("kind"),
                    access: values.optionalWord("access", as: ExpectedAccess.self),
                    pool: values.text("pool"),
                    rule: values.text("rule"),
                    refused: values.text("refused"),
                    position: values.position))
        }
        return result
    }
}
