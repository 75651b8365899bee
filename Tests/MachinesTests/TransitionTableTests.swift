import Machines
import Testing

@Suite("Every event in every state")
struct TransitionTableTests {
    @Test func server() { ServerTable.check() }
    @Test func cancel() { CancelTable.check() }
    @Test func drain() { DrainTable.check() }

    @Test func statesDiffer() {
        ServerTable.checkStatesDiffer()
        CancelTable.checkStatesDiffer()
        DrainTable.checkStatesDiffer()
    }

    /// A new event of a machine, or one that was dropped, must change a table.
    @Test func everyEventHasRows() throws {
        #expect(try packageEvents(ofSourceFile: "ServerMachine") == ServerTable.functions.union(CancelTable.functions))
        #expect(try packageEvents(ofSourceFile: "DrainMachine") == DrainTable.functions)
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
}
