import Foundation
import Synchronization
import TestKit
import Testing

/// The daemon that most tests share: no rules, both pools small. Tests of settings start one of their own.
enum Shared {
    private static let started = Mutex<Result<DaemonProcess, any Error>?>(nil)

    static func daemon() throws -> DaemonProcess {
        try started.withLock { result in
            if let result { return try result.get() }
            let made = Result {
                try DaemonProcess {
                    $0.primary[0] = "size = 6"
                    $0.standby[0] = "size = 8"
                }
            }
            result = made
            return try made.get()
        }
    }

    static func client() throws -> LineClient { try daemon().client() }
}

/// Makes a table that only this test has.
///
/// - Parameters:
///   - columns: what stands in the parentheses.
///   - more: statements behind that; `TABLE_NAME` is its name.
/// - Returns: its name, which the daemon's clients find without a schema.
/// - Throws: `TestFailure` when the server refuses it, or the standbys do not follow.
func makeTable(_ columns: String, then more: String = "") throws -> String {
    let name = Workplace.uniqueTable()
    let text = "CREATE TABLE TABLE_NAME(\(columns)); \(more)"
    try Cluster.shared().makeTables(text.replacingOccurrences(of: "TABLE_NAME", with: name))
    return name
}

extension LineClient {
    /// Proves that the connection and the daemon work: a value makes the round trip.
    func expectAlive() throws {
        let token = "\(UInt64.random(in: 0 ... .max))"
        #expect(try run("SELECT $1::text", [token]).value == token)
    }
}
