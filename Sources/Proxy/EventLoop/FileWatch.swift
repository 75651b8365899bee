import CLibEvent
import Glibc

/// Says when a descriptor can be read or written, as long as that is wanted (level-triggered).
///
/// Reading is asked for by `wantsRead`, writing by `wantsWrite`; both start as false. The watch does not own the
/// descriptor: cancel the watch first, then close the descriptor. End of file and errors count as readable and writable.
package final class FileWatch {
    private let loop: EventLoop
    private let fileDescriptor: Int32
    private var onReadable: (() -> Void)?
    private var onWritable: (() -> Void)?
    private var readEvent: OpaquePointer?
    private var writeEvent: OpaquePointer?
    private var isReading = false
    private var isWriting = false
    private var isCancelled = false

    package init(
        loop: EventLoop, fileDescriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
    ) {
        self.loop = loop
        self.fileDescriptor = fileDescriptor
        self.onReadable = onReadable
        self.onWritable = onWritable
    }

    deinit {
        freeEvents()
    }

    /// Whether `onReadable` shall be called. Setting it to what it is costs nothing; a cancelled watch ignores it.
    package var wantsRead: Bool {
        get { isReading }
        set {
            guard newValue != isReading, !isCancelled else { return }
            isReading = newValue
            change(&readEvent, to: newValue, what: Int16(POINTSMAN_EVENT_READ)) { _, _, context in
                FileWatch.from(context).onReadable?()
            }
        }
    }

    /// Whether `onWritable` shall be called. Setting it to what it is costs nothing; a cancelled watch ignores it.
    package var wantsWrite: Bool {
        get { isWriting }
        set {
            guard newValue != isWriting, !isCancelled else { return }
            isWriting = newValue
            change(&writeEvent, to: newValue, what: Int16(POINTSMAN_EVENT_WRITE)) { _, _, context in
                FileWatch.from(context).onWritable?()
            }
        }
    }

    /// Ends the watch for good: no callback comes after this, and what the callbacks hold is released. May be called
    /// from within a callback and more than once.
    package func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        isReading = false
        isWriting = false
        freeEvents()
        onReadable = nil
        onWritable = nil
    }

    private func change(
        _ event: inout OpaquePointer?, to wanted: Bool, what: Int16, callback: @escaping pointsman_event_callback
    ) {
        if event == nil {
            // An event is made when first wanted: most descriptors never wait to be written, and it is 128 bytes.
            let context = Unmanaged.passUnretained(self).toOpaque()
            event = pointsman_event_create(loop.base, fileDescriptor, what, callback, context)
        }
        guard let event, (wanted ? pointsman_event_add(event) : pointsman_event_remove(event)) == 0 else {
            // A wrong descriptor is a fault of ours; else the kernel has no memory left for this watch.
            fatalError("cannot watch descriptor \(fileDescriptor): \(String(cString: strerror(errno)))")
        }
    }

    private func freeEvents() {
        if let event = readEvent { pointsman_event_free(event) }
        if let event = writeEvent { pointsman_event_free(event) }
        readEvent = nil
        writeEvent = nil
    }

    /// The watch of a callback, held for as long as the callback runs: it may drop the last other reference.
    private static func from(_ context: UnsafeMutableRawPointer?) -> FileWatch {
        guard let context else { fatalError("an event without its watch") }
        return Unmanaged<FileWatch>.fromOpaque(context).takeUnretainedValue()
    }
}
