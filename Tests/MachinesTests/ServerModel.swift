import Machines

/// One server connection and the server behind it, driven at random: a server that answers batches as PostgreSQL does,
/// that dies anywhere, or that sends what nobody asked for.
struct ServerModel {
    /// What comes next from the server.
    private enum Wire {
        case result(ServerMachine.ResultKind)
        case end
        case sync(inTransaction: Bool)
    }

    /// What became of a statement.
    private enum Fate {
        case open, kept, lost
    }

    private var random: RandomNumbers
    private var machine = ServerMachine()
    private var wire: [Wire] = []
    private var fates: [Fate] = []
    private var errors = 0
    private var isCommitFailing = false
    private var isBusy = false
    private var isOpen = false
    private var isConnecting = false
    private var isCancelUnderWay = false
    /// The statement whose results come, as the wire has it.
    private var current = 0
    private var failure: String?
    private(set) var batches = 0

    init(seed: UInt64) {
        random = RandomNumbers(seed: seed)
    }

    mutating func step() {
        switch random.below(100) {
        case 0..<3: lose()
        case 3..<5: sendWhatNobodyAskedFor()
        case 5..<12: cancel()
        case 12..<20: returnCancel()
        default: goOn()
        }
    }

    private mutating func goOn() {
        if !isOpen {
            if isConnecting { machine.connected() } else { machine.connectStarted() }
            isOpen = isConnecting
            isConnecting = !isConnecting
        } else if isBusy {
            receive()
        } else if case .idle = machine.state {
            if isCancelUnderWay { failure = "in order while a cancel is under way" }
            send()
        } else if case .uncertain = machine.state {
            if !isCancelUnderWay { failure = "out of use without a cancel" }
        }
    }

    // MARK: A batch

    private mutating func send() {
        let count = random.chance(50) ? 1 : 1 + random.below(8)
        machine.batchSent(statements: count, mayBeCancelled: count == 1)
        isBusy = true
        batches += 1
        current = 0
        errors = 0
        fates = Array(repeating: .open, count: count)
        let failing = random.chance(30) ? random.below(count) : count
        isCommitFailing = failing == count && random.chance(10)
        for statement in 0..<count {
            if statement <= failing {
                for _ in 0..<random.below(4) { wire.append(.result(.row)) }
            }
            wire.append(.result(statement < failing ? .success : statement == failing ? .error : .aborted))
            wire.append(.end)
        }
        if isCommitFailing {
            wire.append(.result(.error))
            wire.append(.end)
        }
        wire.append(.sync(inTransaction: random.chance(30)))
    }

    private mutating func receive() {
        guard !wire.isEmpty else {
            failure = "a batch without its Sync"
            return
        }
        switch wire.removeFirst() {
        case .result(let kind): receive(kind)
        case .end:
            let action = machine.statementEnded()
            if current < fates.count { current += 1 }
            let expected: ServerMachine.EndAction = current < fates.count ? .nextStatement(current) : .none
            if action != expected { failure = "\(action) instead of \(expected)" }
        case .sync(let inTransaction):
            let action = machine.syncArrived(inTransaction: inTransaction)
            let expected: ServerMachine.SyncAction = isCancelUnderWay ? .finishAwaitingCancel : .finish
            if action != expected { failure = "\(action) instead of \(expected)" }
            if fates.contains(where: { $0 != .kept }) { failure = "a statement without an outcome: \(fates)" }
            isBusy = false
        }
    }

    private mutating func receive(_ kind: ServerMachine.ResultKind) {
        switch machine.resultArrived(kind) {
        case .deliverRow(let statement):
            if kind != .row || statement != current { failure = "a row of \(current) for \(statement)" }
        case .keepSuccess(let statement): keep(statement, kind == .success)
        case .keepError(let statement):
            keep(statement, kind == .error && errors == 0)
            errors += 1
        case .keepAborted(let statement): keep(statement, kind == .aborted && errors == 1)
        case .keepCommitError:
            if kind != .error || !isCommitFailing || current != fates.count { failure = "an unfounded commit error" }
        case .close: failure = "closed on \(kind) of statement \(current)"
        }
    }

    private mutating func keep(_ statement: Int, _ isRight: Bool) {
        if !isRight || statement != current { failure = "a wrong outcome for \(statement)" }
        if fates[statement] != .open { failure = "two outcomes for \(statement)" }
        fates[statement] = .kept
    }

    // MARK: Faults

    private mutating func lose() {
        let action = machine.closed()
        switch action {
        case .none: if isOpen || isConnecting { failure = "nothing was closed" }
        case .connectFailed: if !isConnecting { failure = "no attempt had been made" }
        case .lostIdle: if isBusy || !isOpen { failure = "not idle" }
        case .lostBatch(let count, let failed):
            if !isBusy || count != fates.count { failure = "\(count) lost, had \(fates.count)" }
            if (failed != nil) != (errors > 0) { failure = "an error that was not, or was forgotten" }
            // Without its Sync no outcome counts.
            for statement in 0..<count { fates[statement] = .lost }
        }
        if machine.state != .closed || machine.isCancelUnderWay { failure = "not closed" }
        isOpen = false
        isConnecting = false
        isBusy = false
        isCancelUnderWay = false
        wire.removeAll()
    }

    private mutating func sendWhatNobodyAskedFor() {
        var copy = machine
        let isRefused: Bool
        switch random.below(3) {
        case 0: isRefused = copy.resultArrived(.unexpected) == .close
        case 1: isRefused = isBusy || copy.resultArrived(.row) == .close
        default:
            // A Sync before its time.
            let isDue = isBusy && current == fates.count
            isRefused = isDue || copy.syncArrived(inTransaction: false) == .close
        }
        if !isRefused { failure = "taken though nobody asked for it" }
        if random.chance(20) { lose() }
    }

    private mutating func cancel() {
        let isAllowed = isBusy && fates.count == 1 && !isCancelUnderWay
        let action = machine.cancelRequested()
        if action != (isAllowed ? .send : .none) { failure = "\(action), allowed: \(isAllowed)" }
        if action == .send { isCancelUnderWay = true }
    }

    private mutating func returnCancel() {
        guard isCancelUnderWay else { return }
        isCancelUnderWay = false
        let action = machine.cancelReturned()
        if action != (isBusy ? .stillBusy : .ready) { failure = "\(action) while busy: \(isBusy)" }
    }

    // MARK: What must be true

    func fault() -> String? {
        if let failure { return failure }
        if !isBusy && !wire.isEmpty { return "results were left" }
        switch machine.state {
        case .closed: return isOpen || isConnecting ? "closed" : nil
        case .connecting: return isConnecting ? nil : "connecting"
        case .idle: return isOpen && !isBusy && !isCancelUnderWay ? nil : "in order"
        case .busy(let batch): return isBusy && batch.current == current ? nil : "busy with \(batch.current)"
        case .uncertain: return isOpen && !isBusy && isCancelUnderWay ? nil : "out of use"
        }
    }
}
