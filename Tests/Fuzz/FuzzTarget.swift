import Glibc

// The fuzz target over the judgement: libFuzzer makes texts, JudgementInvariants says what must hold of each. deploy/fuzz
// builds it, with AddressSanitizer, and runs it.

private func say(_ line: String) {
    let bytes = Array("fuzz: \(line)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Everything that libFuzzer's calls share; they all come from its one thread.
private struct Target {
    let invariants: JudgementInvariants
    var slowest: UInt64 = 0
    var slowestText: [UInt8] = []

    /// CPU time in nanoseconds that one judgement may take: the 100 ms of a release build, five times over, which is what
    /// the sanitizer's memory costs the parser.
    static let limit: UInt64 = 500_000_000

    init() {
        do {
            invariants = try JudgementInvariants()
        } catch {
            say("the rules do not compile: \(error)")
            exit(1)
        }
        atexit { target.report() }
    }

    mutating func judge(_ text: UnsafeRawBufferPointer) {
        if let problem = invariants.broken(text) { fail(problem, text) }
        guard invariants.slowest > slowest else { return }
        slowest = invariants.slowest
        slowestText = Array(text)
        if slowest > Target.limit { fail("it took \(slowest / 1_000_000) ms", text) }
    }

    /// abort is what libFuzzer takes for a find.
    private func fail(_ problem: String, _ text: UnsafeRawBufferPointer) -> Never {
        say("\(problem), of this text:\n\(String(decoding: text, as: UTF8.self))")
        abort()
    }

    func report() {
        let text = String(decoding: slowestText.prefix(72), as: UTF8.self).map { $0.isNewline ? " " : $0 }
        say("slowest \(slowest / 1000) us of CPU, \(slowestText.count) bytes: \(String(text))")
    }
}

// libFuzzer calls from one thread only, which is the one that its main function runs on.
private nonisolated(unsafe) var target = Target()

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.judge(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

@_cdecl("LLVMFuzzerCustomMutator")
func mutate(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: CUnsignedInt) -> Int {
    var mutator = Mutator(UnsafeMutableRawBufferPointer(start: bytes, count: capacity), count: count, seed: seed)
    return mutator.mutate()
}
