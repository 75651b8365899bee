import TestKit
import Testing

@testable import Routing

/// The tables of functions and views against PostgreSQL's catalogue and answers: nothing here is an opinion.
@Suite(.serialized, .onOwnThreads)
struct FunctionSurveyTests {
    private let survey: FunctionSurvey

    private static let meanings = Dictionary(
        FunctionGroup.catalogue.flatMap { group in group.names.map { ($0, group.meaning) } },
        uniquingKeysWith: { first, _ in first })

    init() throws { survey = try FunctionSurvey.shared() }

    private func meaning(_ name: String) -> KnownFunctions.Meaning {
        FunctionSurveyTests.meanings[name] ?? .unknown
    }

    /// Whether the tables let it run on a standby.
    private func mayRunOnStandby(_ name: String) -> Bool { [.pure, .harmless, .unknown].contains(meaning(name)) }

    // MARK: The catalogue

    @Test func everyCallableFunctionIsListedWithItsModule() throws {
        let rows = try survey.sql(
            """
            SELECT proname, min(coalesce(nullif(extname, 'plpgsql'), '')) FROM survey.callable c
            LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
            LEFT JOIN pg_extension e ON e.oid = d.refobjid GROUP BY proname
            """)
        let callable = Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        var listed: [String: String] = [:]
        for group in FunctionGroup.catalogue {
            for name in group.names { listed[name] = group.module ?? "" }
        }
        #expect(Set(callable.keys).subtracting(listed.keys) == [])
        #expect(Set(listed.keys).subtracting(callable.keys) == [])
        for (name, module) in callable { #expect(listed[name] == module, "\(name)") }
        for name in FunctionGroup.otherVersions.flatMap(\.names) { #expect(callable[name] == nil, "\(name)") }
    }

    @Test func noPureFunctionIsVolatileOrTakesAFunction() throws {
        let rows = try survey.sql(
            """
            SELECT proname, bool_or(provolatile = 'v'),
                bool_or(proargtypes::oid[] && '{regproc, regprocedure, regoper, regoperator}'::regtype[]::oid[])
            FROM survey.callable GROUP BY proname
            """)
        var pure = 0
        for row in rows where meaning(row[0]) == .pure {
            pure += 1
            #expect(row[1] == "f", "\(row[0]) is volatile")
            #expect(row[2] == "f", "\(row[0]) takes a function or an operator by name")
        }
        #expect(pure > 1900)
    }

    /// A statement does not name them, so nothing could see them.
    @Test func noOperatorCastOrTypeHidesAPrimaryFunction() throws {
        let rows = try survey.sql("SELECT function FROM survey.unnamed_function")
        #expect(rows.count > 1200)
        for row in rows { #expect([.pure, .harmless].contains(meaning(row[0])), "\(row[0])") }
    }

    @Test func theViewsOfThePrimaryAreThoseThatCallSuchAFunction() throws {
        let rows = try survey.sql("SELECT schema, view, function FROM survey.view_function")
        let reaching = rows.filter { [.primaryOnly, .sessionLock].contains(meaning($0[2])) }
        #expect(Set(reaching.map { "\($0[0]).\($0[1])" }) == Set(PrimaryViews.names.map { "pg_catalog.\($0)" }))
        for group in PrimaryViews.all {
            for view in group.names {
                #expect(reaching.contains(["pg_catalog", view, group.function]), "\(view) calls \(group.function)")
            }
        }
    }

    // MARK: The answers

    /// Also found so: what runs SQL that is given to it as a text.
    @Test func whatAStandbyRefusesIsThePrimarys() {
        var refused: Set<String> = []
        for attempt in survey.attempts {
            guard let outcome = survey.standby[attempt.key], outcome.isRefusedByStandby else { continue }
            refused.insert(attempt.name)
            #expect(!mayRunOnStandby(attempt.name), "\(outcome.sqlstate) \(outcome.message): \(attempt.statement)")
        }
        #expect(refused.isSuperset(of: ["nextval", "txid_current", "lo_creat", "query_to_xml", "pg_walfile_name"]))
        #expect(refused.count > 50)
    }

    @Test func whatAStandbyRefusesToPlanIsKnown() throws {
        let rows = try survey.sql(
            "SELECT proname FROM survey.callable GROUP BY proname HAVING bool_and(provolatile <> 'v')")
        let planned = Set(rows.map { $0[0] })
        let refused = survey.attempts.filter {
            // What runs SQL is not refused for itself.
            !$0.isAlwaysMade && planned.contains($0.name) && survey.standby[$0.key]?.isRefusedByStandby == true
        }
        #expect(Set(refused.map(\.name)) == KnownFunctions.refusedWhenPlanned)
    }

    @Test func whatRunsOnThePrimaryAloneIsThePrimarys() {
        var compared = 0
        for attempt in survey.attempts {
            guard let here = survey.primary[attempt.key], here.succeeded, let there = survey.standby[attempt.key] else {
                continue
            }
            compared += 1
            #expect(
                there.succeeded || !mayRunOnStandby(attempt.name),
                "\(there.sqlstate) \(there.message): \(attempt.statement)")
        }
        #expect(compared > 3300)
    }

    @Test func whatLeavesTracesIsThePrimarysOrRefused() {
        var found: Set<String> = []
        for attempt in survey.attempts {
            guard let traces = survey.primary[attempt.key]?.traces else { continue }
            let untouched = survey.untouched
            guard traces.hasTransactionID || traces.advisoryLocks > 0 || traces.settings != untouched.settings else {
                continue
            }
            found.insert(attempt.name)
            #expect(!mayRunOnStandby(attempt.name), "\(traces): \(attempt.statement)")
        }
        #expect(
            found.isSuperset(of: ["setval", "pg_advisory_lock", "pg_try_advisory_xact_lock", "set_config", "set_limit"])
        )
    }

    /// WAL may come from another session, or from the pruning of a page at its first reading; not three times.
    @Test func whatWritesWALIsThePrimarys() throws {
        var suspects = survey.attempts.filter { (survey.primary[$0.key]?.traces?.wal ?? 0) > 0 }
        #expect(suspects.contains { $0.name == "pg_create_restore_point" })
        suspects.removeAll { !mayRunOnStandby($0.name) }
        for _ in 0..<2 where !suspects.isEmpty {
            let again = try survey.repeated(suspects)
            suspects.removeAll { (again[$0.key]?.traces?.wal ?? 0) == 0 }
        }
        #expect(suspects.map(\.statement) == [])
    }

    @Test func aPureFunctionAnswersAlikeOnBothServers() {
        let clock: Set = ["now", "statement_timestamp", "transaction_timestamp"]
        var compared = 0
        for attempt in survey.attempts where meaning(attempt.name) == .pure && !clock.contains(attempt.name) {
            guard let here = survey.primary[attempt.key], let there = survey.standby[attempt.key] else { continue }
            compared += 1
            #expect(here.result == there.result && here.sqlstate == there.sqlstate, "\(attempt.statement)")
        }
        #expect(compared > 3000)
    }

    // MARK: What was surveyed

    /// Prints the counts, and holds the survey to what it reached when it was written.
    @Test func theSurveyReachesAlmostAll() throws {
        let names = Set(FunctionGroup.catalogue.flatMap(\.names))
        let attempted = Set(survey.attempts.map(\.name))
        let called = Set(survey.attempts.filter { survey.primary[$0.key]?.succeeded == true }.map(\.name))
        let refused = Set(survey.attempts.filter { survey.standby[$0.key]?.isRefusedByStandby == true }.map(\.name))
        print("functions: \(names.count) names, \(called.count) called, \(refused.count) refused by a standby")
        for row in try survey.sql(
            """
            SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname), reason
            FROM survey.denied JOIN survey.callable ON proname ~ ('^(' || pattern || ')$') GROUP BY reason
            """)
        {
            print("not called, because it \(row[1]): \(row[0])")
        }
        print("judged by hand, for want of arguments: \(names.subtracting(attempted).sorted().joined(separator: " "))")
        var causes: [String: Set<String>] = [:]
        for attempt in survey.attempts where !called.contains(attempt.name) {
            guard let outcome = survey.primary[attempt.key] else { continue }
            causes["\(outcome.sqlstate) \(outcome.message)", default: []].insert(attempt.name)
        }
        let failed = attempted.subtracting(called)
        print("judged by hand, because no call succeeded: \(failed.count)")
        for (cause, names) in causes.sorted(by: { $0.key < $1.key }) {
            print("  \(cause): \(names.sorted().joined(separator: " "))")
        }
        #expect(called.count >= 2435)
        #expect(failed.count <= 120)
    }
}
