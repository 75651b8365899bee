/// The tags of a sqlcommenter comment (google.github.io/sqlcommenter/spec): `/*key='value',key2='value2'*/` at the end of a
/// statement, keys and values percent-encoded, quotes in values escaped by a backslash.
enum CommentTags {
    static func read(_ sql: UnsafeRawBufferPointer) -> [(key: String, value: String)] {
        var end = sql.count
        while end > 0, sql[end - 1] <= 0x20 || sql[end - 1] == UInt8(ascii: ";") { end -= 1 }
        guard end >= 4, sql[end - 1] == UInt8(ascii: "/"), sql[end - 2] == UInt8(ascii: "*") else { return [] }
        var start = end - 4
        while start >= 0, !(sql[start] == UInt8(ascii: "/") && sql[start + 1] == UInt8(ascii: "*")) { start -= 1 }
        guard start >= 0 else { return [] }
        var reader = Reader(bytes: UnsafeRawBufferPointer(rebasing: sql[start + 2..<end - 2]))
        return reader.pairs() ?? []
    }

    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        /// nil when the comment has another form.
        mutating func pairs() -> [(key: String, value: String)]? {
            var pairs: [(key: String, value: String)] = []
            repeat {
                skipBlank()
                guard let key = decoded(until: UInt8(ascii: "=")), !key.isEmpty, take(UInt8(ascii: "'")),
                    let value = decoded(until: UInt8(ascii: "'"))
                else { return nil }
                pairs.append((key, value))
                skipBlank()
            } while take(UInt8(ascii: ","))
            return position == bytes.count ? pairs : nil
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func skipBlank() {
            while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
        }

        mutating func decoded(until stop: UInt8) -> String? {
            var out: [UInt8] = []
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                if byte == stop { return String(decoding: out, as: UTF8.self) }
                if byte == UInt8(ascii: "\\"), position < bytes.count {
                    out.append(bytes[position])
                    position += 1
                } else if byte == UInt8(ascii: "%"), let value = hexPair() {
                    out.append(value)
                } else {
                    out.append(byte)
                }
            }
            return nil
        }

        mutating func hexPair() -> UInt8? {
            guard position + 1 < bytes.count, let high = digit(bytes[position]), let low = digit(bytes[position + 1])
            else { return nil }
            position += 2
            return high << 4 | low
        }

        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
    }
}
