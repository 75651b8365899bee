import Freshness
import Testing

/// Tokens as clients carry them.
struct CommitTokenTests {
    private func token(_ text: String) -> CommitToken? {
        Array(text.utf8).withUnsafeBytes { CommitToken($0) }
    }

    @Test(arguments: ["1.0/36B0FA0.5f2c91aa", "4294967295.FFFFFFFF/FFFFFFFF.00000000", "7.16/B374D848.00000001"])
    func whatIsWrittenIsRead(_ text: String) throws {
        let read = try #require(token(text))
        #expect(read.description == text)
    }

    @Test func itsPartsAreWhatTheySay() throws {
        let read = try #require(token("3.16/b374d848.5F2C91AA"))
        #expect(read.timeline == 3)
        #expect(read.position == LogPosition(0x16_B374_D848))
        #expect(read.system == 0x5F2C_91AA)
    }

    @Test(arguments: [
        "", ".", "..", "1.0/1", "1.0/1.", "1.0/1.1234567", "1.0/1.123456789", "0.0/1.12345678", "1.0.12345678",
        "1./1.12345678", "1.1/.12345678", "1.0/123456789.12345678", "1.0/G.12345678", "4294967296.0/1.12345678",
        "-1.0/1.12345678", "1.0/1.1234567g", "1 .0/1.12345678", "1.0/1.12345678.1", "99999999999.0/1.12345678",
        String(repeating: "1", count: 65),
    ])
    func anythingElseIsNone(_ text: String) {
        #expect(token(text) == nil)
    }
}
