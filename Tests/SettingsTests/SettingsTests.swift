import Testing

@testable import Settings

struct SettingsTests {
    @Test func everySettingOfAGoodFileIsRead() throws {
        let parsed = Settings.parse(try Corpus.read("good.toml"))
        #expect(parsed.complaints.isEmpty, "\(parsed.complaints)")
        let settings = try #require(parsed.settings)
        #expect(settings.file == "pointsman.toml")
        #expect(
            settings.server
                == ServerSettings(
                    workers: 1, logFormat: .json, logLevel: .debug, drainTimeoutMilliseconds: 45_000,
                    clientWriteTimeoutMilliseconds: 20_000, lineTimeoutMilliseconds: 5000,
                    transactionIdleTimeoutMilliseconds: 120_000, maxClients: 500, maxLineBytes: 2 << 20,
                    maxParameters: 2000, maxInflight: 64, statementCacheBytes: 8 << 20, stateFolder: nil))
        #expect(settings.defaultRoute == DefaultRouteSettings(read: .standby, write: .primary))
    }

    @Test func listeners() throws {
        let listeners = try #require(Settings.parse(try Corpus.read("good.toml")).settings).listeners
        #expect(listeners.map(\.name.value) == ["app", "ops"])
        #expect(listeners[0].unix == Located("/run/pointsman/app.sock", at: SourcePosition(line: 20, column: 8)))
        #expect(listeners[0].mode == 0o620)
        #expect(listeners[0].group == Located("www-data", at: SourcePosition(line: 22, column: 9)))
        #expect(listeners[0].level == .app)
        #expect(listeners[0].requireSalt)
        #expect(
            listeners[0].allowUsers == [
                Located("www-data", at: SourcePosition(line: 25, column: 16)),
                Located("1000", at: SourcePosition(line: 25, column: 28)),
            ])
        #expect(listeners[0].position == SourcePosition(line: 18, column: 1))
        #expect(listeners[1].mode == 0o600)
        #expect(listeners[1].level == .operator)
        #expect(listeners[1].group == nil)
        #expect(!listeners[1].requireSalt)
        #expect(listeners[1].allowUsers.isEmpty)
    }

    @Test func poolsStandInTheOrderOfTheFile() throws {
        let pools = try #require(Settings.parse(try Corpus.read("good.toml")).settings).pools
        #expect(pools.map(\.name.value) == ["primary", "near", "far", "accounts"])
        #expect(pools.map(\.role.value) == [.primary, .standby, .standby, .primary])
        #expect(pools.map(\.cluster.value) == ["main", "main", "main", "accounts"])
        #expect(pools[0].size == 20)
        #expect(pools[0].queue == 100)
        #expect(pools[0].queueTimeoutMilliseconds == 1500)
        #expect(pools[0].timeoutMilliseconds == 60_000)
        #expect(pools[0].connectTimeoutMilliseconds == 3000)
        #expect(pools[0].name.position == SourcePosition(line: 34, column: 7))
        #expect(pools[0].position == SourcePosition(line: 34, column: 1))
        #expect(pools[2].conninfo.value == "host='/run/pg bouncer' port = 6432 dbname=far_ro user=msgsvr")
        #expect(pools[2].conninfo.position == SourcePosition(line: 48, column: 12))
    }

    @Test func rules() throws {
        let rules = try #require(Settings.parse(try Corpus.read("good.toml")).settings).rules
        #expect(
            rules.map(\.name.value) == [
                "logins are never stale", "accounts live elsewhere", "reports", "no schema changes from the app",
            ])
        #expect(rules[0].schemas.map(\.value) == ["public", "auth"])
        #expect(rules[0].tables.map(\.value) == ["auth_*", "django_session"])
        #expect(rules[0].all?.value == true)
        #expect(rules[0].route == Located(.primary, at: SourcePosition(line: 61, column: 9)))
        #expect(rules[0].position == SourcePosition(line: 56, column: 1))
        // One value without brackets is a list of one.
        #expect(rules[1].schemas == [Located("accounts", at: SourcePosition(line: 65, column: 10))])
        #expect(rules[1].using?.value == "accounts")
        #expect(rules[1].all == nil)
        #expect(rules[2].kinds.map(\.value) == ["select"])
        #expect(rules[2].functions.map(\.value) == ["report_*"])
        #expect(rules[2].regexes == [Located("^SELECT .* FROM \"reports\"", at: SourcePosition(line: 72, column: 9))])
        #expect(rules[2].apps.map(\.value) == ["cron"])
        #expect(
            rules[2].tags.map(\.position) == [
                SourcePosition(line: 74, column: 8), SourcePosition(line: 74, column: 18),
            ])
        #expect(rules[2].users.map(\.value) == ["www-data", "33"])
        #expect(rules[2].fingerprints == [Located("0123456789abcdef", at: SourcePosition(line: 76, column: 16))])
        #expect(rules[2].pool == Located("far", at: SourcePosition(line: 77, column: 8)))
        #expect(rules[2].timeoutMilliseconds == Located(300_000, at: SourcePosition(line: 78, column: 11)))
        #expect(rules[2].maxLagMilliseconds?.value == 1500 && rules[2].waitMilliseconds?.value == 50)
        #expect(rules[2].exclusive?.value == true && rules[2].rerun?.value == false && rules[2].log?.value == true)
        #expect(rules[3].exclusive == nil && rules[3].rerun == nil && rules[3].log == nil)
        #expect(rules[3].listeners.map(\.value) == ["app"])
        #expect(rules[3].reject?.message.value == "schema changes go through migrations")
        #expect(rules[3].reject?.sqlstate == "42P16")
        #expect(rules[3].reject?.position == SourcePosition(line: 89, column: 10))
    }

    @Test func expectations() throws {
        let cases = try #require(Settings.parse(try Corpus.read("good.toml")).settings).expectations
        #expect(cases.count == 3)
        #expect(cases[0].kind?.value == "select")
        #expect(cases[0].access == Located(.read, at: SourcePosition(line: 98, column: 10)))
        #expect(cases[0].pool == Located("near", at: SourcePosition(line: 99, column: 8)))
        #expect(cases[1].sql.value == "SELECT *\nFROM reports")
        #expect(cases[1].sql.position == SourcePosition(line: 102, column: 7))
        #expect(cases[1].app?.value == "cron")
        #expect(cases[1].tag?.value == "report")
        #expect(cases[1].listener?.value == "app")
        #expect(cases[1].user?.value == "33")
        #expect(cases[1].using?.value == "main")
        #expect(cases[1].rule?.value == "reports")
        #expect(cases[2].refused == Located("42P16", at: SourcePosition(line: 115, column: 11)))
        #expect(cases[2].position == SourcePosition(line: 112, column: 1))
    }

    @Test func pgbouncer() throws {
        let settings = try #require(Settings.parse(try Corpus.read("good.toml")).settings)
        let pgbouncer = try #require(settings.pgbouncer)
        #expect(pgbouncer.admin.position == SourcePosition(line: 118, column: 9))
        #expect(pgbouncer.intervalMilliseconds == 500)
        #expect(pgbouncer.reconnect)
        #expect(pgbouncer.position == SourcePosition(line: 117, column: 1))
        #expect(pgbouncer.target.user == "stats" && pgbouncer.target.database == "pgbouncer")
        // By the socket and by the loopback address it is one PgBouncer.
        #expect(settings.pools.allSatisfy { $0.target.maySharePgBouncer(with: pgbouncer.target) })
        let shortest = try Corpus.read("base.toml") + "[pgbouncer]\nadmin = \"dbname=pgbouncer\"\n"
        let defaults = try #require(Settings.parse(shortest).settings?.pgbouncer)
        #expect(defaults.intervalMilliseconds == 1000 && !defaults.reconnect)
    }

    @Test func theSmallestFileHasTheDefaults() throws {
        let settings = try #require(Settings.parse(try Corpus.read("base.toml")).settings)
        #expect(
            settings.server
                == ServerSettings(
                    workers: 1, logFormat: .auto, logLevel: .info, drainTimeoutMilliseconds: 30_000,
                    clientWriteTimeoutMilliseconds: 30_000, lineTimeoutMilliseconds: 10_000,
                    transactionIdleTimeoutMilliseconds: 60_000, maxClients: 10_000, maxLineBytes: 1 << 20,
                    maxParameters: 1024, maxInflight: 1024, statementCacheBytes: 16 << 20, stateFolder: nil))
        #expect(settings.listeners[0].mode == 0o660)
        #expect(settings.listeners[0].level == .app)
        #expect(settings.pools[0].cluster.value == "main")
        #expect(settings.pools[0].size == 10)
        #expect(settings.pools[0].queue == 200)
        #expect(settings.pools[0].queueTimeoutMilliseconds == 2000)
        #expect(settings.pools[0].timeoutMilliseconds == 10_000)
        #expect(settings.pools[0].connectTimeoutMilliseconds == 5000)
        #expect(settings.rules.isEmpty)
        #expect(settings.defaultRoute == DefaultRouteSettings(read: .standby, write: .primary))
        #expect(settings.expectations.isEmpty)
        #expect(settings.pgbouncer == nil)
    }

    @Test func otherFormsOfTheSameFileAreTheSame() throws {
        let text = try Corpus.read("base.toml")
        let settings = try #require(Settings.parse(text).settings)
        #expect(Settings.parse("\u{FEFF}" + text).settings?.pools.map(\.name.value) == settings.pools.map(\.name.value))
        let windows = text.split(separator: "\n").joined(separator: "\r\n")
        #expect(Settings.parse(windows).settings == settings)
        let dotted = text + "server.workers = 1\n"
        // After a table's header the key belongs to that table.
        #expect(Settings.parse(dotted).lines == ["11:1: unknown key `server` in [pool.standby]"])
        #expect(Settings.parse("server.max_clients = 7\n" + text).settings?.server.maxClients == 7)
    }

    /// The draft of a flawed file has what is sound and every name, so that the router can judge it in the same run
    /// without taking one mistake for two.
    @Test func aFlawedFileStillHasADraft() throws {
        let parsed = Settings.parse(
            try Corpus.read("base.toml") + """
                [pool.far]
                conninfo = "password=x"
                role = "standy"
                [pool.accounts]
                cluster = "accounts"
                role = "primry"
                [[listen]]
                name = "ops"
                [[rule]]
                name = "bad"
                route = "primry"
                [[rule]]
                name = "good"
                listen = ["ops"]
                pool = "far"
                [[expect]]
                sql = "SELECT 1"
                rule = "bad"
                """)
        #expect(
            parsed.lines == [
                "12:12: `conninfo` must not hold `password`: put it into a file of mode 0600 and name that as `passfile=`",
                "13:8: `role` takes `primary` or `standby`, found \"standy\"; did you mean `standby`?",
                "14:1: [pool.accounts] needs `conninfo`",
                "16:8: `role` takes `primary` or `standby`, found \"primry\"; did you mean `primary`?",
                "17:1: [[listen]] needs `unix`",
                "21:9: `route` takes `primary` or `standby`, found \"primry\"; did you mean `primary`?",
            ])
        #expect(parsed.settings == nil)
        let draft = try #require(parsed.draft)
        #expect(draft.pools.map(\.name.value) == ["primary", "standby", "far", "accounts"])
        #expect(draft.pools.map(\.role.value) == [.primary, .standby, .standby, .primary])
        #expect(draft.listeners.map(\.name.value) == ["app", "ops"])
        // Of a rule with a mistake what is left, marked: the router says nothing of what is missing.
        #expect(draft.rules.map(\.name.value) == ["bad", "good"])
        #expect(draft.rules.map(\.isWhole) == [false, true])
        #expect(draft.expectations.isEmpty)
        #expect(Settings.parse("version = ").draft == nil)
    }
}
