import Glibc

/// Reads what allocations.c counts inside the daemon.
struct AllocationCounts: ~Copyable {
    // The layout of `struct counts` in allocations.c.
    private static let ownerLimit = 64
    private static let nameBytes = 56
    private static let ownerBytes = nameBytes + 8
    private static let size = 8 + ownerLimit * ownerBytes

    private let memory: UnsafeMutableRawPointer

    init(file path: String) throws(BenchError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .system("open \(path)") }
        defer { close(file) }
        guard let memory = mmap(nil, Self.size, PROT_READ, MAP_SHARED, file, 0), memory != MAP_FAILED else {
            throw .system("mmap \(path)")
        }
        self.memory = memory
    }

    deinit {
        munmap(memory, Self.size)
    }

    /// Allocations until now, by the name of the object that asked for them.
    func current() -> [String: UInt64] {
        let count = min(Int(memory.load(as: UInt64.self)), Self.ownerLimit)
        var result: [String: UInt64] = [:]
        for index in 0..<count {
            let owner = memory + 8 + index * Self.ownerBytes
            let bytes = UnsafeRawBufferPointer(start: owner, count: Self.nameBytes).prefix { $0 != 0 }
            result[String(decoding: bytes, as: UTF8.self), default: 0] += owner.load(
                fromByteOffset: Self.nameBytes, as: UInt64.self)
        }
        return result
    }
}
