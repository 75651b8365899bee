/// One pool at one moment.
package struct PoolStatistics: Sendable {
    package let name: String
    package let cluster: String
    package let role: String
    /// Why it hands out no connections now; nil while it does.
    package let held: String?
    package let counters: CounterValues<PoolCounter>
    package let wait: LatencyValues
    package let execution: LatencyValues
    package let total: LatencyValues

    package init(
        name: String, cluster: String, role: String, held: String?, counters: CounterValues<PoolCounter>,
        wait: LatencyValues, execution: LatencyValues, total: LatencyValues
    ) {
        self.name = name
        self.cluster = cluster
        self.role = role
        self.held = held
        self.counters = counters
        self.wait = wait
        self.execution = execution
        self.total = total
    }
}

/// What one pool counts, for its whole life.
package final class PoolTelemetry {
    package let name: String
    package let cluster: String
    package let role: String
    package let counters = CounterSet<PoolCounter>()
    /// In the queue, of requests that went through it.
    package let wait = LatencyHistogram()
    /// From sending the statement to its completion.
    package let execution = LatencyHistogram()
    /// From the line read to the completion line written.
    package let total = LatencyHistogram()

    package init(name: String, cluster: String, role: String) {
        self.name = name
        self.cluster = cluster
        self.role = role
    }

    /// A copy for views; allocates.
    package func snapshot(held: String? = nil) -> PoolStatistics {
        PoolStatistics(
            name: name, cluster: cluster, role: role, held: held, counters: counters.snapshot(), wait: wait.snapshot(),
            execution: execution.snapshot(), total: total.snapshot())
    }
}

/// One rule at one moment.
package struct RuleStatistics: Sendable {
    package let name: String
    package let line: Int
    /// What the rule does, as the settings say it: `route=primary`.
    package let action: String
    package let counters: CounterValues<RuleCounter>

    package init(name: String, line: Int, action: String, counters: CounterValues<RuleCounter>) {
        self.name = name
        self.line = line
        self.action = action
        self.counters = counters
    }
}

/// One listener at one moment.
package struct ListenerStatistics: Sendable {
    package let name: String
    package let counters: CounterValues<ListenerCounter>

    package init(name: String, counters: CounterValues<ListenerCounter>) {
        self.name = name
        self.counters = counters
    }
}

/// One client connection at one moment.
package struct ClientStatistics: Sendable {
    package let connection: Int
    package let listener: String
    package let app: String?
    package let user: Int?
    package let process: Int?
    /// I, T or E.
    package let transaction: String
    /// The pool that it is pinned to.
    package let pool: String?
    package let ageMicroseconds: Int
    package let idleMicroseconds: Int
    package let counters: CounterValues<ClientCounter>

    package init(
        connection: Int, listener: String, app: String?, user: Int?, process: Int?, transaction: String, pool: String?,
        ageMicroseconds: Int, idleMicroseconds: Int, counters: CounterValues<ClientCounter>
    ) {
        self.connection = connection
        self.listener = listener
        self.app = app
        self.user = user
        self.process = process
        self.transaction = transaction
        self.pool = pool
        self.ageMicroseconds = ageMicroseconds
        self.idleMicroseconds = idleMicroseconds
        self.counters = counters
    }
}

/// One setting in force.
package struct SettingStatistics: Sendable {
    package let name: String
    package let value: String
    package let defaultValue: String?
    /// Nil when the default is in force.
    package let line: Int?
    package let needsRestart: Bool

    package init(name: String, value: String, defaultValue: String?, line: Int?, needsRestart: Bool) {
        self.name = name
        self.value = value
        self.defaultValue = defaultValue
        self.line = line
        self.needsRestart = needsRestart
    }
}

extension StatisticsTable {
    /// `STATS pools`: a row a pool.
    package static func pools(_ pools: [PoolStatistics]) -> StatisticsTable {
        let quantiles: [(name: String, share: Double)] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)]
        var columns = [Column("pool", .text), Column("cluster", .text), Column("role", .text), Column("held", .text)]
        let counters = PoolCounter.columns
        columns += counters.map(\.column)
        for phase in ["wait", "execution", "total"] {
            columns += quantiles.map { Column("\(phase)_\($0.name)_us", .integer) }
        }
        var table = StatisticsTable(columns: columns)
        for pool in pools {
            var row: [String?] = [pool.name, pool.cluster, pool.role, pool.held] + pool.counters.cells(counters)
            for phase in [pool.wait, pool.execution, pool.total] {
                row += quantiles.map { phase.quantile($0.share).map { String($0) } }
            }
            table.append(row)
        }
        return table
    }

    /// `STATS rules`: a row a rule, in the order of the file.
    package static func rules(_ rules: [RuleStatistics]) -> StatisticsTable {
        let counters = RuleCounter.columns
        var table = StatisticsTable(
            columns: [Column("rule", .text), Column("line", .integer), Column("action", .text)]
                + counters.map(\.column))
        for rule in rules { table.append([rule.name, String(rule.line), rule.action] + rule.counters.cells(counters)) }
        return table
    }

    /// `STATS clients`: a row a connection.
    package static func clients(_ clients: [ClientStatistics]) -> StatisticsTable {
        let counters = ClientCounter.columns
        var table = StatisticsTable(
            columns: [
                Column("conn", .integer), Column("listener", .text), Column("app", .text), Column("uid", .integer),
                Column("pid", .integer), Column("tx", .text), Column("pool", .text), Column("age_us", .integer),
                Column("idle_us", .integer),
            ] + counters.map(\.column))
        for client in clients {
            table.append(
                [
                    String(client.connection), client.listener, client.app, client.user.map { String($0) },
                    client.process.map { String($0) }, client.transaction, client.pool,
                    String(client.ageMicroseconds), String(client.idleMicroseconds),
                ] + client.counters.cells(counters))
        }
        return table
    }

    /// `STATS settings`: a row a setting in force.
    package static func settings(_ settings: [SettingStatistics]) -> StatisticsTable {
        var table = StatisticsTable(columns: [
            Column("setting", .text), Column("value", .text), Column("default", .text), Column("line", .integer),
            Column("change", .text),
        ])
        for setting in settings {
            table.append([
                setting.name, setting.value, setting.defaultValue, setting.line.map { String($0) },
                setting.needsRestart ? "restart" : "reload",
            ])
        }
        return table
    }

    /// `STATS`: a row a counter, of all scopes but clients, with its help.
    package static func counters(
        process: CounterValues<ProcessCounter>, listeners: [ListenerStatistics], pools: [PoolStatistics],
        rules: [RuleStatistics]
    ) -> StatisticsTable {
        var table = StatisticsTable(columns: [
            Column("counter", .text), Column("labels", .text), Column("value", .integer), Column("kind", .text),
            Column("help", .text),
        ])
        table.append(process, of: nil)
        for listener in listeners { table.append(listener.counters, of: listener.name) }
        for pool in pools { table.append(pool.counters, of: pool.name) }
        for rule in rules { table.append(rule.counters, of: rule.name) }
        return table
    }

    private mutating func append<Table: CounterTable>(_ values: CounterValues<Table>, of name: String?) {
        for (counter, definition) in Table.table {
            var labels = definition.labels
            if let scope = Table.scope, let name { labels.insert(CounterLabel(scope, name), at: 0) }
            append([
                definition.name, labels.map { "\($0.name)=\($0.value)" }.joined(separator: " "),
                String(values[counter]), definition.kind.rawValue, definition.help,
            ])
        }
    }
}
