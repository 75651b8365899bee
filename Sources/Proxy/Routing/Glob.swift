import Glibc

/// A pattern over names: `*` stands for any run of characters, `?` for one byte. Case counts: names arrive folded.
struct Glob: Sendable, Equatable {
    private let pattern: [UInt8]
    /// How many bytes come before the first wildcard; all of them when there is none.
    private let literalCount: Int

    init(_ pattern: some StringProtocol) {
        self.pattern = Array(pattern.utf8)
        literalCount =
            self.pattern.firstIndex { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") } ?? self.pattern.count
    }

    var hasWildcard: Bool { literalCount < pattern.count }

    /// Which NameBits a matching name can have.
    var possibleBits: NameBits {
        if literalCount >= 2 || literalCount == pattern.count { return NameBits(of: pattern) }
        return .all
    }

    func matches(_ name: [UInt8]) -> Bool { name.withUnsafeBytes { matches($0) } }

    /// Time is bounded by the product of the lengths; PostgreSQL's names have at most 63 bytes.
    func matches(_ name: UnsafeRawBufferPointer) -> Bool {
        guard name.count >= literalCount else { return false }
        return pattern.withUnsafeBytes { pattern in
            if literalCount > 0, let one = name.baseAddress, let other = pattern.baseAddress,
                memcmp(one, other, literalCount) != 0
            {
                return false
            }
            if literalCount == pattern.count { return name.count == literalCount }
            return Glob.matchesWild(name, pattern, from: literalCount)
        }
    }

    /// Whether every name that `other` matches is matched by this one too. False also in a few cases where it is true but
    /// hard to see (`*?` and `?*`).
    func covers(_ other: Glob) -> Bool {
        guard other.literalCount >= literalCount, pattern[..<literalCount] == other.pattern[..<literalCount] else {
            return false
        }
        return pattern.withUnsafeBytes { pattern in
            other.pattern.withUnsafeBytes { Glob.matchesWild($0, pattern, from: literalCount, nameIsPattern: true) }
        }
    }

    /// With `nameIsPattern` a `*` in the name stands for any run, so that only a `*` of the pattern takes it.
    private static func matchesWild(
        _ name: UnsafeRawBufferPointer, _ pattern: UnsafeRawBufferPointer, from start: Int, nameIsPattern: Bool = false
    ) -> Bool {
        var at = start
        var index = start
        var star = -1
        var retry = 0
        while at < name.count {
            if index < pattern.count, pattern[index] == UInt8(ascii: "*") {
                star = index
                retry = at
                index += 1
            } else if index < pattern.count,
                pattern[index] == name[at]
                    || (pattern[index] == UInt8(ascii: "?") && !(nameIsPattern && name[at] == UInt8(ascii: "*")))
            {
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
    let schema: Glob?
    let name: Glob

    init(_ pattern: String) {
        if let dot = pattern.utf8.firstIndex(of: UInt8(ascii: ".")) {
            schema = Glob(pattern[..<dot])
            name = Glob(pattern[pattern.utf8.index(after: dot)...])
        } else {
            schema = nil
            name = Glob(pattern)
        }
    }

    var possibleBits: NameBits { name.possibleBits }

    func matches(_ written: NameBytes) -> Bool {
        guard name.matches(written.name) else { return false }
        return schema?.matches(written.assumedSchema) ?? true
    }
}

/// A table's or function's name, laid out for matching.
struct NameBytes {
    let name: [UInt8]
    /// The schema as written, else the one that the name is most likely found in: PostgreSQL looks into pg_catalog first,
    /// whose tables begin with `pg_`, and by default into public next.
    let assumedSchema: [UInt8]
    let hasSchema: Bool

    init(_ written: QualifiedName) {
        name = Array(written.name.utf8)
        hasSchema = !written.schema.isEmpty
        let schema = hasSchema ? written.schema : written.name.hasPrefix("pg_") ? "pg_catalog" : "public"
        assumedSchema = Array(schema.utf8)
    }
}

/// All names of a statement, laid out once for matching it against many rules.
struct StatementNames {
    let tables: [NameBytes]
    let functions: [NameBytes]
    let schemas: [[UInt8]]
    let tableBits: NameBits
    let functionBits: NameBits

    init(_ statement: Statement) {
        tables = statement.tables.map(NameBytes.init)
        functions = statement.functions.map(NameBytes.init)
        tableBits = tables.reduce(into: NameBits.none) { $0.formUnion(NameBits(of: $1.name)) }
        functionBits = functions.reduce(into: NameBits.none) { $0.formUnion(NameBits(of: $1.name)) }
        schemas = statement.schemas.map { Array($0.utf8) }
    }
}

/// A set of names by their first two bytes, in 64 bits: it may say yes wrongly, never no. Passing over a rule that cannot
/// match then costs a few instructions and touches no list.
struct NameBits: Sendable, Equatable {
    private var bits: UInt64
    static let none = NameBits(bits: 0)
    static let all = NameBits(bits: .max)

    private init(bits: UInt64) { self.bits = bits }

    init(of name: [UInt8]) {
        let first = name.isEmpty ? 0 : UInt32(name[0])
        let second = name.count < 2 ? 0 : UInt32(name[1])
        bits = 1 << UInt64((first &* 31 &+ second) & 63)
    }

    mutating func formUnion(_ other: NameBits) { bits |= other.bits }
    func intersects(_ other: NameBits) -> Bool { bits & other.bits != 0 }
}
