import Machines
import Testing

/// Random sequences of legal events, each machine beside a plain model of what must be true. Seeds are fixed; a failure
/// names its seed and step.
@Suite("Random event sequences")
struct ModelTests {
    static let seeds: ClosedRange<UInt64> = 1...8
    static let steps = 25_000

    @Test(arguments: seeds) func pool(seed: UInt64) throws {
        var model = PoolModel(seed: seed)
        for step in 0..<Self.steps {
            model.step()
            if let fault = model.fault() {
                Issue.record("seed \(seed), step \(step): \(fault)")
                return
            }
        }
        #expect(model.started > Self.steps / 20, "the sequence must do some work")
        #expect(model.retired > Self.steps / 500, "and its reloads too")
        #expect(model.released > Self.steps / 500, "and its releases")
        model.settle()
        #expect(model.fault() == nil)
        #expect(model.ended == model.begun)
    }

    @Test(arguments: seeds) func client(seed: UInt64) {
        var model = ClientModel(seed: seed)
        for step in 0..<Self.steps {
            model.step()
            if let fault = model.fault() {
                Issue.record("seed \(seed), step \(step): \(fault)")
                return
            }
        }
        #expect(model.answered > Self.steps / 20, "the sequence must do some work")
    }

    @Test(arguments: seeds) func server(seed: UInt64) {
        var model = ServerModel(seed: seed)
        for step in 0..<Self.steps {
            model.step()
            if let fault = model.fault() {
                Issue.record("seed \(seed), step \(step): \(fault)")
                return
            }
        }
        #expect(model.batches > Self.steps / 50, "the sequence must do some work")
    }
}
