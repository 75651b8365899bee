import Machines

/// ClientMachine's running requests, at most two reads side by side: every event in every state.
enum RunningTable: TransitionTable {
    static let sourceFile = "ClientMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        case nothing, oneRead, twoReads, alone
        /// The same, and one of them turned out to write.
        case oneReadWriting, twoReadsWriting
        /// The same inside a transaction.
        case nothingInTransaction, aloneInTransaction
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case readStarted, readOnOtherPoolStarted, aloneStarted, finished, turnedOutToWrite, resumed
    }

    /// What may start then: a read on the pool, a read on another pool, a request alone, anything.
    struct Output: Equatable, Sendable {
        let read: Bool
        let readOnOtherPool: Bool
        let alone: Bool
        let any: Bool

        static let everything = Output(read: true, readOnOtherPool: true, alone: true, any: true)
        static let oneMore = Output(read: true, readOnOtherPool: false, alone: false, any: true)
        static let nothing = Output(read: false, readOnOtherPool: false, alone: false, any: false)
        static let aloneOnly = Output(read: false, readOnOtherPool: false, alone: true, any: true)
    }

    static let rows: [Event: [State: Transition<Output, State>]] = [
        .readStarted: row(
            ([.nothing], .to(.oneRead, .oneMore)),
            ([.oneRead], .to(.twoReads, .nothing)),
            ([.twoReads, .alone, .nothingInTransaction, .aloneInTransaction], .traps),
            // It could read what was before the write.
            ([.oneReadWriting, .twoReadsWriting], .traps)),
        .readOnOtherPoolStarted: row(
            ([.nothing], .to(.oneRead, Output(read: false, readOnOtherPool: true, alone: false, any: true))),
            // Two clients could wait for each other's server connections otherwise.
            ([.oneRead, .twoReads, .alone, .nothingInTransaction, .aloneInTransaction], .traps),
            ([.oneReadWriting, .twoReadsWriting], .traps)),
        .aloneStarted: row(
            ([.nothing], .to(.alone, .nothing)),
            ([.nothingInTransaction], .to(.aloneInTransaction, .nothing)),
            ([.oneRead, .twoReads, .alone, .aloneInTransaction, .oneReadWriting, .twoReadsWriting], .traps)),
        .finished: row(
            ([.oneRead, .alone], .to(.nothing, .everything)),
            ([.twoReads], .to(.oneRead, .oneMore)),
            ([.aloneInTransaction], .to(.nothingInTransaction, .aloneOnly)),
            // Those beside it run again behind it: nothing new starts until all are over.
            ([.twoReadsWriting], .to(.oneReadWriting, .nothing)),
            ([.oneReadWriting], .to(.nothing, .everything)),
            ([.nothing, .nothingInTransaction], .traps)),
        .turnedOutToWrite: row(
            ([.oneRead, .oneReadWriting], .to(.oneReadWriting, .nothing)),
            ([.twoReads, .twoReadsWriting], .to(.twoReadsWriting, .nothing)),
            // What runs alone has nothing beside it.
            ([.nothing], .stays(.everything)),
            ([.alone, .aloneInTransaction], .stays(.nothing)),
            ([.nothingInTransaction], .stays(.aloneOnly))),
        .resumed: row(
            ([.oneRead], .to(.twoReads, .nothing)),
            ([.oneReadWriting], .to(.twoReadsWriting, .nothing)),
            // One that had ended may take the number above the limit: it was below it before.
            ([.twoReads, .twoReadsWriting], .stays(.nothing)),
            ([.nothing, .alone, .nothingInTransaction, .aloneInTransaction], .traps)),
    ]

    /// Does not compile when the machine has a state that this table does not tell apart.
    static func states(of running: ClientMachine.Running) -> [State] {
        switch running {
        case .nothing: [.nothing, .nothingInTransaction]
        case .reads: [.oneRead, .twoReads, .oneReadWriting, .twoReadsWriting]
        case .alone: [.alone, .aloneInTransaction]
        }
    }

    static func function(of event: Event) -> String {
        switch event {
        case .readStarted, .readOnOtherPoolStarted: "readStarted"
        case .aloneStarted: "aloneStarted"
        case .finished: "finished"
        case .turnedOutToWrite: "readTurnedOutToWrite"
        case .resumed: "readResumed"
        }
    }

    static func make(_ state: State) -> ClientMachine {
        var machine = ClientMachine(maxInFlight: 4, maxParallelReads: 2)
        switch state {
        case .nothing: break
        case .oneRead: machine.readStarted(onPool: 7)
        case .twoReads:
            machine.readStarted(onPool: 7)
            machine.readStarted(onPool: 7)
        case .alone: machine.aloneStarted()
        case .oneReadWriting:
            machine.readStarted(onPool: 7)
            machine.readTurnedOutToWrite()
        case .twoReadsWriting:
            machine = make(.twoReads)
            machine.readTurnedOutToWrite()
        case .nothingInTransaction: machine = TransactionTable.make(.active)
        case .aloneInTransaction:
            machine = TransactionTable.make(.active)
            machine.aloneStarted()
        }
        return machine
    }

    struct Aspect: Equatable {
        /// The number of reads; -1 for a request alone.
        let running: Int
        let isInTransaction: Bool
        let isWriting: Bool
    }

    static func look(at machine: ClientMachine) -> Aspect {
        let running: Int
        switch machine.running {
        case .nothing: running = 0
        case .reads(_, let count): running = min(count, 2)
        case .alone: running = -1
        }
        return Aspect(running: running, isInTransaction: machine.transaction != .none, isWriting: machine.isWriting)
    }

    static func apply(_ event: Event, to machine: inout ClientMachine) -> Output {
        switch event {
        case .readStarted: machine.readStarted(onPool: 7)
        case .readOnOtherPoolStarted: machine.readStarted(onPool: 8)
        case .aloneStarted: machine.aloneStarted()
        case .finished: machine.finished()
        case .turnedOutToWrite: machine.readTurnedOutToWrite()
        case .resumed: machine.readResumed()
        }
        return Output(
            read: machine.mayStartRead(onPool: 7), readOnOtherPool: machine.mayStartRead(onPool: 8),
            alone: machine.mayStartAlone, any: machine.mayStartAny)
    }
}

/// ClientMachine's input, at most two requests in flight: every event in every state.
enum InputTable: TransitionTable {
    static let sourceFile = "ClientMachine"

    enum State: String, CaseIterable, Codable, Sendable {
        case reading, readingOne, paused
        /// No more requests; none, one or two still to be answered.
        case ended, endedOne, endedTwo
    }

    enum Event: String, CaseIterable, Codable, Sendable {
        case requestArrived, requestAnswered, inputEnded
    }

    enum Output: Equatable, Sendable {
        case arrival(ClientMachine.ArrivalAction)
        case answer(ClientMachine.AnswerAction)
        case end(ClientMachine.InputEndAction)
    }

    static let rows: [Event: [State: Transition<Output, State>]] = [
        .requestArrived: row(
            ([.reading], .to(.readingOne, .arrival(.readOn))),
            ([.readingOne], .to(.paused, .arrival(.pauseReading))),
            // What follows a framing error is never parsed; what follows the last request that may wait is not yet.
            ([.paused, .ended, .endedOne, .endedTwo], .traps)),
        .requestAnswered: row(
            ([.readingOne], .to(.reading, .answer(.none))),
            ([.paused], .to(.readingOne, .answer(.resumeReading))),
            ([.endedTwo], .to(.endedOne, .answer(.none))),
            ([.endedOne], .to(.ended, .answer(.close))),
            ([.reading, .ended], .traps)),
        .inputEnded: row(
            ([.reading], .to(.ended, .end(.close))),
            ([.ended], .stays(.end(.close))),
            ([.readingOne], .to(.endedOne, .end(.finishThenClose))),
            ([.paused], .to(.endedTwo, .end(.finishThenClose))),
            ([.endedOne, .endedTwo], .stays(.end(.finishThenClose)))),
    ]

    /// Does not compile when the machine has a state that this table does not tell apart.
    static func states(of input: ClientMachine.Input) -> [State] {
        switch input {
        case .reading: [.reading, .readingOne]
        case .paused: [.paused]
        case .ended: [.ended, .endedOne, .endedTwo]
        }
    }

    static func function(of event: Event) -> String {
        switch event {
        case .requestArrived: "requestArrived"
        case .requestAnswered: "requestAnswered"
        case .inputEnded: "inputEnded"
        }
    }

    static func make(_ state: State) -> ClientMachine {
        var machine = ClientMachine(maxInFlight: 2, maxParallelReads: 1)
        let arrivals =
            switch state {
            case .reading, .ended: 0
            case .readingOne, .endedOne: 1
            case .paused, .endedTwo: 2
            }
        for _ in 0..<arrivals { _ = machine.requestArrived() }
        switch state {
        case .reading, .readingOne, .paused: break
        case .ended, .endedOne, .endedTwo: _ = machine.inputEnded()
        }
        return machine
    }

    static func look(at machine: ClientMachine) -> ClientMachine { machine }

    static func apply(_ event: Event, to machine: inout ClientMachine) -> Output {
        switch event {
        case .requestArrived: .arrival(machine.requestArrived())
        case .requestAnswered: .answer(machine.requestAnswered())
        case .inputEnded: .end(machine.inputEnded())
        }
    }
}
