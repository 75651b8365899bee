import Testing

@testable import Routing

/// The walk over bytes that no parser made: it must end, in bounds, and say that it is incomplete.
@Suite struct TreeWalkTests {
    private let grammar = Grammar.shared

    /// A cast in a cast in a cast, as protobuf bytes from the inside out: TypeCast { arg: Node { type_cast: TypeCast … } }.
    private func nestedCasts(_ depth: Int) -> [UInt8] {
        var backwards: [UInt8] = []
        for _ in 0..<depth {
            for number in [grammar.castNode, grammar.fields.castArgument] {
                backwards.append(contentsOf: varint(UInt64(backwards.count)).reversed())
                backwards.append(contentsOf: varint(UInt64(number) << 3 | 2).reversed())
            }
        }
        return backwards.reversed()
    }

    private func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private func isIncomplete(_ bytes: [UInt8]) -> Bool {
        guard let cast = grammar.message(in: grammar.nodeMessage, field: grammar.castNode) else { return false }
        return bytes.withUnsafeBytes { bytes in
            var walk = TreeWalk(bytes, facts: StatementFacts(), runsItsParts: true)
            walk.walk(cast)
            return walk.isIncomplete
        }
    }

    @Test func depthHasABound() {
        #expect(!isIncomplete(nestedCasts(ParseLimits.depth / 2 - 2)))
        #expect(isIncomplete(nestedCasts(ParseLimits.depth / 2 + 2)))
    }

    @Test func bytesThatMakeNoSenseEndTheWalk() {
        let whole = nestedCasts(40)
        #expect(isIncomplete(Array(whole.dropLast(1)) + [0xff]))
        #expect(isIncomplete([0x0a, 0x7f]))
        #expect(isIncomplete([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]))
        #expect(isIncomplete([0x0b]))
        #expect(isIncomplete([0x09, 0x00]))
        #expect(!isIncomplete([]))
    }

    @Test func anyBytesCanBeWalked() {
        let whole = nestedCasts(60)
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        var incomplete = 0
        for _ in 0..<5000 {
            var changed = whole
            for _ in 0...(next() % 4) { changed[Int(next()) % changed.count] = UInt8(truncatingIfNeeded: next()) }
            if isIncomplete(changed) { incomplete += 1 }
        }
        #expect(incomplete > 1000)
    }

    @Test func theGrammarKnowsEveryNodeThatTheTableNames() {
        let names = Set(grammar.names(of: "Node").values)
        for name in StatementNode.byName.keys { #expect(names.contains(name), "\(name)") }
    }
}
