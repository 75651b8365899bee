import Glibc

/// A keyed hash of 64 bits in the manner of wyhash (github.com/wangyi-fudan/wyhash): eight bytes a step, folded by a full
/// multiplication. Not for secrets; the random key keeps clients from choosing texts that collide.
@inline(__always)
func textHash(_ text: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    let secret: (UInt64, UInt64) = (0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db)
    var state = seed ^ secret.0
    guard let base = text.baseAddress else { return mix(state, secret.1) }
    let count = text.count
    var offset = 0
    while offset + 16 <= count {
        let one = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let two = base.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
        state = mix(one ^ secret.1, two ^ state)
        offset += 16
    }
    var tail: (UInt64, UInt64) = (0, 0)
    let left = count - offset
    if count >= 16 {
        // The last 16 bytes again, whole: no loop over a tail.
        tail.0 = base.loadUnaligned(fromByteOffset: count - 16, as: UInt64.self)
        tail.1 = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    } else if left > 0 {
        for index in 0..<min(left, 8) { tail.0 |= UInt64(text[offset + index]) << UInt64(8 * index) }
        if left > 8 { for index in 8..<left { tail.1 |= UInt64(text[offset + index]) << UInt64(8 * (index - 8)) } }
    }
    return mix(tail.0 ^ secret.0 ^ UInt64(count), mix(tail.1 ^ secret.1, state))
}

@inline(__always)
private func mix(_ one: UInt64, _ two: UInt64) -> UInt64 {
    let product = one.multipliedFullWidth(by: two)
    return product.high ^ product.low
}

@inline(__always)
func sameBytes(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    guard one.count == other.count else { return false }
    guard let first = one.baseAddress, let second = other.baseAddress else { return true }
    return memcmp(first, second, one.count) == 0
}
