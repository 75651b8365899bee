import Testing

@testable import Telemetry

struct StatisticsTests {
    /// The values of one row by column.
    private func row(_ table: StatisticsTable, _ index: Int = 0) -> [String: String?] {
        Dictionary(uniqueKeysWithValues: zip(table.columns.map(\.name), table.rows[index]))
    }

    @Test func poolsShowTheSumsOverEachLabel() {
        let pool = PoolTelemetry(name: "standby", cluster: "main", role: "standby")
        pool.counters.add(.requests(.read, .ok), 100)
        pool.counters.add(.requests(.read, .error), 7)
        pool.counters.add(.requests(.transaction, .ok), 20)
        pool.counters.add(.requests(.write, .unknown))
        pool.counters.add(.retryAdvice(.later), 3)
        pool.counters.add(.errors(.syntaxOrAccess), 7)
        pool.counters.set(.connections(.idle), to: 4)
        pool.counters.set(.connectionsMaximum, to: 20)
        pool.counters.set(.longestWait, to: 1234)
        pool.counters.add(.rows, 5000)
        for _ in 0..<1000 { pool.total.record(microseconds: 50) }
        pool.wait.record(microseconds: 9)
        let table = StatisticsTable.pools([
            PoolTelemetry(name: "primary", cluster: "main", role: "primary").snapshot(), pool.snapshot(held: "paused"),
        ])
        #expect(table.rows.count == 2)
        let values = row(table, 1)
        let expected = [
            "pool": "standby", "cluster": "main", "role": "standby", "held": "paused", "requests_read": "107",
            "requests_write": "1", "requests_transaction": "20", "requests_ok": "120", "requests_error": "7",
            "requests_unknown": "1", "requests_shed": "0", "retry_advice_later": "3", "connections_idle": "4",
            "connections_active": "0",
            "connections_maximum": "20", "longest_wait_us": "1234", "rows": "5000", "total_p50_us": "50",
            "total_p999_us": "50", "wait_p99_us": "9",
        ]
        for (name, value) in expected { #expect(values[name] == .some(value), "\(name)") }
        #expect(values["execution_p50_us"] == .some(nil))
        #expect(row(table, 0)["rows"] == .some("0"))
        #expect(row(table, 0)["held"] == .some(nil))
    }

    /// A column is a number of its own: nothing is shown twice under one name, and everything a reader adds up fits.
    @Test func columnsAreUniqueAndComplete() {
        let columns = PoolCounter.columns.map(\.column.name)
        #expect(Set(columns).count == columns.count)
        #expect(columns.first == "requests_read")
        #expect(!columns.contains { $0.hasPrefix("errors") || $0.hasPrefix("route") })
        let set = CounterSet<PoolCounter>()
        for (counter, _) in PoolCounter.table { set.add(counter) }
        let cells = set.snapshot().cells(PoolCounter.columns)
        #expect(cells.count == columns.count)
        let values = Dictionary(uniqueKeysWithValues: zip(columns, cells))
        // Three kinds by eight results.
        #expect(values["requests_read"] == .some("8"))
        #expect(values["requests_ok"] == .some("3"))
        #expect(values["connects"] == .some("1"))
    }

    @Test func allTablesHaveRowsAsWideAsTheirColumns() {
        let listener = CounterSet<ListenerCounter>()
        listener.add(.accepted, 3)
        let process = CounterSet<ProcessCounter>()
        process.add(.reloads, 2)
        let pool = PoolTelemetry(name: "primary", cluster: "main", role: "primary")
        pool.counters.add(.routes(.ownWrite), 6)
        let hits = CounterSet<RuleCounter>()
        hits.add(.hits, 9)
        let rule = RuleStatistics(name: "reports", line: 12, action: "route=standby", counters: hits.snapshot())
        let tables = [
            StatisticsTable.pools([pool.snapshot()]),
            StatisticsTable.rules([rule]),
            StatisticsTable.counters(
                process: process.snapshot(), listeners: [.init(name: "app", counters: listener.snapshot())],
                pools: [pool.snapshot()], rules: [rule]),
        ]
        for table in tables {
            #expect(!table.rows.isEmpty)
            #expect(table.rows.allSatisfy { $0.count == table.columns.count })
            #expect(Set(table.columns.map(\.name)).count == table.columns.count)
            for (column, type) in table.columns.map(\.type).enumerated() where type == .integer {
                #expect(table.rows.allSatisfy { $0[column].map { Int($0) != nil } ?? true })
            }
        }
        #expect(tables[1].rows == [["reports", "12", "route=standby", "9", "0"]])
        #expect(tables[1].columns.map(\.name) == ["rule", "line", "action", "hits", "rejections"])
        let counters = tables[2].rows
        #expect(counters.contains(["reloads_total", "", "2", "counter", "Reloads that took effect."]))
        #expect(
            counters.contains([
                "clients_accepted_total", "listener=app", "3", "counter", "Client connections accepted.",
            ]))
        #expect(
            counters.contains([
                "route_total", "pool=primary reason=own-write", "6", "counter", "Requests sent this way, by reason.",
            ]))
        #expect(
            counters.count == ProcessCounter.table.count + ListenerCounter.table.count + PoolCounter.table.count
                + RuleCounter.table.count)
    }

    @Test func clients() {
        let counters = CounterSet<ClientCounter>()
        counters.add(.requests, 41)
        counters.set(.inflight, to: 2)
        let table = StatisticsTable.clients([
            ClientStatistics(
                connection: 7, listener: "app", app: nil, user: 33, process: 4711, transaction: "T", pool: "primary",
                ageMicroseconds: 5_000_000, idleMicroseconds: 20, counters: counters.snapshot())
        ])
        #expect(
            table.columns.map(\.name) == [
                "conn", "listener", "app", "uid", "pid", "tx", "pool", "age_us", "idle_us", "requests",
                "errors", "rows", "in_bytes", "out_bytes", "inflight_requests",
            ])
        #expect(
            table.rows == [
                ["7", "app", nil, "33", "4711", "T", "primary", "5000000", "20", "41", "0", "0", "0", "0", "2"]
            ])
    }

    @Test func settings() {
        let table = StatisticsTable.settings([
            .init(name: "server.workers", value: "1", defaultValue: "1", line: nil, needsRestart: true),
            .init(name: "pool.primary.size", value: "20", defaultValue: "10", line: 34, needsRestart: false),
            .init(name: "listen.app.group", value: "www-data", defaultValue: nil, line: 9, needsRestart: true),
        ])
        #expect(table.columns.map(\.name) == ["setting", "value", "default", "line", "change"])
        #expect(
            table.rows == [
                ["server.workers", "1", "1", nil, "restart"], ["pool.primary.size", "20", "10", "34", "reload"],
                ["listen.app.group", "www-data", nil, "9", "restart"],
            ])
    }
}
