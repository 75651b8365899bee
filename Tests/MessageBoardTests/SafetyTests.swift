import Testing

@testable import MessageBoard

@Suite struct SafetyTests {
    @Test(arguments: [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onx='1'", "&quot; onx=&#39;1&#39;"),
        ("&amp;", "&amp;amp;"), ("a\nb 🎉 é", "a\nb 🎉 é"), ("", ""),
        // One Character each to Swift.
        ("\u{600}<script>", "\u{600}&lt;script&gt;"),
        ("\"\u{301}x", "&quot;\u{301}x"), ("'\u{FE0F}x", "&#39;\u{FE0F}x"),
        ("<\u{200D}b>", "&lt;\u{200D}b&gt;"),
    ])
    func textIsHarmlessInsideHTML(text: String, html: String) {
        #expect(Array(HTMLText.escaped(text).utf8) == Array(html.utf8))
    }

    struct Sent: Sendable {
        var site: String?
        var origin: String?
        var host: String? = "board.example:8080"
        var own: String?
        var token = false
    }

    @Test(arguments: [
        (Sent(site: "same-origin"), true), (Sent(site: "none"), true), (Sent(site: "cross-site", token: true), false),
        (Sent(site: "same-site", token: true), false), (Sent(site: "", token: true), false),
        (Sent(site: "cross-site", origin: "http://board.example:8080", token: true), false),
        (Sent(origin: "http://board.example:8080"), true), (Sent(origin: "https://board.example:8080"), true),
        (Sent(origin: "http://BOARD.example:8080"), true), (Sent(origin: "http://evil.example", token: true), false),
        (Sent(origin: "http://evil.example/board.example:8080", token: true), false),
        (Sent(origin: "http://board.example", token: true), false), (Sent(origin: "null", token: true), false),
        (Sent(origin: "board.example:8080", token: true), false),
        (Sent(origin: "http://", host: "", token: true), false), (Sent(origin: "http://", host: nil), false),
        (Sent(origin: "https://board.example", host: "10.0.0.7", own: "https://board.example"), true),
        (Sent(origin: "http://board.example", host: "board.example", own: "https://board.example"), false),
        (Sent(token: true), true), (Sent(token: false), false),
    ])
    func onlyOurOwnFormsAreTaken(sent: Sent, isAllowed: Bool) {
        let check = CrossSiteCheck(
            fetchSite: sent.site, origin: sent.origin, host: sent.host, publicOrigin: sent.own,
            hasGoodToken: sent.token)
        #expect(check.isAllowed == isAllowed)
    }
}
