import Foundation
import Synchronization

/// Clients that go on through a fault, and a book of what each was told: which keys were written, which were not, which
/// nobody can know. The table has no unique index, so a key that was written twice is there twice.
package final class WriteLedger: Sendable {
    package struct Account: Sendable {
        /// Keys whose write succeeded.
        package fileprivate(set) var acknowledged: Set<Int> = []
        /// Keys whose write was said to have had no effect.
        package fileprivate(set) var refused: Set<Int> = []
        /// Keys whose outcome was said to be unknown.
        package fileprivate(set) var unknown: Set<Int> = []
        package fileprivate(set) var reads = 0
        /// What failed, such as `write 57P03 later`, and how often.
        package fileprivate(set) var failures: [String: Int] = [:]
        /// The first answer of each such failure, in words.
        package fileprivate(set) var examples: [String: String] = [:]
        package fileprivate(set) var slowestRead = Duration.zero
        package fileprivate(set) var slowestWrite = Duration.zero

        fileprivate mutating func count(_ answer: Answer, of what: String) {
            guard let problem = answer.problem else { return }
            let key = "\(what) \(problem.sqlstate) \(problem.retry.rawValue)"
            failures[key, default: 0] += 1
            if examples[key] == nil {
                let attributes = answer.attributes.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
                examples[key] = "\(key): \(problem.message) \(attributes)"
            }
        }

        package func failures(of what: String) -> [String: Int] { failures.filter { $0.key.hasPrefix(what) } }

        /// What failed, how often, and how the first of it was worded.
        package var report: String {
            let sorted = failures.sorted { $0.key < $1.key }
            return sorted.map { "\($0.value) × \(examples[$0.key] ?? "")" }.joined(separator: "\n")
        }

        /// What the book and the table say against each other.
        ///
        /// - Parameter keys: all keys of the table, as often as they are there.
        /// - Returns: empty when all is accounted for.
        package func contradictions(_ keys: [Int]) -> [String] {
            let stored = Set(keys)
            var found: [String] = []
            let missing = acknowledged.subtracting(stored)
            if !missing.isEmpty { found.append("acknowledged and missing: \(missing.sorted().prefix(5))") }
            let denied = refused.intersection(stored)
            if !denied.isEmpty { found.append("said to have had no effect: \(denied.sorted().prefix(5))") }
            if keys.count != stored.count { found.append("\(keys.count - stored.count) written twice") }
            let strange = stored.subtracting(acknowledged).subtracting(unknown).subtracting(refused)
            if !strange.isEmpty { found.append("never asked for: \(strange.sorted().prefix(5))") }
            return found
        }
    }

    private struct State {
        var account = Account()
        var running = true
        var nextKey = 0
        var errors: [any Error] = []
    }

    package let table: String
    private let timeout: Int
    private let state = Mutex(State())
    private let group = DispatchGroup()

    /// Makes the table and starts the clients.
    ///
    /// - Parameters:
    ///   - cluster: where the table is made.
    ///   - daemon: who is asked.
    ///   - writers: half of them write in transactions.
    ///   - readers: they ask for nothing but an answer.
    ///   - timeout: `@timeout` of each request, in milliseconds.
    /// - Throws: `TestFailure` when the first writes do not succeed.
    package init(_ cluster: Cluster, _ daemon: DaemonProcess, writers: Int = 4, readers: Int = 4, timeout: Int = 4_000)
        throws
    {
        table = Workplace.uniqueTable()
        self.timeout = timeout
        try cluster.makeTables("CREATE TABLE \(table)(key int)")
        for number in 0..<(writers + readers) {
            let client = try daemon.client()
            client.patience = .seconds(60)
            start(client) { [self] in
                if number < writers { try write($0, number) } else { try read($0) }
            }
        }
        try awaitWrites()
    }

    private func start(_ client: sending LineClient, _ step: @escaping @Sendable (LineClient) throws -> Void) {
        group.enter()
        let held = Mutex<LineClient?>(client)
        let thread = Thread { [self] in
            defer { group.leave() }
            guard let client = held.withLock({ $0.take() }) else { return }
            do {
                while state.withLock({ $0.running }) { try step(client) }
            } catch {
                state.withLock { $0.errors.append(error) }
            }
        }
        thread.start()
    }

    /// Reads that were answered, with a row or an error.
    package var reads: Int { state.withLock { $0.account.reads } }

    /// Writes that succeeded.
    package var acknowledged: Int { state.withLock { $0.account.acknowledged.count } }

    /// Waits until more writes succeed.
    package func awaitWrites(_ count: Int = 40, within duration: Duration = .seconds(20)) throws {
        let before = acknowledged
        try eventually("\(count) more writes succeed", within: duration) {
            if let error = state.withLock({ $0.errors.first }) { throw error }
            return acknowledged >= before + count
        }
    }

    /// Lets the clients end what they are at.
    ///
    /// - Throws: what a client met that is no answer.
    package func stop() throws -> Account {
        state.withLock { $0.running = false }
        group.wait()
        if let error = state.withLock({ $0.errors.first }) { throw error }
        return state.withLock { $0.account }
    }

    // MARK: Clients

    private func read(_ client: LineClient) throws {
        let start = ContinuousClock.now
        // Long enough that a fault meets some of them on their way.
        let answer = try client.query("SELECT pg_sleep(0.02)", options: "@timeout=\(timeout)")
        let took = ContinuousClock.now - start
        state.withLock {
            $0.account.reads += 1
            $0.account.slowestRead = max($0.account.slowestRead, took)
            $0.account.count(answer, of: "read")
        }
        if answer.problem != nil { usleep(20_000) }
    }

    private func write(_ client: LineClient, _ number: Int) throws {
        let key = state.withLock { state in
            state.nextKey += 1
            return state.nextKey
        }
        let start = ContinuousClock.now
        let insert = "INSERT INTO \(table) VALUES ($1)"
        var last: Answer
        if number % 2 == 0 {
            last = try client.query(insert, ["\(key)"], options: "@timeout=\(timeout)")
        } else {
            last = try client.ask("BEGIN", "@timeout=\(timeout)")
            if last.problem == nil { last = try client.query(insert, ["\(key)"], options: "@timeout=\(timeout)") }
            if last.problem == nil {
                last = try client.ask("COMMIT")
            } else {
                // In whatever state: nothing was committed.
                try client.ask("ROLLBACK")
            }
        }
        let answer = last
        let took = ContinuousClock.now - start
        let problem = answer.problem
        state.withLock {
            $0.account.slowestWrite = max($0.account.slowestWrite, took)
            $0.account.count(answer, of: "write")
            switch problem?.retry {
            case nil: $0.account.acknowledged.insert(key)
            case .unknown: $0.account.unknown.insert(key)
            case .never, .now, .later, .tx: $0.account.refused.insert(key)
            }
        }
        usleep(problem == nil ? 2_000 : 20_000)
    }
}
