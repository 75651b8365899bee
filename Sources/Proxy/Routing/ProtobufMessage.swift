// Reading protobuf's wire format where it lies: nothing is copied, nothing recurses.

/// One field as it lies in the bytes.
struct ProtobufField {
    var number: UInt32
    /// The value of a varint field; 0 for the others.
    var value: UInt64
    /// The bytes of a string or of a message; empty for the others.
    var bytes: UnsafeRawBufferPointer
}

/// Goes through the fields of one message. The bytes come from the parser in this process; the bounds are checked all the
/// same, and bytes that make no sense end the walk.
struct ProtobufReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private(set) var isMalformed = false

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func next() -> ProtobufField? {
        guard position < bytes.count, let key = varint() else { return nil }
        var field = ProtobufField(
            number: UInt32(truncatingIfNeeded: key >> 3), value: 0, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        switch key & 7 {
        case 0:
            guard let value = varint() else { return nil }
            field.value = value
        case 1: advance(8)
        case 2:
            guard let count = varint(), count <= UInt64(bytes.count - position) else {
                isMalformed = true
                return nil
            }
            field.bytes = UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(count)])
            position += Int(count)
        case 5: advance(4)
        default: isMalformed = true
        }
        return isMalformed ? nil : field
    }

    private mutating func advance(_ count: Int) {
        if count <= bytes.count - position { position += count } else { isMalformed = true }
    }

    @inline(__always)
    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        isMalformed = true
        return nil
    }
}

/// One message by its bytes, for a look at a few of its fields.
struct ProtobufMessage {
    let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The last occurrence counts, as protobuf has it.
    func field(_ number: UInt32) -> ProtobufField? {
        var reader = ProtobufReader(bytes)
        var found: ProtobufField?
        while let field = reader.next() {
            if field.number == number { found = field }
        }
        return found
    }

    func message(_ number: UInt32) -> ProtobufMessage? { field(number).map { ProtobufMessage($0.bytes) } }

    /// Empty when absent, as protobuf has it.
    func string(_ number: UInt32) -> String { field(number).map { String(decoding: $0.bytes, as: UTF8.self) } ?? "" }

    /// 0 when absent.
    func number(_ number: UInt32) -> UInt64 { field(number)?.value ?? 0 }

    func flag(_ number: UInt32) -> Bool { self.number(number) != 0 }

    func forEach(_ number: UInt32, _ body: (ProtobufMessage) -> Void) {
        var reader = ProtobufReader(bytes)
        while let field = reader.next() {
            if field.number == number { body(ProtobufMessage(field.bytes)) }
        }
    }

    /// Of a Node: which node it is, and that node.
    var content: ProtobufField? {
        var reader = ProtobufReader(bytes)
        return reader.next()
    }
}
