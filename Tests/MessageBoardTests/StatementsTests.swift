import Testing

@testable import MessageBoard

/// What can be said of the statements without a server; the rest is tried against one.
@Suite struct StatementsTests {
    private static let all =
        [Statements.newest, Statements.page, Statements.insert] + Statements.migration.map(\.sql)

    @Test(arguments: all)
    func eachIsOneStatementOnOneLine(sql: String) {
        #expect(!sql.contains(";"), "the daemon takes one statement a request")
        #expect(!sql.contains("\n"))
        #expect(!sql.contains("  "))
    }

    @Test func countAndRowsOfAPageComeTogether() {
        #expect(Statements.page.contains("count(*)"))
        #expect(Statements.page.contains("LIMIT \(Archive.pageSize)"))
    }

    @Test(arguments: Statements.migration)
    func eachStepCanBeRunAgain(step: MigrationStep) {
        #expect(step.sql.contains("IF NOT EXISTS") || step.sql.contains("IF EXISTS"))
    }

    @Test func theTablesLimitIsThePages() {
        #expect(Statements.migration.contains { $0.sql.contains("BETWEEN 1 AND \(MessageText.maximumLength)") })
    }
}
