/// The options of the protocol, each written `@key` or `@key=value` between id and text.
package enum OptionKey: UInt8, CaseIterable, Sendable {
    case app, salt, using, route, pool, lag, after, token, wait, ro, timeout, iso, tag, tp, session, resolve, conn, key

    /// The name on the wire, without "@".
    package var name: StaticString {
        switch self {
        case .app: "app"
        case .salt: "salt"
        case .using: "using"
        case .route: "route"
        case .pool: "pool"
        case .lag: "lag"
        case .after: "after"
        case .token: "token"
        case .wait: "wait"
        case .ro: "ro"
        case .timeout: "timeout"
        case .iso: "iso"
        case .tag: "tag"
        case .tp: "tp"
        case .session: "session"
        case .resolve: "resolve"
        case .conn: "conn"
        case .key: "key"
        }
    }

    /// What may stand behind "=".
    package enum Value: Sendable {
        /// Nothing, not even "=".
        case none
        /// 1 to 64 visible ASCII characters.
        case text
        /// 1 to 16 characters of an id, since ids will start with them.
        case salt
        /// Decimal milliseconds in this range.
        case milliseconds(ClosedRange<Int32>)
        /// `primary` or `standby`.
        case role
        /// `rc`, `rr` or `ser`.
        case isolation
        /// Decimal, 1 to 2^64 - 1.
        case connection
        /// 1 to 16 hexadecimal digits.
        case hexadecimal
    }

    /// A day. Longer is a mistake of the unit: what may take longer needs no limit from the client.
    package static let longestMilliseconds: Int32 = 86_400_000

    package var value: Value {
        switch self {
        case .token, .ro, .resolve: .none
        case .app, .using, .pool, .after, .tag, .tp, .session: .text
        case .salt: .salt
        case .lag, .wait: .milliseconds(0...Self.longestMilliseconds)
        // 0 would read as "none" to some and as "at once" to others.
        case .timeout: .milliseconds(1...Self.longestMilliseconds)
        case .route: .role
        case .iso: .isolation
        case .conn: .connection
        case .key: .hexadecimal
        }
    }

    init?(_ name: PackedName) {
        switch name.low {
        case PackedName.constant("app"): self = .app
        case PackedName.constant("salt"): self = .salt
        case PackedName.constant("using"): self = .using
        case PackedName.constant("route"): self = .route
        case PackedName.constant("pool"): self = .pool
        case PackedName.constant("lag"): self = .lag
        case PackedName.constant("after"): self = .after
        case PackedName.constant("token"): self = .token
        case PackedName.constant("wait"): self = .wait
        case PackedName.constant("ro"): self = .ro
        case PackedName.constant("timeout"): self = .timeout
        case PackedName.constant("iso"): self = .iso
        case PackedName.constant("tag"): self = .tag
        case PackedName.constant("tp"): self = .tp
        case PackedName.constant("session"): self = .session
        case PackedName.constant("resolve"): self = .resolve
        case PackedName.constant("conn"): self = .conn
        case PackedName.constant("key"): self = .key
        default: return nil
        }
        guard name.high == 0 else { return nil }
    }
}

/// A set of options.
package struct OptionKeys: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package init(_ key: OptionKey) {
        rawValue = 1 << UInt32(key.rawValue)
    }

    package static let app = OptionKeys(.app)
    package static let salt = OptionKeys(.salt)
    package static let using = OptionKeys(.using)
    package static let route = OptionKeys(.route)
    package static let pool = OptionKeys(.pool)
    package static let lag = OptionKeys(.lag)
    package static let after = OptionKeys(.after)
    package static let token = OptionKeys(.token)
    package static let wait = OptionKeys(.wait)
    package static let ro = OptionKeys(.ro)
    package static let timeout = OptionKeys(.timeout)
    package static let iso = OptionKeys(.iso)
    package static let tag = OptionKeys(.tag)
    package static let tp = OptionKeys(.tp)
    package static let session = OptionKeys(.session)
    package static let resolve = OptionKeys(.resolve)
    package static let conn = OptionKeys(.conn)
    package static let key = OptionKeys(.key)

    /// What Q and ROUTE take alike, so that a client can ask about any Q by changing one word.
    package static let ofStatements: OptionKeys = [
        .using, .route, .pool, .lag, .after, .token, .wait, .ro, .timeout, .tag, .tp, .session, .resolve,
    ]
}

/// The options of one request, decoded. A field means something only when `present` holds its key.
package struct RequestOptions: Sendable {
    package enum Role: UInt8, Sendable { case primary, standby }
    package enum Isolation: UInt8, Sendable { case readCommitted, repeatableRead, serializable }

    package internal(set) var present: OptionKeys = []
    /// `@lag`: accept data at most this old. 0 to a day.
    package internal(set) var lagMilliseconds: Int32 = 0
    /// `@wait`: how long a standby may take to catch up. 0 to a day.
    package internal(set) var waitMilliseconds: Int32 = 0
    /// `@timeout`: 1 to a day.
    package internal(set) var timeoutMilliseconds: Int32 = 0
    /// `@route`.
    package internal(set) var role = Role.primary
    /// `@iso`.
    package internal(set) var isolation = Isolation.readCommitted
    /// `@conn` of CANCEL.
    package internal(set) var connectionNumber: UInt64 = 0
    /// `@key` of CANCEL.
    package internal(set) var cancelKey: UInt64 = 0

    /// Each is followed by a NUL in the line, as every field is.
    package var using: ByteRange { usingSpan.range }
    package var pool: ByteRange { poolSpan.range }
    package var tag: ByteRange { tagSpan.range }
    package var traceparent: ByteRange { traceparentSpan.range }
    package var session: ByteRange { sessionSpan.range }
    package var app: ByteRange { appSpan.range }
    package var salt: ByteRange { saltSpan.range }

    var usingSpan = ShortSpan()
    var poolSpan = ShortSpan()
    var tagSpan = ShortSpan()
    var traceparentSpan = ShortSpan()
    var sessionSpan = ShortSpan()
    var appSpan = ShortSpan()
    var saltSpan = ShortSpan()
    /// From the first option's "@" to the end of the last one.
    var region = ByteRange.empty

    /// Every `@after` in the order given; the bytes are the token.
    package func forEachAfter(in line: UnsafeRawPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        guard present.contains(.after) else { return }
        let bytes = region.bytes(in: line)
        let prefix = "@after=" as StaticString
        var start = 0
        while start < bytes.count {
            // Between options stand spaces, or the NUL that ended the one before.
            guard ASCII.isVisible(bytes[start]) else {
                start += 1
                continue
            }
            var end = start
            while end < bytes.count, ASCII.isVisible(bytes[end]) { end += 1 }
            let option = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if option.starts(with: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)) {
                body(UnsafeRawBufferPointer(rebasing: option[prefix.utf8CodeUnitCount...]))
            }
            start = end
        }
    }
}

/// A range of at most 64 bytes that starts in the first 16 MiB, in four bytes: a request of many options stays small.
struct ShortSpan: Sendable {
    private var packed: UInt32 = 0

    init() {}

    init(from start: Int, to end: Int) {
        packed = UInt32(truncatingIfNeeded: start) &<< 8 | UInt32(truncatingIfNeeded: end &- start) & 0xFF
    }

    var range: ByteRange {
        ByteRange(
            offset: Int32(truncatingIfNeeded: packed &>> 8), count: Int32(truncatingIfNeeded: packed & 0xFF))
    }
}
