/// The fields of an `application/x-www-form-urlencoded` body (URL Standard, section 5.1), read strictly.
///
/// A body that is not well-formed is refused whole. Repairing it would store something that nobody typed.
package struct FormBody: Hashable, Sendable {
    package enum Problem: Error, Hashable, Sendable {
        case badEscape
        case invalidUTF8
        /// A form of ours names each field once.
        case repeatedField
        case tooManyFields
    }

    private static let maximumFields = 16
    private var fields: [String: String] = [:]

    package init(_ body: some Collection<UInt8>) throws(Problem) {
        for pair in body.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            let value = pair.dropFirst(name.count + 1)
            guard fields.count < Self.maximumFields else { throw .tooManyFields }
            guard fields.updateValue(try Self.decoded(value), forKey: try Self.decoded(name)) == nil else {
                throw .repeatedField
            }
        }
    }

    package subscript(name: String) -> String? { fields[name] }

    private static func decoded(_ bytes: some Collection<UInt8>) throws(Problem) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var rest = bytes.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "+"): decoded.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(hexadecimal), let low = rest.next().flatMap(hexadecimal) else {
                    throw .badEscape
                }
                decoded.append(high << 4 | low)
            default: decoded.append(byte)
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .invalidUTF8 }
        return text
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}
