import Hummingbird
import PointsmanClient

/// Says, signed and for a short time, that this browser has just left a message, and what a page must see to show it.
struct PostedCookie: Sendable {
    struct Posted: Hashable, Sendable {
        /// Which pool stored it; nil where that is not known.
        var pool: String?
        /// nil when the daemon could give none: then only the primary is sure to have the message.
        var token: CommitToken?

        var freshness: Freshness { token.map { .after($0) } ?? .primary }
    }

    enum Reading: Hashable, Sendable {
        case absent
        /// Not ours, or its time is over: the browser is told to forget it.
        case worthless
        case posted(Posted)

        var posted: Posted? {
            if case .posted(let posted) = self { posted } else { nil }
        }
    }

    /// Standbys are rarely this far behind. A token lives on for ever, but this one says "just".
    private static let seconds = 60
    /// A token and a pool's name, encoded and signed, take 226 at most. Longer is nobody's but a stranger's, and not
    /// worth the arithmetic.
    private static let maximumLength = 256

    let signer: Signer
    let isSecure: Bool

    /// `__Host-` binds it to this host alone, and browsers take it only over TLS.
    private var name: String { isSecure ? "__Host-posted" : "posted" }

    func make(_ posted: Posted) -> Cookie {
        // Neither a token nor a pool's name has a space.
        let content = "\(posted.token?.rawValue ?? "") \(posted.pool ?? "")"
        return cookie(signer.signed(content, for: .posted, seconds: Self.seconds), seconds: Self.seconds)
    }

    /// What makes a browser forget it.
    var removal: Cookie { cookie("", seconds: 0) }

    func read(_ request: Request) -> Reading {
        guard let value = request.cookies[name]?.value else { return .absent }
        guard value.utf8.count <= Self.maximumLength, let content = signer.content(value, for: .posted) else {
            return .worthless
        }
        let parts = content.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { return .worthless }
        return .posted(Posted(pool: parts[1].isEmpty ? nil : parts[1], token: CommitToken(rawValue: parts[0])))
    }

    private func cookie(_ value: String, seconds: Int) -> Cookie {
        Cookie(
            name: name, value: value, maxAge: seconds, path: "/", secure: isSecure, httpOnly: true, sameSite: .lax)
    }
}
