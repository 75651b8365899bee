import Testing

@testable import Settings

struct ReferenceTests {
    @Test func theReferenceHasEveryKeyThatTheParserTakes() {
        let lines = Settings.reference().split(separator: "\n").map { String($0) }
        for section in Section.allCases {
            let heading = section == .file ? "## The file" : "## `\(section.heading)`"
            #expect(lines.contains(heading))
            let rows = lines.drop { $0 != heading }.dropFirst().prefix { !$0.hasPrefix("## ") }
            for setting in section.settings {
                let row = rows.filter { $0.hasPrefix("| `\(setting.name)` ") }
                #expect(row.count == (setting.isInThisVersion ? 1 : 0), "\(section).\(setting.name)")
                #expect(row.allSatisfy { $0.contains(setting.meaning) })
                #expect(row.allSatisfy { $0.contains("¹") == setting.needsRestart })
            }
        }
        #expect(
            lines.contains(
                "| `queue_timeout` | a duration such as \"2s\" (units: ms, s, m, h), 1ms to 1h | `2s` | "
                    + "How long a request may wait for a connection; then it is answered 53300. |"))
    }

    /// The parser takes a key exactly when the table has it: a value of the wrong type must name the type.
    @Test(arguments: Setting.table.filter { $0.section == .server && $0.isInThisVersion }.map(\.name))
    func theParserKnowsEveryKey(_ name: String) throws {
        let parsed = Settings.parse(try Corpus.read("base.toml") + "[server]\n\(name) = 1979-05-27\n")
        let setting = try #require(Section.server.settings.first { $0.name == name })
        #expect(
            parsed.complaints.map(\.message) == ["`\(name)` takes \(setting.type.expectation), found a date or time"])
    }

    @Test func everyKeyIsDescribedOnceAndHasAFittingDefault() {
        for section in Section.allCases {
            let names = section.settings.map(\.name)
            #expect(Set(names).count == names.count)
            #expect(!names.isEmpty)
        }
        for setting in Setting.table where setting.isInThisVersion {
            #expect(setting.meaning.hasSuffix("."), "\(setting.name)")
            guard let value = setting.defaultValue else { continue }
            // The default, written as the file would have it, is read back as itself.
            let text = setting.type.render(value)
            let content: TomlValue.Content =
                switch setting.type {
                case .integer: .integer(Int(text) ?? -1)
                case .boolean: .boolean(text == "true")
                default: .string(text)
                }
            let given = TomlValue(content: content, position: SourcePosition(line: 1, column: 1))
            #expect((try? setting.type.check(given).get()) == value, "\(setting.name)")
        }
    }

    @Test func entriesShowWhatIsInForce() throws {
        let settings = try #require(Settings.parse(try Corpus.read("good.toml")).settings)
        func entry(_ name: String) -> SettingEntry? { settings.entries.first { $0.name == name } }
        #expect(Set(settings.entries.map(\.name)).count == settings.entries.count)
        #expect(entry("version")?.value == "1")
        let timeout = try #require(entry("pool.primary.queue_timeout"))
        #expect(timeout.value == "1500ms")
        #expect(timeout.defaultValue == "2s")
        #expect(timeout.position == SourcePosition(line: 39, column: 17))
        #expect(!timeout.needsRestart)
        let inherited = try #require(entry("pool.near.queue_timeout"))
        #expect(inherited.value == "2s")
        #expect(inherited.position == nil)
        #expect(entry("listen.app.mode")?.value == "0620")
        #expect(entry("listen.app.allow_users")?.value == "www-data, 1000")
        #expect(entry("listen.ops.group") == nil)
        #expect(entry("rule.3.tag")?.value == "report, controller=stats")
        #expect(entry("rule.4.reject.sqlstate")?.value == "42P16")
        #expect(entry("server.max_line")?.value == "2MiB")
        #expect(entry("server.max_line")?.needsRestart == true)
        // Where the password file lies is nothing that an app needs to know.
        #expect(entry("pool.primary.conninfo")?.value == "host=/run/pgbouncer port=6432 dbname=msgsvr_rw user=msgsvr")
        #expect(!settings.entries.contains { $0.value.contains("passfile") })
    }

    @Test func aReloadSaysWhatNeedsARestart() throws {
        let base = try Corpus.read("base.toml")
        let old = try #require(Settings.parse(base).settings)
        func notes(_ text: String) throws -> [String] {
            try #require(Settings.parse(text).settings).restartNotes(replacing: old).map {
                "\($0.position): \($0.message)"
            }
        }
        #expect(try notes(base) == [])
        #expect(try notes(base + "queue_timeout = \"3s\"\n[server]\ndrain_timeout = \"1s\"\n") == [])
        #expect(try notes("# a line more\n" + base) == [])
        #expect(try notes(base + "size = 3\nqueue = 0\ntimeout = \"1s\"\nconnect_timeout = \"1s\"\n") == [])
        #expect(try notes(base.replacing("dbname=ro", with: "passfile=/x dbname=other")) == [])
        #expect(
            try notes(base.replacing("\"/run/pm/app.sock\"", with: "\"/run/pm/b.sock\"\nmode = \"0600\"")) == [
                "4:8: `listen.app.unix` needs a restart to change", "5:8: `listen.app.mode` needs a restart to change",
            ])
        let without = base.split(separator: "\n").prefix(7).joined(separator: "\n")
        #expect(
            try notes(without)
                == ["cluster", "role"].map { "1:1: `pool.standby.\($0)` needs a restart to go away" })
        #expect(
            try notes(base + "[pool.far]\nconninfo = \"dbname=far\"\nrole = \"standby\"\n") == [
                "1:1: `pool.far.cluster` needs a restart to change", "13:8: `pool.far.role` needs a restart to change",
            ])
        // The standbys of a cluster are tried in the order of the file.
        let lines = base.split(separator: "\n")
        let swapped = (lines[..<4] + lines[7...] + lines[4..<7]).joined(separator: "\n")
        #expect(try notes(swapped) == ["5:1: `pool.standby` needs a restart to change its place among the pools"])
    }

    /// The daemon's words, in the reference and in `STATS settings`, for what a pool may change while it runs.
    @Test func aPoolKeepsOnlyItsPlaceAndItsRole() throws {
        let kept = Section.pool.settings.filter(\.needsRestart).map(\.name)
        #expect(kept == ["cluster", "role"])
        let settings = try #require(Settings.parse(try Corpus.read("good.toml")).settings)
        #expect(settings.entries.first { $0.name == "pool.primary.size" }?.needsRestart == false)
        #expect(settings.entries.first { $0.name == "pool.primary.role" }?.needsRestart == true)
    }
}
