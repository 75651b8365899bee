/// The requests of one client that were read and not answered, in order. A ring that grows by doubling up to what the
/// machine lets in, and gives its memory back when it falls empty after a burst.
struct RequestRing {
    /// Most clients wait for each answer: one place is all that they need, and an idle one keeps no more.
    private static let smallest = 1

    private var slots: [ClientDriver.Pending?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// `offset` counts from the oldest request.
    subscript(offset: Int) -> ClientDriver.Pending {
        get {
            guard offset < count, let pending = slots[(head + offset) % slots.count] else {
                preconditionFailure("no request \(offset)")
            }
            return pending
        }
        set { slots[(head + offset) % slots.count] = newValue }
    }

    mutating func append(_ pending: ClientDriver.Pending) {
        if count == slots.count { grow() }
        slots[(head + count) % slots.count] = pending
        count += 1
    }

    mutating func removeFirst() -> ClientDriver.Pending {
        let first = self[0]
        slots[head] = nil
        head = (head + 1) % slots.count
        count -= 1
        if count == 0, slots.count > 64 {
            slots = []
            head = 0
        }
        return first
    }

    private mutating func grow() {
        var larger: [ClientDriver.Pending?] = []
        larger.reserveCapacity(max(slots.count * 2, Self.smallest))
        for offset in 0..<count { larger.append(self[offset]) }
        while larger.count < max(slots.count * 2, Self.smallest) { larger.append(nil) }
        slots = larger
        head = 0
    }
}
