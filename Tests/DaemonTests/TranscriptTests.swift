import TestKit
import Testing

/// The conversations of the corpus, each fed whole, a group of requests at a time, and byte by byte.
@Suite(.serialized, .onOwnThreads, .timeLimit(.minutes(4)))
struct TranscriptTests {
    @Test(arguments: try Transcript.corpus(), Transcript.Feeding.allCases)
    func isAnsweredAsWritten(_ transcript: Transcript, _ feeding: Transcript.Feeding) throws {
        try transcript.play(feeding, on: try Shared.daemon().settings.appSocket, cluster: try Cluster.shared())
    }

    /// The player itself: a reply that is not as written must not pass.
    @Test(arguments: [
        "< C→1→PING→\\N→tx=T", "< C→2→PING→\\N", "< C→1→PONG→\\N", "< C→1→PING→0", "< D→1", "<END",
        "< C→1→PING→\\N→us=*",
    ])
    func aWrongExpectationFails(_ line: String) throws {
        let transcript = try Transcript(name: "wrong", text: "> PING 1\n\(line)")
        #expect(throws: TestFailure.self) {
            try transcript.play(.inTurn, on: try Shared.daemon().settings.appSocket, cluster: try Cluster.shared())
        }
    }
}
