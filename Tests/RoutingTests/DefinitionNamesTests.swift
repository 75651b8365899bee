import Testing

@testable import Routing

/// What commands of DDL are about, however they name it: rules by table and by schema see it.
@Suite struct DefinitionNamesTests {
    @Test(arguments: [
        ("DROP TABLE s.a, b", "s.a b"), ("DROP INDEX s.i", "s.i"), ("DROP POLICY p ON a", "a"),
        ("DROP TRIGGER x ON s.a", "s.a"), ("DROP RULE r ON a", "a"), ("COMMENT ON TABLE s.a IS 'x'", "s.a"),
        ("COMMENT ON COLUMN s.a.c IS 'x'", "s.a"), ("COMMENT ON CONSTRAINT c ON a IS 'x'", "a"),
        ("SECURITY LABEL ON TABLE a IS 'x'", "a"), ("ALTER EXTENSION e ADD TABLE a", "a"),
        ("GRANT SELECT ON a, s.b TO x", "a s.b"), ("ALTER TABLE a RENAME COLUMN b TO c", "a"),
        ("CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION s.f()", "a"), ("DROP FUNCTION a(int)", ""),
    ])
    func tables(_ sql: String, _ tables: String) throws {
        let statement = try Judge(.usual()).statement(sql)
        #expect(statement.kind == .ddl && statement.access == .write)
        #expect(statement.tables.map(\.description).joined(separator: " ") == tables)
    }

    @Test(arguments: [
        "DROP SCHEMA acc", "CREATE SCHEMA acc", "ALTER SCHEMA acc RENAME TO b", "ALTER SCHEMA acc OWNER TO x",
        "COMMENT ON SCHEMA acc IS 'x'", "GRANT USAGE ON SCHEMA acc TO x",
        "GRANT SELECT ON ALL TABLES IN SCHEMA acc TO x",
        "ALTER TABLE a SET SCHEMA acc", "REINDEX SCHEMA acc", "DROP TYPE acc.t", "CREATE DOMAIN acc.d AS int",
        "ALTER DOMAIN acc.d DROP DEFAULT", "CREATE TYPE acc.e AS ENUM ('a')", "ALTER TYPE acc.e ADD VALUE 'b'",
        "CREATE TYPE acc.r AS RANGE (subtype = int)", "CREATE TYPE acc.c AS (a int)",
        "CREATE FUNCTION acc.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "ALTER FUNCTION acc.f() STABLE",
        "DROP FUNCTION acc.f(int)", "COMMENT ON FUNCTION acc.f() IS 'x'", "DROP AGGREGATE acc.g(int)",
        "CREATE AGGREGATE acc.g(int) (SFUNC = f, STYPE = int)", "COMMENT ON COLUMN acc.a.c IS 'x'",
    ])
    func schemas(_ sql: String) throws {
        let rule = RuleDefinition.rule {
            $0.schema = ["acc"]; $0.using = "accounts"
        }
        #expect(try Judge(.twoClusters([rule])).way(sql) == "accounts rule")
    }

    @Test(arguments: [
        "ALTER TABLE a RENAME COLUMN acc TO b", "COMMENT ON COLUMN a.acc IS 'x'", "DROP TABLE acc", "DROP TYPE acc",
        "CREATE FUNCTION acc() RETURNS int LANGUAGE sql AS 'SELECT 1'", "GRANT SELECT ON acc TO x",
    ])
    func otherNamesAreNoSchemas(_ sql: String) throws {
        let rule = RuleDefinition.rule {
            $0.schema = ["acc"]; $0.using = "accounts"
        }
        #expect(try Judge(.twoClusters([rule])).way(sql) == "primary classifier")
    }
}
