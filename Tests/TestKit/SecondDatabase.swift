import Foundation
import Synchronization

/// Another database of a cluster, `accounts`, with PgBouncer pools of its own to the primary and to the standbys.
package struct SecondDatabase: Sendable {
    package static let name = "accounts"

    /// The app's user through PgBouncer, to the primary.
    package let readWrite: String
    /// The app's user through PgBouncer, to one of the standbys.
    package let readOnly: String
    /// The superuser, straight to the primary.
    package let direct: String

    fileprivate init(_ cluster: Cluster) throws {
        func renamed(_ conninfo: String, _ database: String) -> String {
            conninfo.replacing(/dbname=[^ ]+/, with: "dbname=\(database)")
        }
        readWrite = renamed(try cluster.readWrite, "\(Self.name)_rw")
        readOnly = renamed(try cluster.readOnly, "\(Self.name)_ro")
        direct = renamed(try cluster.direct(.primary), Self.name)
    }
}

extension Cluster {
    /// The second database, made by the first who asks; a failed attempt is not made again.
    package func secondDatabase() throws -> SecondDatabase {
        try second.withLock { result in
            if let result { return try result.get() }
            let made = Result { try makeSecondDatabase() }
            result = made
            return try made.get()
        }
    }

    /// The same rights as in the first one, and the same lines for PgBouncer with another name.
    private func makeSecondDatabase() throws -> SecondDatabase {
        let database = try SecondDatabase(self)
        try sql("CREATE DATABASE \(SecondDatabase.name)")
        try sql("REVOKE ALL ON DATABASE \(SecondDatabase.name) FROM PUBLIC")
        try sql("GRANT CONNECT, TEMPORARY ON DATABASE \(SecondDatabase.name) TO msgsvr")
        try sql("REVOKE ALL ON SCHEMA public FROM PUBLIC", at: database.direct)
        try sql("GRANT USAGE ON SCHEMA public TO msgsvr", at: database.direct)
        try sql("CREATE SCHEMA msgsvr AUTHORIZATION msgsvr", at: database.direct)
        try waitForReplay()
        let file = try variable("PGBOUNCER_INI")
        var lines: [String] = []
        for line in try String(contentsOfFile: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            lines.append(String(line))
            guard let found = line.wholeMatch(of: /msgsvr_(r[wo]) = (.* dbname=)msgsvr( .*)/) else { continue }
            lines.append("\(SecondDatabase.name)_\(found.1) = \(found.2)\(SecondDatabase.name)\(found.3)")
        }
        // In place: the file belongs to PgBouncer's user.
        try lines.joined(separator: "\n").write(toFile: file, atomically: false, encoding: .utf8)
        try sql("RELOAD", at: console)
        for conninfo in [database.readWrite, database.readOnly] {
            guard try sql("SELECT current_database()", at: conninfo) == [[SecondDatabase.name]] else {
                throw TestFailure("\(conninfo) leads to another database")
            }
        }
        return database
    }

    /// Puts the tables of a test where the app's user finds them in the second database, on all servers.
    package func makeTables(inSecond text: String) throws {
        try sql("SET ROLE msgsvr; \(text)", at: secondDatabase().direct)
        try waitForReplay()
    }
}
