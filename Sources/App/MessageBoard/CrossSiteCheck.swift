/// Whether a form may have been sent by another site's page in the visitor's name (cross-site request forgery).
///
/// There are no sessions, so nothing of the visitor's can be stolen by it, but the board could be filled by the
/// visitors of another site. The browser's own word counts first; a token that our page carried counts where an old
/// browser says nothing.
package struct CrossSiteCheck: Hashable, Sendable {
    /// What the browser said.
    package var fetchSite: String?
    package var origin: String?
    /// What the visitor's address bar shows, as far as this server knows it: `Host`, or the configured origin.
    package var host: String?
    package var publicOrigin: String?
    /// Whether the form's token is one that this server gave out not long ago.
    package var hasGoodToken: Bool

    package init(
        fetchSite: String?, origin: String?, host: String?, publicOrigin: String? = nil, hasGoodToken: Bool
    ) {
        self.fetchSite = fetchSite
        self.origin = origin
        self.host = host
        self.publicOrigin = publicOrigin
        self.hasGoodToken = hasGoodToken
    }

    package var isAllowed: Bool {
        // Set by the browser alone, a page's scripts cannot (Fetch Metadata). "none": the visitor's own doing.
        if let fetchSite { return fetchSite == "same-origin" || fetchSite == "none" }
        if let origin { return isOwn(origin) }
        return hasGoodToken
    }

    private func isOwn(_ origin: String) -> Bool {
        if let publicOrigin { return origin.lowercased() == publicOrigin.lowercased() }
        guard let host, !host.isEmpty else { return false }
        // The scheme is left out: behind a proxy that ends TLS this server does not know it.
        return ["http://", "https://"].contains { origin.lowercased() == $0 + host.lowercased() }
    }
}
