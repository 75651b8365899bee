import Foundation
import Synchronization

/// Runs the work once for each index at the same time, each on a thread of its own.
///
/// - Throws: the first error.
package func concurrently(_ count: Int, _ work: @escaping @Sendable (Int) throws -> Void) throws {
    let errors = Mutex<[any Error]>([])
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        let thread = Thread {
            do {
                try work(index)
            } catch {
                errors.withLock { $0.append(error) }
            }
            group.leave()
        }
        thread.stackSize = 4 << 20
        thread.start()
    }
    group.wait()
    if let error = errors.withLock({ $0.first }) { throw error }
}
