import Testing

@testable import Settings

struct ComplaintTests {
    @Test(arguments: try Corpus.badCases())
    func everyMistakeIsNamedWithItsPlace(_ bad: Corpus.BadCase) {
        #expect(!bad.complaints.isEmpty)
        let parsed = Settings.parse(bad.text)
        #expect(parsed.lines == bad.complaints)
        #expect(parsed.settings == nil)
        // The connection strings of the cases hold this word.
        #expect(!parsed.lines.contains { $0.contains("canary") })
    }

    @Test func theTableOfBadCasesIsWhole() throws {
        let cases = try Corpus.badCases()
        #expect(cases.count > 120)
        #expect(Set(cases.map(\.title)).count == cases.count)
    }

    @Test func tenMistakesInOneFileAreTenComplaints() throws {
        let parsed = Settings.parse(try Corpus.read("ten-mistakes.toml"), file: "etc/pointsman.toml")
        #expect(
            parsed.complaints.map(\.description) == [
                "etc/pointsman.toml:1:11: `version` takes 1, found 2",
                "etc/pointsman.toml:4:17: `drain_timeout` takes a duration such as \"2s\" (units: ms, s, m, h), "
                    + "found an integer",
                "etc/pointsman.toml:5:1: unknown key `max_lines` in [server]; did you mean `max_line`?",
                "etc/pointsman.toml:9:8: `unix` takes an absolute path, found \"app.sock\"",
                "etc/pointsman.toml:12:12: `conninfo` must not hold `password`: put it into a file of mode 0600 and "
                    + "name that as `passfile=`",
                "etc/pointsman.toml:15:1: [pool.standby] needs `conninfo`",
                "etc/pointsman.toml:17:11: `max_lag` takes a duration such as \"2s\" (units: ms, s, m, h), found \"soon\"",
                "etc/pointsman.toml:21:23: `table` takes a string, found an integer",
                "etc/pointsman.toml:22:8: there is no pool `standbi`; did you mean `standby`?",
                "etc/pointsman.toml:24:1: this case expects nothing: give it `pool`, `access`, `kind`, `rule` or "
                    + "`refused`",
            ])
        #expect(parsed.settings == nil)
    }

    /// What the design promises for later is refused by name, each key once, and nothing is said beside it.
    @Test func featuresOfLaterVersionsAreRefused() throws {
        let text = try Corpus.read("later-features.toml")
        let parsed = Settings.parse(text)
        #expect(parsed.complaints.count == 3)
        #expect(parsed.complaints.allSatisfy { $0.message.hasSuffix("not in this version") })
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for complaint in parsed.complaints {
            let word = complaint.message.split { "`[]".contains($0) }.first { lines[complaint.line - 1].contains($0) }
            #expect(word != nil || complaint.line == 5, "\(complaint)")
        }
    }

    @Test func aFileThatIsTooBigIsNotRead() {
        let parsed = Settings.parse(
            [UInt8](repeating: UInt8(ascii: "#"), count: Settings.maximumFileBytes + 1), file: "x")
        #expect(parsed.lines == ["1:1: the file has 1048577 bytes, at most 1048576 are read"])
    }

    @Test func complaintsHaveAnEnd() {
        let keys = (0..<5000).map { "k\($0) = 1\n" }.joined()
        let parsed = Settings.parse("version = 1\n" + keys)
        #expect(parsed.complaints.count == SettingReader.maximumComplaints + 1)
        #expect(parsed.complaints.contains { $0.message == "more complaints are left out" })
    }

    @Test func brokenUTF8IsASyntaxError() {
        for bytes: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBD], [0xEF, 0xBB, 0xBF]] {
            let parsed = Settings.parse(Array("a = \"".utf8) + bytes + Array("\"\n".utf8), file: "x")
            #expect(!parsed.complaints.isEmpty)
            #expect(parsed.settings == nil)
        }
    }

    @Test func complaintsOfOneLineKeepTheirOrder() {
        let place = SourcePosition(line: 3, column: 1)
        let complaints = (0..<100).map { Complaint(file: "x", position: place, message: "\($0)") }
        let early = Complaint(file: "x", position: SourcePosition(line: 2, column: 90), message: "early")
        #expect((complaints + [early]).inFileOrder() == [early] + complaints)
    }
}
