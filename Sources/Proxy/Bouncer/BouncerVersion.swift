/// A PgBouncer's version, as `SHOW VERSION` says it: `PgBouncer 1.18.0`.
package struct BouncerVersion: Sendable, Equatable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Nil when there is no `N.N` in the text; what stands behind the second number (`.0`, `dev`, `rc1`) is left out.
    package init?(_ text: String) {
        for word in text.split(separator: " ") {
            let parts = word.split(separator: ".")
            guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }) else {
                continue
            }
            self.init(major, minor)
            return
        }
        return nil
    }

    package static func < (left: BouncerVersion, right: BouncerVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    package var description: String { "\(major).\(minor)" }
}
