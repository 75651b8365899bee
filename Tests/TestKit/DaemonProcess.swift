import Foundation

/// The real daemon: `pointsman run -c FILE`, ready when its sockets answer PING.
package final class DaemonProcess: Sendable {
    package let settings: DaemonSettings
    package let process: ChildProcess
    package var pid: pid_t { process.pid }

    /// Writes the settings and starts a daemon with them.
    ///
    /// - Parameters:
    ///   - settings: what is written into its file.
    ///   - awaitingReady: wait until PING is answered; false for one that shall fail.
    /// - Throws: `TestFailure`, with the log, when it does not get ready.
    package init(_ settings: DaemonSettings, awaitingReady: Bool = true) throws {
        self.settings = settings
        try settings.write()
        process = try ChildProcess(
            Workplace.pointsman, ["run", "-c", settings.file], output: "\(settings.folder)/daemon.log")
        if awaitingReady { try waitUntilReady() }
    }

    /// Starts one on the shared cluster with what `adjust` changes.
    package convenience init(_ adjust: (inout DaemonSettings) -> Void = { _ in }) throws {
        var settings = try DaemonSettings(try Cluster.shared())
        adjust(&settings)
        try self.init(settings)
    }

    /// Ends it by TERM, twice when it is still busy. Not by KILL while that helps: PgBouncer 1.18 ends itself ("bad
    /// client state: 0") when a cancel request's connection closes while the request is under way.
    deinit {
        for _ in 0..<2 {
            guard process.signal(SIGTERM) else { return }
            do {
                try process.wait(within: .milliseconds(700))
                return
            } catch {
                continue
            }
        }
        process.signal(SIGKILL)
    }

    /// Everything that it has logged.
    package var log: String {
        (try? String(contentsOfFile: "\(settings.folder)/daemon.log", encoding: .utf8)) ?? ""
    }

    package func waitUntilReady(within duration: Duration = .seconds(10)) throws {
        do {
            try eventually("the daemon's PING", within: duration, every: .milliseconds(2)) {
                if let ending = process.poll() { throw TestFailure("the daemon ended: \(ending)") }
                for socket in [settings.appSocket, settings.opsSocket] {
                    guard let client = try? LineClient(socket, within: .zero) else { return false }
                    client.patience = .seconds(2)
                    // An E is an answer too: a socket may want a HELLO first.
                    _ = try client.ask("PING")
                }
                return true
            }
        } catch {
            throw TestFailure("\(error)\n\(log)")
        }
    }

    /// A new connection to the app's socket.
    package func client() throws -> LineClient { try LineClient(settings.appSocket) }

    /// A new connection to the operator's socket.
    package func operatorClient() throws -> LineClient { try LineClient(settings.opsSocket) }

    /// Waits until the log holds a text, behind what it held at `offset` bytes.
    ///
    /// - Returns: the first line with it.
    @discardableResult
    package func waitForLog(_ text: String, from offset: Int = 0, within duration: Duration = .seconds(5)) throws
        -> String
    {
        var found: Substring?
        do {
            try eventually("\"\(text)\" in the log", within: duration) {
                let bytes = Array(log.utf8).dropFirst(offset)
                let fresh = String(decoding: bytes, as: UTF8.self)
                found = fresh.split(separator: "\n").first { $0.contains(text) }
                return found != nil
            }
        } catch {
            throw TestFailure("\(error)\n\(log)")
        }
        return found.map(String.init) ?? ""
    }

    /// Asks it to end and waits.
    ///
    /// - Throws: `TestFailure` when it does not end with code 0.
    package func stop(within duration: Duration = .seconds(10)) throws {
        process.signal(SIGTERM)
        let ending = try process.wait(within: duration)
        guard ending == .exited(0) else { throw TestFailure("the daemon ended \(ending)\n\(log)") }
    }

    /// The rows of `STATS name`, each as column name to value.
    package func stats(_ name: String) throws -> [[String: String]] {
        try operatorClient().ask("STATS", "", name).table
    }

    /// One number of a pool from `STATS pools`.
    package func pool(_ name: String, _ column: String) throws -> Int {
        let rows = try stats("pools")
        guard let text = rows.first(where: { $0["pool"] == name })?[column], let number = Int(text) else {
            throw TestFailure("no number \(column) of pool \(name) in \(rows)")
        }
        return number
    }

    /// The sum of a counter of `STATS counters` over all its label sets that hold these labels, `result=failed`.
    ///
    /// - Throws: `TestFailure` when there is none.
    package func counted(_ name: String, _ labels: String = "") throws -> Int {
        let rows = try stats("counters").filter {
            $0["counter"] == name && (labels.isEmpty || $0["labels"]?.contains(labels) == true)
        }
        guard !rows.isEmpty else { throw TestFailure("no counter \(name) \(labels)") }
        return rows.reduce(0) { $0 + (Int($1["value"] ?? "") ?? 0) }
    }
}
