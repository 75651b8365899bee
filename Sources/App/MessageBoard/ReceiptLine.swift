/// The line at the foot of a page: which server the page came from, and how long that took, in words.
package struct ReceiptLine: Hashable, Sendable {
    /// How old what was read may be.
    package enum Lag: Hashable, Sendable {
        case milliseconds(Int)
        /// It came from a standby while nobody knew where the primary was.
        case unknown
    }

    /// What a receipt says; every part may be missing.
    package struct Source: Hashable, Sendable {
        package var pool: String?
        package var node: String?
        package var microseconds: Int?
        package var lag: Lag?

        package init(pool: String?, node: String? = nil, microseconds: Int? = nil, lag: Lag? = nil) {
            self.pool = pool
            self.node = node
            self.microseconds = microseconds
            self.lag = lag
        }
    }

    package let text: String

    /// - Parameters:
    ///   - source: where the page's content was read.
    ///   - storedOn: the pool that stored the visitor's message just before, if one was stored.
    package init(read source: Source, storedOn: String? = nil) {
        var read = "read from \(Self.place(source.pool, source.node))"
        if let microseconds = source.microseconds { read += " in \(Self.milliseconds(microseconds)) ms" }
        switch source.lag {
        case .milliseconds(0): read += ", up to date"
        case .milliseconds(let milliseconds): read += ", \(milliseconds) ms behind"
        case .unknown: read += ", how far behind is not known"
        case nil: break
        }
        if let storedOn {
            // Whoever stored it has it; anybody else had to get it first.
            let waited = source.pool == storedOn ? "" : "waited for your message and was "
            text = "Stored on \(Self.place(storedOn, nil)); this page \(waited)\(read)."
        } else {
            text = read.prefix(1).uppercased() + read.dropFirst() + "."
        }
    }

    private static func place(_ pool: String?, _ node: String?) -> String {
        let place =
            switch pool {
            case nil: "the database"
            case "primary": "the primary"
            case let name?: name
            }
        guard let node else { return place }
        return "\(place) \(withoutPort(node))"
    }

    /// The port says nothing to a reader, and is the same on every standby behind PgBouncer.
    private static func withoutPort(_ node: String) -> Substring {
        guard let colon = node.utf8.lastIndex(of: UInt8(ascii: ":")) else { return node[...] }
        let port = node.utf8[node.utf8.index(after: colon)...]
        let isPort = !port.isEmpty && port.allSatisfy { (0x30...0x39).contains($0) }
        // "::1" alone is an address; an address with colons and a port is in brackets.
        let isAddress = node.utf8[..<colon].contains(UInt8(ascii: ":")) && !node.hasPrefix("[")
        return isPort && !isAddress ? node[..<colon] : node[...]
    }

    /// One digit behind the point, at least 0.1: "0.0 ms" reads like a mistake.
    static func milliseconds(_ microseconds: Int) -> String {
        let tenths = max(1, (microseconds + 50) / 100)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
