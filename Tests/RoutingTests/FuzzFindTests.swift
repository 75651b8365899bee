import Foundation
import Testing

/// Every text of Tests/Corpus/fuzz, as the fuzz target (deploy/fuzz) judges it.
@Suite struct FuzzFindTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Corpus/fuzz")

    private static let finds: [String] =
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.filter { $0.hasSuffix(".sql") }.sorted()
        ?? []

    @Test func thereAreSome() { #expect(Self.finds.count > 20) }

    @Test(arguments: finds) func holds(_ name: String) throws {
        let text = try Data(contentsOf: Self.folder.appending(path: name))
        let invariants = try JudgementInvariants()
        #expect(text.withUnsafeBytes { invariants.broken($0) } == nil)
    }

    /// The statements of the corpus are held to the same.
    @Test func holdForTheCorpus() throws {
        let invariants = try JudgementInvariants()
        for line in CorpusLine.all {
            #expect(withBytes(line.sql) { invariants.broken($0) } == nil, "\(line.testDescription)")
        }
    }
}
