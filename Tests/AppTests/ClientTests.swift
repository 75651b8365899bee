import Foundation
import PointsmanClient
import TestKit
import Testing

/// The client library against the real daemon and real servers.
extension AppTests {
    @Suite(.serialized) struct ClientTests {
        // MARK: Values

        @Test func readsGoToAStandbyAndWritesToThePrimary() async throws {
            let table = try await Shared.makeTable("id int, text text")
            let client = try await Shared.client()
            let read = try await client.query("SELECT 1 AS one", options: .read)
            #expect(read.receipt.pool == "standby")
            #expect(read.receipt.why == .classifier)
            #expect(read.columns == [QueryResult.Column(name: "one", typeOID: 23)])
            #expect((read.receipt.microseconds ?? 0) > 0)
            let write = try await client.query("INSERT INTO \(table) VALUES ($1, $2) RETURNING id", ["7", "seven"])
            #expect(write.tag == "INSERT")
            #expect(write.count == 1)
            #expect(write.receipt.pool == "primary")
            #expect(write.receipt.transaction == .idle)
            #expect(try #require(write.onlyRow).decode("id", as: Int.self) == 7)
            let fresh = try await client.query("SELECT text FROM \(table)", options: .readFromPrimary)
            #expect(fresh.receipt.pool == "primary")
            #expect(fresh.rows.map { $0["text"] } == ["seven"])
        }

        @Test(arguments: [
            "", "a\tb", "a\r\nb", "\r", "\n", "\\", "\\N", "\\n", "é 🎉 \u{2028} \u{FEFF}", " @lag=0 ",
            "'; DROP TABLE x; --",
            "$1", String(repeating: "x\\y\ty", count: 130_000),
        ])
        func valuesMakeTheRoundTrip(value: String) async throws {
            let client = try await Shared.client()
            let row = try #require(try await client.query("SELECT $1::text AS v, $2::text AS n", [value, nil]).onlyRow)
            #expect(row["v"].map { Array($0.utf8) } == Array(value.utf8))
            #expect(row["n"] == nil)
        }

        @Test func typesAreDecoded() async throws {
            let client = try await Shared.client()
            let result = try await client.query(
                """
                SELECT 9223372036854775807::bigint AS big, true AS yes, 0.1::float8 AS tenth, 'NaN'::float8 AS nan,
                '\\x00ff'::bytea AS bytes, NULL::int AS nothing, 'text' AS text
                """)
            let row = try #require(result.onlyRow)
            #expect(try row.decode("big", as: Int.self) == .max)
            #expect(try row.decode("yes", as: Bool.self))
            #expect(try row.decode("tenth", as: Double.self) == 0.1)
            #expect(try row.decode("nan", as: Double.self).isNaN)
            #expect(try row.decode("bytes", as: [UInt8].self) == [0, 255])
            #expect(try row.decodeIfPresent("nothing", as: Int.self) == nil)
        }

        @Test func manyRowsComeWhole() async throws {
            let client = try await Shared.client()
            let result = try await client.query("SELECT n, 'row ' || n AS text FROM generate_series(1, 100000) n")
            #expect(result.rows.count == 100_000)
            #expect(result.count == 100_000)
            #expect(result.rows.last?["text"] == "row 100000")
            #expect(try await client.query("SELECT WHERE false").rows.isEmpty)
        }

        @Test func anErrorSaysWhatTheServerSaid() async throws {
            let client = try await Shared.client()
            let error = await #expect(throws: PointsmanError.self) {
                try await client.query("SELECT * FROM no_such_table")
            }
            #expect(error?.sqlstate == "42P01")
            #expect(error?.retry == .never)
            #expect(error?.source == .server)
            #expect(error?.position == 15)
            let table = try await Shared.makeTable("id int CONSTRAINT positive CHECK (id > 0)")
            let check = await #expect(throws: PointsmanError.self) {
                try await client.query("INSERT INTO \(table) VALUES (-1)")
            }
            #expect(check?.sqlstate == "23514")
            #expect(check?.constraint == "positive")
            #expect(try await client.query("SELECT 1").rows.count == 1)
        }

        @Test func aThousandPipelinedAreAnsweredInOrder() async throws {
            let client = try await Shared.client()
            let statements = (0..<1000).map {
                $0 % 100 == 99 ? Statement("SELECT 1/0") : Statement("SELECT $1::int AS n", ["\($0)"], options: .read)
            }
            let results = try await client.pipeline(statements)
            #expect(results.count == 1000)
            for (number, result) in results.enumerated() {
                switch result {
                case .success(let result): #expect(try result.rows[0].decode("n", as: Int.self) == number)
                case .failure(let error): #expect(number % 100 == 99 && error.sqlstate == "22012")
                }
            }
        }

        @Test func manyTasksGetTheirOwnAnswers() async throws {
            let client = try await Shared.client { $0.maximumWaiting = 2000 }
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<2000 {
                    group.addTask {
                        let result = try await client.query("SELECT $1::text AS v", ["\(number)"], options: .read)
                        return result.rows[0]["v"] == "\(number)"
                    }
                }
                for try await isOwn in group where !isOwn { Issue.record("somebody else's answer") }
            }
        }

        // MARK: What one connection promises

        @Test func aSessionReadsItsOwnWrites() async throws {
            let table = try await Shared.makeTable("id int")
            try await Shared.client().withConnection { session in
                for number in 0..<200 {
                    let results = try await session.pipeline([
                        Statement("INSERT INTO \(table) VALUES ($1)", ["\(number)"]),
                        Statement("SELECT count(*) AS n FROM \(table)", options: .read),
                    ])
                    #expect(try results[1].get().rows[0].decode("n", as: Int.self) == number + 1)
                }
            }
        }

        // MARK: Tokens

        @Test func aTokenIsGivenForWhatWroteAndOnlyThen() async throws {
            let table = try await Shared.makeTable("id int")
            let asking = QueryOptions(wantsToken: true)
            let client = try await Shared.client()
            let insert = "INSERT INTO \(table) VALUES (1)"
            #expect(try await client.query(insert).receipt.token == nil)
            #expect(try await client.query(insert, options: asking).receipt.token != nil)
            #expect(try await client.query("SELECT 1", options: asking).receipt.token == nil)
            let committed = try await client.withTransaction(options: TransactionOptions(wantsToken: true)) {
                try await $0.query(insert).receipt.token
            }
            #expect(committed.value == nil, "it is not committed yet")
            #expect(committed.receipt.token != nil)
            let always = try await Shared.client { $0.wantsTokens = true }
            #expect(try await always.query(insert).receipt.token != nil)
        }

        /// Each read through another connection than the write, and from a standby as soon as it has it.
        @Test func aWriteIsReadFromAStandbyThatHasIt() async throws {
            let table = try await Shared.makeTable("id int")
            let writer = try await Shared.client()
            let reader = try await Shared.client()
            var pools: Set<String?> = []
            for number in 0..<50 {
                let write = try await writer.query(
                    "INSERT INTO \(table) VALUES ($1)", ["\(number)"], options: QueryOptions(wantsToken: true))
                let read = try await reader.query(
                    "SELECT count(*) AS n FROM \(table)", freshness: .after(write.receipt),
                    options: QueryOptions(readOnly: true, waitMilliseconds: 5000))
                #expect(try read.rows[0].decode("n", as: Int.self) == number + 1)
                pools.insert(read.receipt.pool)
                let count = try await reader.withTransaction(
                    readOnly: true, isolation: .repeatableRead, freshness: .after(write.receipt)
                ) { try await $0.query("SELECT count(*) AS n FROM \(table)").rows[0].decode("n", as: Int.self) }
                #expect(count == number + 1)
            }
            #expect(pools.contains("standby"))
        }

        /// The position of a connection's last write is a floor for its reads, not a bond to the primary.
        @Test func aConnectionThatWroteGoesBackToTheStandbys() async throws {
            let table = try await Shared.makeTable("id int")
            let client = try await Shared.client { $0.maximumConnections = 1 }
            for number in 1...5 {
                _ = try await client.query("INSERT INTO \(table) VALUES ($1)", ["\(number)"])
                let sql = "SELECT count(*) AS n FROM \(table)"
                #expect(try await client.query(sql, options: .read).rows[0].decode("n", as: Int.self) == number)
                try await eventuallyAsync("a read from a standby") {
                    let read = try await client.query(sql, options: .read)
                    #expect(try read.rows[0].decode("n", as: Int.self) == number)
                    return read.receipt.pool == "standby"
                }
            }
        }

        // MARK: Transactions

        @Test func aTransactionCommitsOrRollsBack() async throws {
            let table = try await Shared.makeTable("id int")
            let client = try await Shared.client()
            struct Mine: Error {}
            try await client.withTransaction { transaction in
                _ = try await transaction.query("INSERT INTO \(table) VALUES (1)")
            }
            await #expect(throws: Mine.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query("INSERT INTO \(table) VALUES (2)")
                    throw Mine()
                }
            }
            await #expect(throws: PointsmanError.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query("INSERT INTO \(table) VALUES (3)")
                    _ = try await transaction.query("SELECT 1/0")
                }
            }
            #expect(try await Shared.sql("SELECT id FROM msgsvr.\(table)") == [["1"]])
        }

        @Test func aSwallowedErrorDoesNotCommit() async throws {
            let table = try await Shared.makeTable("id int")
            let client = try await Shared.client()
            let error = await #expect(throws: PointsmanError.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query("INSERT INTO \(table) VALUES (1)")
                    _ = try? await transaction.query("SELECT 1/0")
                }
            }
            #expect(error?.sqlstate == "25P02")
            #expect(error?.retry == .tx)
            #expect(try await Shared.sql("SELECT id FROM msgsvr.\(table)").isEmpty)
        }

        @Test func aSavepointSavesATransaction() async throws {
            let table = try await Shared.makeTable("id int")
            let client = try await Shared.client()
            try await client.withTransaction { transaction in
                _ = try await transaction.query("INSERT INTO \(table) VALUES (1)")
                _ = try await transaction.query("SAVEPOINT s")
                _ = try? await transaction.query("SELECT 1/0")
                _ = try await transaction.query("ROLLBACK TO s")
            }
            #expect(try await Shared.sql("SELECT id FROM msgsvr.\(table)") == [["1"]])
        }

        @Test func aReadOnlyTransactionIsOnAStandbyAndWritesNothing() async throws {
            let table = try await Shared.makeTable("id int")
            let client = try await Shared.client()
            let pool = try await client.withTransaction(readOnly: true, isolation: .repeatableRead) { transaction in
                try await transaction.query("SELECT 1").receipt.pool
            }
            #expect(pool == "standby")
            let error = await #expect(throws: PointsmanError.self) {
                try await client.withTransaction(readOnly: true) { transaction in
                    _ = try await transaction.query("INSERT INTO \(table) VALUES (1)")
                }
            }
            #expect(error?.sqlstate == "25006")
        }

        @Test func aCancelledTransactionLeavesNothingOpen() async throws {
            let table = try await Shared.makeTable("id int")
            let client = try await Shared.client()
            let task = Task {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query("INSERT INTO \(table) VALUES (1)")
                    _ = try await transaction.query("SELECT pg_sleep(60) /* \(table) */")
                }
            }
            let sleeping =
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%\(table)%' AND pid <> pg_backend_pid()"
            try await eventuallyAsync("the statement") {
                try await !Shared.sql(sleeping + " AND state = 'active'").isEmpty
            }
            task.cancel()
            let error = await #expect(throws: PointsmanError.self) { try await task.value }
            #expect(error?.sqlstate == "57014")
            try await eventuallyAsync("its end") {
                let idle = "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in tr%' AND query LIKE '%\(table)%'"
                return try await Shared.sql(idle + " UNION ALL " + sleeping + " AND state = 'active'").isEmpty
            }
            #expect(try await Shared.sql("SELECT id FROM msgsvr.\(table)").isEmpty)
        }

        // MARK: Time and loss

        @Test func aDeadlineIsKept() async throws {
            let client = try await Shared.client()
            let error = await #expect(throws: PointsmanError.self) {
                try await client.query("SELECT pg_sleep(60)", options: QueryOptions(timeoutMilliseconds: 200))
            }
            #expect(error?.sqlstate == "57014")
            #expect(error?.source != .client, "the daemon keeps it, not this library")
            #expect(try await client.query("SELECT 1").rows.count == 1)
        }

        @Test func aCancelledStatementEndsInTheServer() async throws {
            let client = try await Shared.client()
            let mark = Workplace.uniqueTable()
            let active =
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%\(mark)%'"
            let task = Task { try await client.query("SELECT pg_sleep(60) /* \(mark) */", options: .readFromPrimary) }
            try await eventuallyAsync("the statement") { try await !Shared.sql(active).isEmpty }
            task.cancel()
            let error = await #expect(throws: PointsmanError.self) { try await task.value }
            #expect(error?.sqlstate == "57014")
            try await eventuallyAsync("its end in the server") {
                try await Shared.sql(active).isEmpty
            }
            #expect(try await client.query("SELECT 1", options: .read).rows[0][0] == "1")
        }

        @Test func aKilledDaemonLeavesWritesUnknownAndIsFoundAgain() async throws {
            let table = try await Shared.makeTable("id int")
            let settings = try await blocking { try DaemonSettings(try Cluster.shared()) }
            let first = try await blocking { try DaemonProcess(settings) }
            var configuration = PointsmanClient.Configuration(socketPath: settings.appSocket)
            configuration.acquireTimeout = .seconds(60)
            let client = PointsmanClient(configuration: configuration)
            let mark = Workplace.uniqueTable()
            let write = Task {
                try await client.query("INSERT INTO \(table) SELECT 1 FROM pg_sleep(1) /* \(mark) */")
            }
            let read = Task {
                try await client.query("SELECT pg_sleep(1) /* \(mark) */", options: .readFromPrimary)
            }
            try await eventuallyAsync("both statements") {
                try await Shared.sql(
                    "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%\(mark)%' "
                        + "AND pid <> pg_backend_pid()"
                ).count == 2
            }
            try await blocking {
                first.process.signal(SIGKILL)
                try first.process.wait()
            }
            let unknown = await #expect(throws: PointsmanError.self) { try await write.value }
            #expect(unknown?.sqlstate == "08007")
            #expect(unknown?.retry == .unknown)
            let second = try await blocking { try DaemonProcess(settings) }
            // The read is known to have had no effect: the library sends it again, to the daemon that is there now.
            #expect(try await read.value.rows.count == 1)
            #expect(try await client.query("SELECT 1").rows.count == 1)
            try await blocking { try second.stop() }
        }

        // MARK: The other verbs

        @Test func theDaemonTellsAboutItself() async throws {
            let client = try await Shared.client()
            #expect(try await client.ping().transaction == .idle)
            let pools = try await client.stats("pools")
            #expect(pools.rows.contains { $0["pool"] == "standby" })
            let way = try #require(try await client.route("DELETE FROM t").onlyRow)
            #expect(way["pool"] == "primary")
        }
    }
}
