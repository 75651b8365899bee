import Glibc
import Routing
import Wire

/// What HELLO said about a connection: the defaults of its requests, and the salt of its ids.
struct ClientSession {
    private(set) var app = ""
    private(set) var using: [UInt8] = []
    private(set) var lagMilliseconds: Int32?
    private(set) var timeoutMilliseconds: Int32?
    /// Each commit's C carries its token.
    private(set) var wantsTokens = false
    private var salt: [UInt8] = []
    private let listener: ListenerContext
    /// What rules see of this connection.
    private(set) var origin: RouteOrigin

    /// - Parameters:
    ///   - listener: whose origin serves until HELLO names an app.
    ///   - user: of the process that connected.
    init(listener: ListenerContext, user: UInt32?) {
        self.listener = listener
        origin = listener.origin(of: user)
    }

    var hasSalt: Bool { !salt.isEmpty }

    /// Known as soon as HELLO was read, because the lines behind it are read before it is answered.
    mutating func adoptSalt(_ bytes: UnsafeRawBufferPointer) {
        salt = Array(bytes)
    }

    func accepts(_ request: Request, in line: UnsafeRawPointer) -> Bool {
        salt.withUnsafeBytes { request.idStarts(with: $0, in: line) }
    }

    mutating func adopt(_ options: RequestOptions, in line: UnsafeRawPointer) {
        if options.present.contains(.app) {
            app = String(decoding: options.app.bytes(in: line), as: UTF8.self)
            origin = RouteOrigin(app: app, listener: listener.name, user: origin.user)
        }
        if options.present.contains(.using) { using = Array(options.using.bytes(in: line)) }
        if options.present.contains(.lag) { lagMilliseconds = options.lagMilliseconds }
        if options.present.contains(.token) { wantsTokens = true }
        if options.present.contains(.timeout) { timeoutMilliseconds = options.timeoutMilliseconds }
    }
}
