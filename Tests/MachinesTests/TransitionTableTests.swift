import Machines
import Testing

@Suite("Every event in every state")
struct TransitionTableTests {
    @Test func clientTransaction() { TransactionTable.check() }
    @Test func clientRunning() { RunningTable.check() }
    @Test func clientInput() { InputTable.check() }
    @Test func pool() { PoolTable.check() }
    @Test func server() { ServerTable.check() }
    @Test func cancel() { CancelTable.check() }
    @Test func drain() { DrainTable.check() }
    @Test func console() { ConsoleTable.check() }

    @Test func statesDiffer() {
        TransactionTable.checkStatesDiffer()
        RunningTable.checkStatesDiffer()
        InputTable.checkStatesDiffer()
        ServerTable.checkStatesDiffer()
        CancelTable.checkStatesDiffer()
        DrainTable.checkStatesDiffer()
    }

    /// A new event of a machine, or one that was dropped, must change a table.
    @Test func everyEventHasRows() throws {
        let client = TransactionTable.functions.union(RunningTable.functions).union(InputTable.functions)
        // RunningTable's output is what `mayStartRead` says.
        #expect(try packageEvents(ofSourceFile: "ClientMachine") == client.union(["mayStartRead"]))
        // Backoff is in the same file; `next` is the pool's own.
        #expect(try packageEvents(ofSourceFile: "PoolMachine") == PoolTable.functions.union(["next"]))
        #expect(try packageEvents(ofSourceFile: "ServerMachine") == ServerTable.functions.union(CancelTable.functions))
        #expect(try packageEvents(ofSourceFile: "DrainMachine") == DrainTable.functions)
        #expect(try packageEvents(ofSourceFile: "ConsoleMachine") == ConsoleTable.functions)
    }

    @Test(arguments: TransactionTable.traps)
    func clientTransactionTraps(_ pair: TransitionPair<TransactionTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<TransactionTable>] in
            TransactionTable.misuse(pair)
        }
    }

    @Test(arguments: RunningTable.traps)
    func clientRunningTraps(_ pair: TransitionPair<RunningTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<RunningTable>] in
            RunningTable.misuse(pair)
        }
    }

    @Test(arguments: InputTable.traps)
    func clientInputTraps(_ pair: TransitionPair<InputTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<InputTable>] in
            InputTable.misuse(pair)
        }
    }

    @Test(arguments: PoolTable.traps)
    func poolTraps(_ pair: TransitionPair<PoolTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<PoolTable>] in
            PoolTable.misuse(pair)
        }
    }

    @Test(arguments: ServerTable.traps)
    func serverTraps(_ pair: TransitionPair<ServerTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<ServerTable>] in
            ServerTable.misuse(pair)
        }
    }

    @Test(arguments: CancelTable.traps)
    func cancelTraps(_ pair: TransitionPair<CancelTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<CancelTable>] in
            CancelTable.misuse(pair)
        }
    }

    @Test(arguments: ConsoleTable.traps)
    func consoleTraps(_ pair: TransitionPair<ConsoleTable>) async {
        await #expect(processExitsWith: .failure) { [pair = pair as TransitionPair<ConsoleTable>] in
            ConsoleTable.misuse(pair)
        }
    }
}
