import CLibEvent
import Glibc

/// A thread of the operating system with a stack of a chosen size. The loops run on such threads, because parsing SQL
/// needs more stack than a default thread has.
package struct Thread: ~Copyable {
    private let handle: pthread_t

    /// Starts `body` on a thread of its own.
    /// - Parameters:
    ///   - name: shown by `top -H` and debuggers; the kernel keeps 15 bytes.
    ///   - stackSize: in bytes, a multiple of 4096, at least 16 KiB. Only what is touched costs memory.
    ///   - body: runs once on the new thread.
    /// - Throws: when the stack size is wrong or the system has no thread left.
    package init(name: String, stackSize: Int, _ body: @escaping @Sendable () -> Void) throws(EventLoopError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        let sized = pthread_attr_setstacksize(&attributes, stackSize)
        guard sized == 0 else { throw EventLoopError(operation: "stack of \(stackSize) bytes", number: sized) }
        let work = Unmanaged.passRetained(ThreadWork(name: name, body: body))
        var handle = pthread_t()
        let created = pthread_create(&handle, &attributes, { runThread($0) }, work.toOpaque())
        guard created == 0 else {
            work.release()
            throw EventLoopError(operation: "pthread_create", number: created)
        }
        self.handle = handle
    }

    /// Waits until the body has returned. Every thread is joined once.
    package consuming func join() {
        pthread_join(handle, nil)
    }

    /// Runs `body` on a thread of its own and waits for it.
    package static func run(
        name: String = "loop", stackSize: Int, _ body: @escaping @Sendable () -> Void
    ) throws(EventLoopError) {
        try Thread(name: name, stackSize: stackSize, body).join()
    }
}

private final class ThreadWork {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let work = Unmanaged<ThreadWork>.fromOpaque(context).takeRetainedValue()
    pointsman_name_thread(work.name)
    work.body()
    return nil
}
