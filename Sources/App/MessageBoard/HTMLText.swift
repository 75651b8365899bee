/// Text made harmless inside HTML: between tags and inside a quoted attribute.
package enum HTMLText {
    /// Escapes by bytes, as an HTML parser reads them.
    ///
    /// By characters would be wrong: to Swift "<" and a combining mark behind it, or U+0600 before it, are one
    /// character that is not "<", while a browser sees the "<" and opens a tag.
    package static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
            case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
            case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
            case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
            case UInt8(ascii: "'"): bytes.append(contentsOf: "&#39;".utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
