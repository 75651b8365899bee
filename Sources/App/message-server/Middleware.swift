import HTTPTypes
import Hummingbird
import Logging
import MessageBoard
import PointsmanClient

extension HTTPField.Name {
    static let fetchSite = known("Sec-Fetch-Site")
    static let serverTiming = known("Server-Timing")
    static let referrerPolicy = known("Referrer-Policy")
    static let crossOriginOpenerPolicy = known("Cross-Origin-Opener-Policy")

    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no name of a field") }
        return name
    }
}

/// What a browser must not do with our pages.
struct SafetyHeaders<Context: RequestContext>: RouterMiddleware {
    let isSecure: Bool

    private static var policy: String {
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    }

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.contentSecurityPolicy] = Self.policy
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "same-origin"
        response.headers[.crossOriginResourcePolicy] = "same-origin"
        response.headers[.crossOriginOpenerPolicy] = "same-origin"
        if isSecure { response.headers[.strictTransportSecurity] = "max-age=31536000" }
        return response
    }
}

/// Makes a page of every error; what it says is ours, never what a server said.
struct TroublePages<Context: RequestContext>: RouterMiddleware {
    let pages: Pages
    let logger: Logger

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as PointsmanError {
            logger.error("not read", metadata: error.logged)
            var response = page(error.retry == .never ? .internalServerError : .serviceUnavailable)
            if error.retry != .never { response.headers[.retryAfter] = String(error.retryAfterSeconds) }
            return response
        } catch let error as any HTTPResponseError {
            return page(error.status)
        } catch {
            logger.error("not answered", metadata: ["error": "\(error)"])
            return page(.internalServerError)
        }
    }

    private func page(_ status: HTTPResponse.Status) -> Response {
        let (title, explanation) = Self.words(status)
        return Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"],
            body: .init(
                byteBuffer: ByteBuffer(string: pages.render(Pages.Trouble(title: title, explanation: explanation)))))
    }

    private static func words(_ status: HTTPResponse.Status) -> (String, String) {
        switch status {
        case .notFound: ("Not here", "There is no such page on this board.")
        case .contentTooLarge: ("Too long", "That is far longer than a message can be.")
        case .badRequest, .unsupportedMediaType: ("Not understood", "That was no form of this board.")
        case .serviceUnavailable: ("Back in a moment", "The board cannot be read right now. Please try again soon.")
        default: ("Something is wrong here", "It is not your fault. Please try again later.")
        }
    }
}

/// `Server-Timing`: who answered, how long the daemon took and how old the data was, where a browser's tools show it.
enum ServerTiming {
    /// What `db;desc="standby 127.0.0.12";dur=3.1, lag;dur=4` needs of a receipt; nil when it has no time.
    static func value(_ receipt: Receipt) -> String? {
        guard let microseconds = receipt.microseconds else { return nil }
        let place = [receipt.pool, receipt.node].compactMap { $0 }.joined(separator: " ").filter {
            $0.isASCII && ($0.isLetter || $0.isNumber || "-_.:[] ".contains($0))
        }
        var value = "db;desc=\"\(place)\";dur=\(microseconds / 1000).\(microseconds % 1000 / 100)"
        if case .milliseconds(let lag) = receipt.lag { value += ", lag;dur=\(lag)" }
        return value
    }
}
