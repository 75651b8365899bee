import Foundation
import HTTPTypes
import Hummingbird
import Logging
import MessageBoard
import PointsmanClient

/// The board's pages over HTTP.
struct Site: Sendable {
    struct Settings: Sendable {
        var host: String
        var port: Int
        /// Where visitors find the board, when that is not what `Host` says.
        var publicOrigin: String?

        var isSecure: Bool { publicOrigin?.lowercased().hasPrefix("https:") == true }
    }

    /// A message of 200 characters, each of four bytes written as `%XX`, and the form's other fields fit easily.
    static let maximumBodyBytes = 8 << 10

    let settings: Settings
    let board: Board
    let signer: Signer
    let pages: Pages
    let logger: Logger

    var cookie: PostedCookie { PostedCookie(signer: signer, isSecure: settings.isSecure) }

    /// Serves until TERM or INT, then answers what is under way.
    func run() async throws {
        let application = Application(
            router: router(),
            // A visitor who sends half a request and then nothing holds no connection for long.
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(30),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 100))),
            configuration: .init(address: .hostname(settings.host, port: settings.port)),
            logger: logger)
        try await application.runService()
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: [.autoGenerateHeadEndpoints])
        // Outermost first: whatever is answered has the headers, and every error is a page.
        router.add(middleware: SafetyHeaders(isSecure: settings.isSecure))
        router.add(middleware: TroublePages(pages: pages, logger: logger))
        router.get("/") { request, _ in try await home(request) }
        router.post("/") { request, _ in try await post(request) }
        router.get("/archive") { request, _ in try await archive(request) }
        router.get("/healthz") { _, _ in await health() }
        router.get("\(Pages.stylesheetPath)") { _, _ in stylesheet() }
        return router
    }

    // MARK: Reading

    private func home(_ request: Request) async throws -> Response {
        let cookie = cookie.read(request)
        let read = try await board.newest(cookie.posted?.freshness ?? .any)
        let page = Pages.Home(
            newest: read.content.map(Pages.Shown.init), isEmpty: read.content == nil, form: Pages.Form(FormKey(signer)),
            receipt: ReceiptLine(read: ReceiptLine.Source(read.receipt)).text)
        return html(pages.render(page), receipt: read.receipt, after: cookie)
    }

    private func archive(_ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        let wanted = Archive.wantedPage(query["page"].map(String.init))
        let cookie = cookie.read(request)
        let isOwnPost = query["posted"] == "1"
        // A browser that keeps no cookies still sees what it has just left.
        let read = try await board.archive(
            page: wanted, cookie.posted?.freshness ?? (isOwnPost ? .primary : .any))
        let line = ReceiptLine(
            read: ReceiptLine.Source(read.receipt), storedOn: isOwnPost ? cookie.posted?.pool : nil)
        let page = Pages.ArchivePage(read.content, posted: isOwnPost && cookie.posted != nil, receipt: line.text)
        return html(pages.render(page), receipt: read.receipt, after: cookie)
    }

    private func health() async -> Response {
        let isReachable = await board.isReachable()
        return Response(
            status: isReachable ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: isReachable ? "ok\n" : "no answer from the database\n")))
    }

    private func stylesheet() -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/css; charset=utf-8", .cacheControl: "public, max-age=31536000, immutable",
            ],
            body: .init(byteBuffer: ByteBuffer(bytes: Pages.stylesheet)))
    }

    /// A page; where `reading` says that the browser's cookie is worthless, the browser is told to forget it.
    private func html(
        _ text: String, status: HTTPResponse.Status = .ok, receipt: Receipt? = nil,
        after reading: PostedCookie.Reading = .absent
    ) -> Response {
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        if let receipt, let timing = ServerTiming.value(receipt) { headers[.serverTiming] = timing }
        var response = Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
        if reading == .worthless { response.setCookie(cookie.removal) }
        return response
    }

    // MARK: Posting

    private func post(_ request: Request) async throws -> Response {
        let contentType = request.headers[.contentType]?.split(separator: ";").first?.lowercased()
        guard contentType == "application/x-www-form-urlencoded" else { throw HTTPError(.unsupportedMediaType) }
        let body = try await request.body.collect(upTo: Self.maximumBodyBytes)
        guard let form = try? FormBody(body.readableBytesView) else { throw HTTPError(.badRequest) }
        let typed = form["msg"] ?? ""
        guard let nonce = form["nonce"], FormKey.isWellFormed(nonce: nonce) else {
            return await again(request, .badRequest, typed, nil, "That form was incomplete. Please send it again.")
        }
        let check = CrossSiteCheck(
            fetchSite: request.headers[.fetchSite], origin: request.headers[.origin],
            host: request.head.authority, publicOrigin: settings.publicOrigin,
            hasGoodToken: FormKey.isGood(token: form["token"], nonce: nonce, signer))
        guard check.isAllowed else {
            return await again(
                request, .forbidden, typed, nil,
                "That form was too old, or came from another site. Please send it again.")
        }
        let text: MessageText
        do throws(MessageText.Refusal) {
            text = try MessageText(typed)
        } catch {
            return await again(request, .unprocessableContent, typed, nonce, Self.words(error))
        }
        return await store(text, typed: typed, nonce: nonce, request)
    }

    private func store(_ text: MessageText, typed: String, nonce: String, _ request: Request) async -> Response {
        do throws(PointsmanError) {
            switch try await board.store(text, key: FormKey.storageKey(nonce: nonce, text: text.text)) {
            case .stored(let receipt):
                var response = Response(status: .seeOther, headers: [.location: "/archive?posted=1"])
                response.setCookie(cookie.make(PostedCookie.Posted(pool: receipt.pool, token: receipt.token)))
                return response
            case .unconfirmed:
                return await again(
                    request, .serviceUnavailable, typed, nonce,
                    "We could not confirm that your message was stored. Send it again: it will be stored only once.",
                    retryAfter: 5)
            }
        } catch {
            logger.error("not stored", metadata: error.logged)
            guard error.retry == .later else {
                return await again(
                    request, .internalServerError, typed, nonce,
                    "Your message was not stored: something is wrong here.")
            }
            let seconds = error.retryAfterSeconds
            return await again(
                request, .serviceUnavailable, typed, nonce,
                "Too much is going on right now and your message was not stored. Try again in \(seconds) s.",
                retryAfter: seconds)
        }
    }

    /// The page again, with what was typed and why it was not taken. A form that keeps its nonce stays one message.
    private func again(
        _ request: Request, _ status: HTTPResponse.Status, _ typed: String, _ nonce: String?, _ problem: String,
        retryAfter: Int? = nil
    ) async -> Response {
        let key = nonce.map { FormKey(nonce: $0, signer) } ?? FormKey(signer)
        // What was typed matters more than the newest message: without the database the page still comes.
        let freshness = cookie.read(request).posted?.freshness ?? .any
        let read = status == .serviceUnavailable ? nil : try? await board.newest(freshness)
        let page = Pages.Home(
            newest: read?.content.map(Pages.Shown.init), isEmpty: read != nil && read?.content == nil,
            form: Pages.Form(key, text: typed, problem: problem),
            receipt: read.map { ReceiptLine(read: ReceiptLine.Source($0.receipt)).text })
        var response = html(pages.render(page), status: status, receipt: read?.receipt)
        if let retryAfter { response.headers[.retryAfter] = String(retryAfter) }
        return response
    }

    private static func words(_ refusal: MessageText.Refusal) -> String {
        switch refusal {
        case .empty: "There is nothing to leave yet: write something first."
        case .tooLong(let excess):
            "That is \(excess) character\(excess == 1 ? "" : "s") too long: a message has at most "
                + "\(MessageText.maximumLength)."
        case .controlCharacter: "There is a character in it that cannot be shown. Take it out and send it again."
        }
    }
}

extension ReceiptLine.Source {
    init(_ receipt: Receipt) {
        let lag: ReceiptLine.Lag? =
            switch receipt.lag {
            case .milliseconds(let milliseconds): .milliseconds(milliseconds)
            case .unknown: .unknown
            case nil: nil
            }
        self.init(pool: receipt.pool, node: receipt.node, microseconds: receipt.microseconds, lag: lag)
    }
}

extension PointsmanError {
    /// For the log. The detail may hold what a visitor typed, so it is left out.
    var logged: Logger.Metadata {
        ["sqlstate": "\(sqlstate)", "retry": "\(retry.rawValue)", "error": "\(message)"]
    }

    var retryAfterSeconds: Int { max(1, ((afterMilliseconds ?? 1000) + 999) / 1000) }
}
