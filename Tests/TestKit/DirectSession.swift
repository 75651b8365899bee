import CLibPQ
import Foundation

/// A session straight to one server, for tests that run thousands of statements: a round trip each instead of a program.
///
/// Texts go by the simple protocol, so one may hold several statements, and `COPY` works: what the server sends is
/// kept as rows, and what it wants to be sent ends at once.
package final class DirectSession {
    package struct Failure: Equatable, Sendable {
        package let sqlstate: String
        package let message: String
        /// The functions that were running, innermost first; empty when there were none.
        package let context: String
    }

    /// What a text came to: everything up to its end or to its first error.
    package struct Outcome: Equatable, Sendable {
        /// The command tag of each statement, `SELECT 1`.
        package fileprivate(set) var tags: [String] = []
        /// Each result's column names, then its rows, values divided by U+001F and NULL as `∅`.
        package fileprivate(set) var lines: [String] = []
        package fileprivate(set) var failure: Failure?
    }

    private let connection: OpaquePointer

    /// Connects, and waits until that is done.
    ///
    /// - Parameter conninfo: libpq's connection string.
    /// - Throws: `TestFailure` with libpq's words.
    package init(_ conninfo: String) throws {
        guard let connection = PQconnectdb(conninfo) else { throw TestFailure("PQconnectdb: no memory") }
        self.connection = connection
        guard PQstatus(connection) == CONNECTION_OK else {
            throw TestFailure("cannot connect: \(String(cString: PQerrorMessage(connection)))")
        }
        // Warnings would go to this process's error output.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    deinit { PQfinish(connection) }

    /// Whether a transaction block is open, failed ones among them.
    package var isInTransaction: Bool {
        [PQTRANS_INTRANS, PQTRANS_INERROR].contains(PQtransactionStatus(connection))
    }

    package var isLost: Bool { PQstatus(connection) == CONNECTION_BAD }

    /// Runs a text to its end; blocks as long as the server works on it.
    package func run(_ sql: String) -> Outcome {
        var outcome = Outcome()
        guard PQsendQuery(connection, sql) == 1 else {
            outcome.failure = Failure(sqlstate: "", message: String(cString: PQerrorMessage(connection)), context: "")
            return outcome
        }
        while let result = PQgetResult(connection) {
            defer { PQclear(result) }
            take(result, into: &outcome)
            // For ever, on a connection that was lost while it copied.
            if isLost { break }
        }
        return outcome
    }

    private func take(_ result: OpaquePointer, into outcome: inout Outcome) {
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
            outcome.tags.append(String(cString: PQcmdStatus(result)))
            addRows(of: result, to: &outcome)
        case PGRES_COPY_OUT:
            var row: UnsafeMutablePointer<CChar>?
            while PQgetCopyData(connection, &row, 0) > 0 {
                if let row {
                    outcome.lines.append(String(cString: row))
                    PQfreemem(row)
                }
            }
        case PGRES_COPY_IN: PQputCopyEnd(connection, nil)
        case PGRES_EMPTY_QUERY: outcome.tags.append("")
        default:
            func field(_ code: Character) -> String {
                PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) } ?? ""
            }
            guard outcome.failure == nil else { return }
            outcome.failure = Failure(sqlstate: field("C"), message: field("M"), context: field("W"))
        }
    }

    private func addRows(of result: OpaquePointer, to outcome: inout Outcome) {
        let columns = 0..<PQnfields(result)
        guard !columns.isEmpty else { return }
        outcome.lines.append(columns.map { String(cString: PQfname(result, $0)) }.joined(separator: "\u{1f}"))
        for row in 0..<PQntuples(result) {
            let values = columns.map { column in
                PQgetisnull(result, row, column) == 1 ? "∅" : String(cString: PQgetvalue(result, row, column))
            }
            outcome.lines.append(values.joined(separator: "\u{1f}"))
        }
    }
}
