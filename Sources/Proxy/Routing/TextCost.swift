/// A cheap look at a text before it is parsed: whether its form would take the scanner or the tree's sizing quadratic time.
/// It does not know strings from code, so it may also turn down a long literal full of operator characters.
struct TextCost {
    private(set) var isBearable = true

    init(_ sql: UnsafeRawBufferPointer) {
        // Fewer bytes than this cannot reach any of the limits.
        guard sql.count > 256 else { return }
        var squares = 0
        var runs = 0
        var run = 0
        var depth = 0
        var previous: UInt8 = 0
        for byte in sql {
            if TextCost.isOperator[Int(byte)] {
                run += 1
                if byte == UInt8(ascii: "*"), previous == UInt8(ascii: "/") { depth += 1 }
                if byte == UInt8(ascii: "/"), previous == UInt8(ascii: "*"), depth > 0 { depth -= 1 }
                if depth > ParseLimits.commentDepth { isBearable = false }
            } else if run > 0 {
                squares += run * run
                runs += 1
                run = 0
            }
            previous = byte
        }
        squares += run * run
        if squares > ParseLimits.operatorRunSquares || runs > ParseLimits.operatorRuns { isBearable = false }
    }

    /// Whether libpg_query's normaliser takes no time to speak of over a text: at each select it fingerprints all that stands
    /// in the target list anew, so that selects inside each other take their number times the text (2,000: 200 ms).
    static func allowsNormalising(_ sql: UnsafeRawBufferPointer) -> Bool {
        var depth = 0
        for (index, byte) in sql.enumerated() {
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")"), depth > 0 { depth -= 1 }
            guard depth > ParseLimits.normalisedSelectDepth, byte | 0x20 == UInt8(ascii: "s") else { continue }
            if sql[index...].prefix(6).lazy.map({ $0 | 0x20 }).elementsEqual("select".utf8) { return false }
        }
        return true
    }

    private static let isOperator: [Bool] = {
        var table = [Bool](repeating: false, count: 256)
        for byte in "~!@#^&|`?+-*/%<>=".utf8 { table[Int(byte)] = true }
        return table
    }()
}
