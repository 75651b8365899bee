/// A pattern over names: `*` stands for any run of characters, `?` for one byte. Case counts: names arrive folded.
struct Glob: Sendable, Equatable {
    private let pattern: [UInt8]
    private let isLiteral: Bool

    init(_ pattern: String) {
        self.pattern = Array(pattern.utf8)
        isLiteral = !self.pattern.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    func matches(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    /// Time is bounded by the product of the lengths; PostgreSQL's names have at most 63 bytes.
    func matches(_ name: UnsafeRawBufferPointer) -> Bool {
        if isLiteral { return name.count == pattern.count && name.elementsEqual(pattern) }
        var at = 0
        var index = 0
        var star = -1
        var retry = 0
        while at < name.count {
            if index < pattern.count, pattern[index] == UInt8(ascii: "*") {
                star = index
                retry = at
                index += 1
            } else if index < pattern.count, pattern[index] == UInt8(ascii: "?") || pattern[index] == name[at] {
                index += 1
                at += 1
            } else if star >= 0 {
                index = star + 1
                retry += 1
                at = retry
            } else {
                return false
            }
        }
        while index < pattern.count, pattern[index] == UInt8(ascii: "*") { index += 1 }
        return index == pattern.count
    }
}

/// A glob over a name with its schema: with a dot it is `schema.name`, without one any schema will do.
struct NameGlob: Sendable, Equatable {
    private let schema: Glob?
    private let name: Glob

    init(_ pattern: String) {
        if let dot = pattern.utf8.firstIndex(of: UInt8(ascii: ".")) {
            schema = Glob(String(pattern[..<dot]))
            name = Glob(String(pattern[pattern.utf8.index(after: dot)...]))
        } else {
            schema = nil
            name = Glob(pattern)
        }
    }

    func matches(_ qualified: QualifiedName) -> Bool {
        guard name.matches(qualified.name) else { return false }
        return schema?.matches(qualified.assumedSchema) ?? true
    }
}

extension QualifiedName {
    /// The schema as written, else the one that the name is most likely found in: PostgreSQL looks into pg_catalog first,
    /// whose tables begin with `pg_`, and by default into public next.
    var assumedSchema: String {
        if !schema.isEmpty { return schema }
        return name.hasPrefix("pg_") ? "pg_catalog" : "public"
    }
}
