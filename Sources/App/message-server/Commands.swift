import ArgumentParser
import Foundation
import Logging
import MessageBoard
import PointsmanClient

/// The Anonymous Message Server: read the message that the last visitor left, leave one for the next.
@main
struct MessageServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "message-server",
        abstract: "The Anonymous Message Server, a small web app that asks its database through Pointsman.",
        subcommands: [Serve.self, Migrate.self])
}

/// Exit codes, as for `pointsman`.
extension ExitCode {
    static let cannotBind = ExitCode(73)
    static let badSettings = ExitCode(78)
}

/// A setting by flag, or else by environment.
enum Environment {
    static func value(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

func complain(_ text: String) {
    FileHandle.standardError.write(Data("message-server: \(text)\n".utf8))
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the board until TERM or INT.",
        discussion: """
            Each setting can also be given by environment: POINTSMAN_SOCKET, MESSAGE_SERVER_HOST, MESSAGE_SERVER_PORT, \
            MESSAGE_SERVER_SECRET_FILE, MESSAGE_SERVER_ORIGIN.
            """)

    @Option(help: "Pointsman's socket for apps.")
    var socket: String?

    @Option(help: "The address to listen on. Default: 127.0.0.1.")
    var host: String?

    @Option(help: "The port to listen on. Default: 8080.")
    var port: Int?

    @Option(help: "A file of 32 bytes or more that signs forms and cookies. Default: a key that ends with the process.")
    var secretFile: String?

    @Option(help: "Where visitors find the board, as https://board.example, when a proxy stands before it.")
    var origin: String?

    func run() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let logger = Logger(label: "message-server")
        guard let socket = socket ?? Environment.value("POINTSMAN_SOCKET") else {
            throw ValidationError("--socket, or POINTSMAN_SOCKET, must say where Pointsman's socket is")
        }
        guard let port = port ?? Int(Environment.value("MESSAGE_SERVER_PORT") ?? "8080"), (0...65_535).contains(port)
        else { throw ValidationError("--port takes a number from 0 to 65535") }
        let settings = Site.Settings(
            host: host ?? Environment.value("MESSAGE_SERVER_HOST") ?? "127.0.0.1", port: port,
            publicOrigin: try publicOrigin())
        let signer = try makeSigner(logger)

        var configuration = PointsmanClient.Configuration(socketPath: socket, application: "message-server")
        configuration.timeoutMilliseconds = 5000
        let board = Board(configuration)
        defer { board.close() }
        let site = Site(settings: settings, board: board, signer: signer, pages: try Pages(), logger: logger)
        do {
            try await site.run()
        } catch {
            complain("cannot serve on \(settings.host):\(settings.port): \(error)")
            throw ExitCode.cannotBind
        }
    }

    private func publicOrigin() throws -> String? {
        guard let text = origin ?? Environment.value("MESSAGE_SERVER_ORIGIN") else { return nil }
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
            url.host != nil, url.path.isEmpty, url.query == nil
        else { throw ValidationError("--origin takes a scheme, a host and no more, as https://board.example") }
        return text
    }

    private func makeSigner(_ logger: Logger) throws -> Signer {
        guard let file = secretFile ?? Environment.value("MESSAGE_SERVER_SECRET_FILE") else {
            logger.notice("no --secret-file: open forms and cookies end with this process")
            return Signer.ofThisProcess()
        }
        do {
            return try Signer(file: file)
        } catch {
            complain("\(file): \(error)")
            throw ExitCode.badSettings
        }
    }
}

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the board's table, or adds what an older one lacks.",
        discussion: """
            Can be run again at any time. Where rules keep schema changes from apps, give an operator's socket.
            """)

    @Option(help: "Pointsman's socket, an operator's where rules keep schema changes from apps' (POINTSMAN_SOCKET).")
    var socket: String?

    /// Building an index over many messages takes its time.
    private static let timeoutMilliseconds = 600_000

    func run() async throws {
        guard let socket = socket ?? Environment.value("POINTSMAN_SOCKET") else {
            throw ValidationError("--socket, or POINTSMAN_SOCKET, must say where Pointsman's socket is")
        }
        var configuration = PointsmanClient.Configuration(socketPath: socket, application: "message-server-migrate")
        configuration.maximumConnections = 1
        let client = PointsmanClient(configuration: configuration)
        defer { client.close() }
        for step in Statements.migration {
            do throws(PointsmanError) {
                try await apply(step, client)
            } catch {
                complain("\(step.purpose): \(error)")
                throw ExitCode.failure
            }
            print("\(step.purpose): in place")
        }
    }

    /// Every step may be run twice, so one whose outcome is unknown is simply run again.
    private func apply(_ step: MigrationStep, _ client: PointsmanClient) async throws(PointsmanError) {
        let options = QueryOptions(timeoutMilliseconds: Self.timeoutMilliseconds)
        do throws(PointsmanError) {
            _ = try await client.retrying().query(step.sql, options: options)
        } catch {
            guard error.retry == .unknown else { throw error }
            _ = try await client.retrying().query(step.sql, options: options)
        }
    }
}
