import Machines

/// One client connection, driven at random as the daemon drives it: requests come, start when the machine lets them,
/// end well or badly; beside it a plain model of what the protocol promises.
struct ClientModel {
    private enum Request {
        case read(pool: Int)
        case write
        case savepointRollback
        case begin, commit, rollback
    }

    private enum Job {
        case read(pool: Int)
        case write
        case begin
        case pinned(mayHaveWritten: Bool)
        case commit
        case rollback
    }

    private static let maxInFlight = 6
    private static let maxParallelReads = 3

    private var random: RandomNumbers
    private var machine = ClientMachine(maxInFlight: maxInFlight, maxParallelReads: maxParallelReads)
    private var requests: [Request] = []
    private var running: [Job] = []
    /// Between a BEGIN, successful or not, and the next COMMIT or ROLLBACK.
    private var isInBlock = false
    private var isPinned = false
    /// The server's side of the transaction has failed; the daemon refused something in it.
    private var hasFailed = false
    private var wasRefused = false
    private var blockHasWritten = false
    /// The cluster of the block, and those in which a write counts.
    private var blockCluster = 0
    private var written: Set<Int> = []
    private var isReading = true
    private var hasInputEnded = false
    private var failure: String?
    private(set) var answered = 0

    init(seed: UInt64) {
        random = RandomNumbers(seed: seed)
    }

    mutating func step() {
        switch random.below(100) {
        case 0..<35: arrive()
        case 35..<65: startNext()
        case 65..<95: finishOne()
        case 95..<97: loseServer()
        default: if random.chance(2) { endInput() }
        }
    }

    // MARK: Requests

    private mutating func arrive() {
        guard isReading, !hasInputEnded else { return }
        switch random.below(10) {
        case 0..<4: requests.append(.read(pool: random.chance(80) ? 0 : 1))
        case 4..<6: requests.append(.write)
        case 6: requests.append(.savepointRollback)
        case 7: requests.append(.begin)
        case 8: requests.append(.commit)
        default: requests.append(.rollback)
        }
        let isFull = requests.count + running.count == Self.maxInFlight
        if machine.requestArrived() != (isFull ? .pauseReading : .readOn) { failure = "reading at \(requests.count)" }
        isReading = !isFull
    }

    private mutating func answer() {
        answered += 1
        let left = requests.count + running.count
        let expected: ClientMachine.AnswerAction =
            hasInputEnded ? (left == 0 ? .close : .none) : (isReading ? .none : .resumeReading)
        if machine.requestAnswered() != expected { failure = "expected \(expected) with \(left) left" }
        if !hasInputEnded { isReading = true }
        if hasInputEnded, left == 0 { startAfresh() }
    }

    private mutating func endInput() {
        let left = requests.count + running.count
        hasInputEnded = true
        if machine.inputEnded() != (left == 0 ? .close : .finishThenClose) { failure = "the end with \(left) left" }
        if left == 0 { startAfresh() }
    }

    /// The next client.
    private mutating func startAfresh() {
        machine = ClientMachine(maxInFlight: Self.maxInFlight, maxParallelReads: Self.maxParallelReads)
        isInBlock = false
        isPinned = false
        endBlock()
        written = []
        isReading = true
        hasInputEnded = false
    }

    private mutating func endBlock() {
        isPinned = false
        hasFailed = false
        wasRefused = false
        blockHasWritten = false
    }

    // MARK: Starting

    private mutating func startNext() {
        guard let next = requests.first else { return }
        switch next {
        case .read(let pool): startStatement(read: pool)
        case .write: startStatement(read: nil)
        case .savepointRollback: startStatement(read: nil, rollsBack: true)
        case .begin: startBegin()
        case .commit: startEnd(isCommit: true)
        case .rollback: startEnd(isCommit: false)
        }
    }

    private mutating func begin(_ job: Job) {
        requests.removeFirst()
        running.append(job)
    }

    private mutating func refuse() {
        requests.removeFirst()
        machine.requestRefused()
        if isInBlock, isPinned, !hasFailed { wasRefused = true }
        answer()
    }

    private mutating func startStatement(read pool: Int?, rollsBack: Bool = false) {
        if !isInBlock, let pool {
            let mayStart = machine.mayStartRead(onPool: pool)
            if mayStart != mayRunBeside(pool) { failure = "a read may start: \(mayStart)" }
            guard mayStart else { return }
        } else {
            guard checkedMayStartAlone() else { return }
        }
        switch machine.query(rollsBackToSavepoint: rollsBack) {
        case .route:
            if isInBlock { failure = "a statement slipped into autocommit" }
            if random.chance(5), running.isEmpty { return refuse() }
            if let pool {
                machine.readStarted(onPool: pool)
                begin(.read(pool: pool))
            } else {
                machine.aloneStarted()
                begin(.write)
            }
        case .sendPinned:
            if !isPinned || (wasRefused && !rollsBack) { failure = "sent to a transaction that is over" }
            if random.chance(10) { return refuse() }
            machine.aloneStarted()
            begin(.pinned(mayHaveWritten: pool == nil))
        case .refuseAborted:
            if !isInBlock || (isPinned && !(wasRefused && !rollsBack)) { failure = "refused though it could run" }
            refuse()
        }
    }

    private func mayRunBeside(_ pool: Int) -> Bool {
        running.count < Self.maxParallelReads
            && running.allSatisfy { job in
                if case .read(pool) = job { return true }
                return false
            }
    }

    private mutating func checkedMayStartAlone() -> Bool {
        let mayStart = machine.mayStartAlone
        if mayStart != running.isEmpty { failure = "beside \(running.count): \(mayStart)" }
        return mayStart
    }

    private mutating func startBegin() {
        guard checkedMayStartAlone() else { return }
        switch machine.begin() {
        case .open:
            if isInBlock { failure = "a transaction inside another" }
            isInBlock = true
            if random.chance(10) { return refuse() }
            machine.aloneStarted()
            begin(.begin)
        case .refuseNested:
            if !isInBlock { failure = "there was no transaction" }
            requests.removeFirst()
            answer()
        }
    }

    private mutating func startEnd(isCommit: Bool) {
        guard checkedMayStartAlone() else { return }
        let action = isCommit ? machine.commit() : machine.rollback()
        let expected: ClientMachine.EndAction
        if !isInBlock {
            expected = .refuseNoTransaction
        } else if !isPinned {
            expected = isCommit ? .refuseCommit : .answerRolledBack
        } else if !isCommit {
            expected = .sendRollback
        } else {
            expected = hasFailed || wasRefused ? .sendRollbackRefuseCommit : .sendCommit
        }
        if action != expected { failure = "\(action) instead of \(expected)" }
        switch action {
        case .sendCommit, .sendRollback, .sendRollbackRefuseCommit:
            machine.aloneStarted()
            begin(action == .sendCommit ? .commit : .rollback)
        case .answerRolledBack, .refuseCommit, .refuseNoTransaction:
            isInBlock = false
            endBlock()
            requests.removeFirst()
            answer()
        }
    }

    // MARK: Ends

    private mutating func finishOne() {
        guard !running.isEmpty else { return }
        let job = running.remove(at: random.below(running.count))
        let isLost = random.chance(10)
        let fails = random.chance(15)
        switch job {
        case .read: break
        case .write:
            if isLost || !fails {
                let cluster = random.below(64)
                machine.autocommitWritten(to: cluster)
                written.insert(cluster)
            }
        case .begin: finishBegin(isLost: isLost, fails: fails)
        case .pinned(let mayHaveWritten): finishPinned(isLost: isLost, fails: fails, mayHaveWritten: mayHaveWritten)
        case .commit:
            if isLost { machine.commitLost() } else { machine.transactionEnded(committed: !fails) }
            if blockHasWritten, isLost || !fails { written.insert(blockCluster) }
            isInBlock = false
            endBlock()
        case .rollback:
            machine.transactionEnded(committed: false)
            isInBlock = false
            endBlock()
        }
        machine.finished()
        answer()
    }

    private mutating func finishBegin(isLost: Bool, fails: Bool) {
        if isLost {
            machine.pinnedServerLost()
        } else if fails {
            if machine.pinnedBatchFinished(.idle, wroteTo: nil) != .release { failure = "kept a failed BEGIN" }
        } else {
            isPinned = true
            blockCluster = random.below(64)
            if machine.pinnedBatchFinished(.inTransaction, wroteTo: nil) != .keep { failure = "not pinned" }
        }
    }

    private mutating func finishPinned(isLost: Bool, fails: Bool, mayHaveWritten: Bool) {
        if isLost {
            machine.pinnedServerLost()
            endBlock()
            return
        }
        hasFailed = fails
        wasRefused = false
        if mayHaveWritten { blockHasWritten = true }
        let status: ClientMachine.ServerTransaction = fails ? .inFailedTransaction : .inTransaction
        let cluster = mayHaveWritten ? blockCluster : nil
        if machine.pinnedBatchFinished(status, wroteTo: cluster) != .keep { failure = "released" }
    }

    /// The pinned connection is lost while nothing runs on it.
    private mutating func loseServer() {
        guard running.isEmpty else { return }
        machine.pinnedServerLost()
        if isInBlock { endBlock() }
    }

    // MARK: What must be true

    func fault() -> String? {
        if let failure { return failure }
        let left = requests.count + running.count
        if machine.unanswered != left { return "\(machine.unanswered) unanswered, should be \(left)" }
        if machine.unanswered > Self.maxInFlight { return "too many in flight" }
        if (0...63).contains(where: { machine.written.contains($0) != written.contains($0) }) {
            return "written in \(written), known \(String(machine.written.bits, radix: 2))"
        }
        if (machine.transaction == .none) == isInBlock { return "\(machine.transaction) in a block: \(isInBlock)" }
        let reads = running.filter { job in
            if case .read = job { return true }
            return false
        }
        if reads.count != running.count, running.count > 1 { return "a write runs beside something" }
        switch machine.running {
        case .nothing: return running.isEmpty ? nil : "\(running.count) run"
        case .reads(_, let count): return reads.count == count ? nil : "\(reads.count) reads run, not \(count)"
        case .alone: return running.count == 1 && reads.isEmpty ? nil : "\(running.count) run beside one alone"
        }
    }
}
