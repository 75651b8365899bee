import Foundation
import Testing
import TestKit

@Suite(.onOwnThreads) struct Probe {
    @Test(arguments: 0..<8) func blocks(n: Int) throws {
        print("start", n, Thread.current, Thread.isMainThread)
        usleep(500_000)
    }
    @Test func clusterComesUp() throws {
        let c = try Cluster.shared()
        #expect(try c.value("select 1") == "1")
    }
}
