import Testing

@testable import Settings

struct QuantityTests {
    @Test(arguments: [
        ("0s", 0), ("1ms", 1), ("200ms", 200), ("2s", 2000), ("2 s", 2000), ("5m", 300_000), ("24h", 86_400_000),
        ("007s", 7000),
    ])
    func durations(_ text: String, _ milliseconds: Int) {
        #expect(Quantity.parse(text, units: QuantityUnit.durations) == milliseconds)
    }

    @Test(arguments: [
        "", "s", "1", "1 ", "1x", "1S", "1us", "-1s", "+1s", "1.5s", " 1s", "1s ", "1s1", "１s", "0x1s", "1e3s",
        "9223372036854775808ms", "9223372036854775807s",
    ])
    func noDurations(_ text: String) {
        #expect(Quantity.parse(text, units: QuantityUnit.durations) == nil)
    }

    @Test(arguments: [("0B", 0), ("1B", 1), ("64KiB", 65_536), ("1MiB", 1_048_576), ("2GiB", 2_147_483_648)])
    func sizes(_ text: String, _ bytes: Int) {
        #expect(Quantity.parse(text, units: QuantityUnit.sizes) == bytes)
        #expect(Quantity.render(bytes, units: QuantityUnit.sizes) == text)
    }

    @Test(arguments: [
        (0, "0s"), (1, "1ms"), (999, "999ms"), (1000, "1s"), (1500, "1500ms"), (60_000, "1m"), (7_200_000, "2h"),
    ])
    func renderedDurations(_ milliseconds: Int, _ text: String) {
        #expect(Quantity.render(milliseconds, units: QuantityUnit.durations) == text)
        #expect(Quantity.parse(text, units: QuantityUnit.durations) == milliseconds)
    }

    @Test func fileModes() {
        #expect(FileMode.parse("0660") == 0o660)
        #expect(FileMode.parse("600") == 0o600)
        #expect(FileMode.parse("0000") == 0)
        for text in ["", "60", "06600", "0o66", "+660", "-660", "0888", "1777", " 660"] {
            #expect(FileMode.parse(text) == nil)
        }
        #expect(FileMode.render(0o40) == "0040")
    }
}

struct SuggestionTests {
    @Test(arguments: [
        ("a", "", 1), ("", "abc", 3), ("route", "route", 0), ("ruote", "route", 1), ("rout", "route", 1),
        ("routes", "route", 1), ("xoute", "route", 1), ("ROUTE", "route", 0), ("kitten", "sitting", 3),
        ("abc", "cab", 2),
    ])
    func distances(_ left: String, _ right: String, _ distance: Int) {
        #expect(Suggestion.distance(Array(left.utf8), Array(right.utf8)) == distance)
        #expect(Suggestion.distance(Array(right.utf8), Array(left.utf8)) == distance)
    }

    @Test func onlyASlipIsSuggested() {
        let words = ["route", "pool", "using", "timeout"]
        #expect(Suggestion.nearest(to: "ruote", in: words) == "route")
        #expect(Suggestion.nearest(to: "timeuot", in: words) == "timeout")
        #expect(Suggestion.nearest(to: "zebra", in: words) == nil)
        #expect(Suggestion.nearest(to: "pl", in: words) == nil)
        // The first of two that are as near.
        #expect(Suggestion.nearest(to: "pole", in: ["pols", "pool", "poll"]) == "pols")
        #expect(
            Suggestion.nearest(to: String(repeating: "x", count: 65), in: [String(repeating: "x", count: 64)]) == nil)
        #expect(Suggestion.nearest(to: "ruote", in: words + (0..<1000).map { "w\($0)" }) == nil)
    }

    @Test func quotedTextIsShortAndHarmless() {
        #expect(Quoted.clip("plain ё 日本") == "plain ё 日本")
        #expect(Quoted.clip("a\u{1B}[31mb\nc\u{202E}d") == "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d")
        #expect(Quoted.clip(String(repeating: "é", count: 41)) == String(repeating: "é", count: 40) + "…")
    }
}

struct ConnectionStringTests {
    @Test func isReadAsLibpqReadsIt() throws {
        let string = try ConnectionString(
            #"host = '/run/a b' port=6432 user=o\'neil dbname='it\'s \\ x' passfile='' sslmode=a\\b"#)
        #expect(string.parameters.map(\.keyword) == ["host", "port", "user", "dbname", "passfile", "sslmode"])
        #expect(string.parameters.map(\.value) == ["/run/a b", "6432", "o'neil", #"it's \ x"#, "", #"a\b"#])
        #expect(string.problems.isEmpty)
        // No blank is needed behind a closing quote.
        #expect(try ConnectionString("host='a'port=1").parameters.map(\.value) == ["a", "1"])
        #expect(try ConnectionString("host= port=1").parameters.map(\.value) == ["port=1"])
        #expect(try ConnectionString(#"host=a\"#).parameters.map(\.value) == ["a"])
    }

    @Test(arguments: [
        "password=x", "host=a password=x", "host=a password = 'x y'", "host='a'password=x", "\tpassword\t=\tx",
        #"host=a\ b password=x"#, "password=", "sslpassword=x",
    ])
    func noPasswordGetsThrough(_ text: String) throws {
        #expect(try ConnectionString(text).problems.contains { $0.contains("password`: ") })
    }

    @Test(arguments: [
        "", "  ", "host", "host=a b", "=a", "ho-st=a", "host='a", #"host='a\'"#, "postgres://u:p@h/d",
        "postgresql://h", "postgres:x",
    ])
    func whatIsNoneIsRefused(_ text: String) {
        #expect(throws: ConnectionString.Problem.self) { try ConnectionString(text) }
    }

    @Test func targetsAreWhatLibpqWouldUse() {
        let full = ConnectionTarget("host=db.example hostaddr=10.0.0.1 port=6432 dbname=rw user=app passfile='/a b'")
        #expect(full.host == "10.0.0.1" && full.port == "6432" && full.passfile == "/a b")
        #expect(full.database == "rw" && full.user == "app")
        let least = ConnectionTarget("user=app")
        #expect(least.host == nil && least.port == "5432" && least.database == "app" && least.passfile == nil)
        #expect(ConnectionTarget("host='").database == nil)
    }

    @Test(arguments: [
        ("host=/run/a port=6432", "host=/run/a port=6432", true),
        ("host=/run/a port=6432", "host=/run/b port=6432", false),
        ("host=/run/a port=6432", "host=10.0.0.1 port=6432", true), ("port=6432", "host=localhost port=6432", true),
        ("host=10.0.0.1 port=6432", "host=10.0.0.2 port=6432", false),
        ("host=/run/a port=1", "host=/run/a port=2", false),
        ("host=/run/a", "host=/run/a port=5432", true),
    ])
    func poolsOfOtherPgBouncersAreToldApart(_ pool: String, _ console: String, _ isOne: Bool) {
        #expect(ConnectionTarget(pool).maySharePgBouncer(with: ConnectionTarget(console)) == isOne)
        #expect(ConnectionTarget(console).maySharePgBouncer(with: ConnectionTarget(pool)) == isOne)
    }

    @Test func keywordsOfNewerLibrariesPass() throws {
        #expect(try ConnectionString("host=a require_auth=scram-sha-256 oauth_issuer=x").problems.isEmpty)
        #expect(try ConnectionString("hots=a").problems == ["has the unknown keyword `hots`; did you mean `host`?"])
    }
}
