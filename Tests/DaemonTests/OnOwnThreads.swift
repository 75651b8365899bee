import Foundation
import Synchronization
import TestKit
import Testing

/// Runs the tests of a suite on threads of their own.
///
/// These tests block: in `poll(2)`, in `waitpid(2)`. On Swift's shared pool, which has one thread a core, a few of them
/// would stop every other test; and most of their time is waiting, so more of them than cores can run side by side.
struct OnOwnThreads: SuiteTrait, TestTrait, TestScoping {
    /// The suite's trait wraps each test, not the suite as a whole.
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        try await withTaskExecutorPreference(ThreadExecutor.shared) {
            try await function()
        }
    }
}

extension Trait where Self == OnOwnThreads {
    static var onOwnThreads: Self { Self() }
}

/// A fixed number of threads that take jobs in order.
private final class ThreadExecutor: TaskExecutor {
    /// Four at a time: the servers under test run on the same cores.
    static let shared = ThreadExecutor(threads: 4)

    private struct Queue {
        var jobs: [UnownedJob] = []
    }

    private let queue = Mutex(Queue())
    private let filled = DispatchSemaphore(value: 0)

    private init(threads: Int) {
        for _ in 0..<threads {
            let thread = Thread { [self] in serve() }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.withLock { $0.jobs.append(job) }
        filled.signal()
    }

    private func serve() {
        while true {
            filled.wait()
            let job = queue.withLock { $0.jobs.removeFirst() }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
