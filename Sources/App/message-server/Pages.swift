import MessageBoard
import Mustache

/// The templates, and what each is given.
struct Pages: Sendable {
    struct Shown {
        var text: String
        /// For `<time datetime>`; nil where the time has no date.
        var machineTime: String?
        var humanTime: String?

        init(_ message: Message) {
            text = message.text
            machineTime = message.posted?.machine
            humanTime = message.posted?.human
        }
    }

    struct Form {
        var nonce: String
        var token: String
        /// What was typed before, when it is shown again.
        var text = ""
        /// Why it is shown again.
        var problem: String?
        let limit = MessageText.maximumLength

        init(_ key: FormKey, text: String = "", problem: String? = nil) {
            nonce = key.nonce
            token = key.token
            // A NUL cannot be shown in HTML, only replaced.
            self.text = String(text.unicodeScalars.filter { $0 != "\0" }.map(Character.init))
            self.problem = problem
        }
    }

    struct Home {
        let stylesheet = Pages.stylesheetPath
        let isHome = true
        /// nil: there is none, or it could not be read.
        var newest: Shown?
        var isEmpty: Bool
        var form: Form
        var receipt: String?
    }

    struct ArchivePage {
        let stylesheet = Pages.stylesheetPath
        let isArchive = true
        var messages: [Shown]
        var isEmpty: Bool
        var page: Int
        var pages: Int
        /// The pages that can be gone to from here; nil where there is none.
        var first: Int?
        var previous: Int?
        var next: Int?
        var last: Int?
        /// The visitor's own message was stored just before.
        var posted: Bool
        var receipt: String

        init(_ archive: Archive, posted: Bool, receipt: String) {
            messages = archive.messages.map(Shown.init)
            isEmpty = archive.total == 0
            page = archive.page
            pages = archive.pages
            first = archive.hasPrevious ? 1 : nil
            previous = archive.hasPrevious ? archive.page - 1 : nil
            next = archive.hasNext ? archive.page + 1 : nil
            last = archive.hasNext ? archive.pages : nil
            self.posted = posted
            self.receipt = receipt
        }
    }

    struct Trouble {
        let stylesheet = Pages.stylesheetPath
        var title: String
        var explanation: String
    }

    /// Escapes by bytes. The library's own HTML type escapes by characters and lets `<` through when it stands in one
    /// character with a mark: U+0600 and `<script>` behind it would be a script.
    private struct EscapedHTML: MustacheContentType {
        func escapeText(_ text: String) -> String { HTMLText.escaped(text) }
    }

    static let stylesheet = PackageResources.style_css
    /// The address changes with the content, so browsers may keep it for good.
    static let stylesheetPath = "/style-\(fingerprint(stylesheet)).css"

    private let library: MustacheLibrary

    /// - Throws: what is wrong with a template.
    init() throws {
        MustacheContentTypes.register(EscapedHTML(), named: "ESCAPED_HTML")
        library = MustacheLibrary(
            templates: [
                "page": try Self.template(PackageResources.page_mustache),
                "home": try Self.template(PackageResources.home_mustache),
                "archive": try Self.template(PackageResources.archive_mustache),
                "trouble": try Self.template(PackageResources.trouble_mustache),
            ])
    }

    /// The library goes back to its own escaping at the start of every template, so every template begins with ours.
    private static func template(_ bytes: [UInt8]) throws -> MustacheTemplate {
        try MustacheTemplate(string: "{{% CONTENT_TYPE: ESCAPED_HTML}}" + String(decoding: bytes, as: UTF8.self))
    }

    func render(_ home: Home) -> String { render(home, "home") }
    func render(_ page: ArchivePage) -> String { render(page, "archive") }
    func render(_ trouble: Trouble) -> String { render(trouble, "trouble") }

    private func render(_ content: Any, _ name: String) -> String {
        guard let html = library.render(content, withTemplate: name) else { preconditionFailure("no template \(name)") }
        return html
    }

    /// FNV-1a, 64 bits: it must only differ when the content does.
    private static func fingerprint(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return String(hash, radix: 36)
    }
}
