import Glibc

/// Why a connection cannot be used though the server took it, or why none can be made.
package enum UpstreamError: Error, Equatable, CustomStringConvertible {
    /// libpq would not do it; its own words.
    case libpq(String)
    /// `version` is libpq's number for it, 150004 for 15.4.
    case serverTooOld(version: Int32, oldest: Int32)
    /// A parameter of the session that this daemon relies on. `found` is nil when the server did not tell it.
    case parameter(name: String, wanted: String, found: String?)
    /// The process has no descriptor left; the error number.
    case noDescriptor(Int32)

    package var description: String {
        switch self {
        case .libpq(let message): message
        case .serverTooOld(let version, let oldest):
            "server version \(version / 10000) is too old, \(oldest / 10000) is the oldest that works"
        case .parameter(let name, let wanted, let found):
            "\(name) must be \(wanted), the server says \(found.map { "\"\($0)\"" } ?? "nothing about it")"
        case .noDescriptor(let number): String(cString: strerror(number))
        }
    }
}
