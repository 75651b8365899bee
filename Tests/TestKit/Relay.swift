import Foundation
import Synchronization

/// Stands between two Unix sockets and does harm on command: bytes stop, connections are cut.
///
/// Between the daemon and PgBouncer it plays a network that loses replies or swallows bytes.
package final class Relay: Sendable {
    private struct State {
        /// Bytes towards the listener's side wait while true.
        var repliesHeld = false
        /// Bytes towards the target wait while true.
        var requestsHeld = false
        /// New connections are closed at once while true.
        var refusing = false
        /// Of new connections nothing comes back, not even their end, while true.
        var stranding = false
        var cut = 0
        var running = true
        var bytesToTarget = 0
    }

    private let state = Mutex(State())
    private let listener: Int32
    private let target: String

    /// Listens at `path`; every connection is joined to one of its own to `target`.
    package init(at path: String, to target: String) throws {
        self.target = target
        listener = try UnixSocket.listen(path)
        let thread = Thread { [self] in serve() }
        thread.start()
    }

    /// A folder with a socket named as libpq wants it, and the conninfo that leads through it.
    ///
    /// - Parameter conninfo: of PgBouncer, with `host=FOLDER` and `port=NUMBER`.
    /// - Returns: the relay and the conninfo.
    /// - Throws: `TestFailure` when the conninfo names no socket.
    package static func before(_ conninfo: String) throws -> (relay: Relay, conninfo: String) {
        var words: [String: String] = [:]
        for word in conninfo.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { words[parts[0]] = parts[1] }
        }
        guard let host = words["host"], let port = words["port"] else {
            throw TestFailure("no host and port in \(conninfo)")
        }
        let folder = try Workplace.newFolder("r")
        let relay = try Relay(at: "\(folder)/.s.PGSQL.\(port)", to: "\(host)/.s.PGSQL.\(port)")
        return (relay, conninfo.replacingOccurrences(of: "host=\(host)", with: "host=\(folder)"))
    }

    /// Replies wait in the relay until `thaw`; requests still arrive.
    package func holdReplies() { state.withLock { $0.repliesHeld = true } }

    /// Nothing passes in either direction until `thaw`, as on a network that drops packets.
    package func freeze() {
        state.withLock {
            $0.repliesHeld = true
            $0.requestsHeld = true
        }
    }

    package func thaw() {
        state.withLock {
            $0.repliesHeld = false
            $0.requestsHeld = false
            $0.stranding = false
        }
    }

    /// Closes all its connections now; what it held is lost.
    package func cut() { state.withLock { $0.cut += 1 } }

    package func refuse(_ refusing: Bool) { state.withLock { $0.refusing = refusing } }

    /// Connections made from now on bring nothing back, not even their end: a cancel acts, and nobody learns that it did.
    package func strandNew() { state.withLock { $0.stranding = true } }

    /// Bytes that have been passed on to the target since the start.
    package var bytesToTarget: Int { state.withLock { $0.bytesToTarget } }

    package func end() { state.withLock { $0.running = false } }

    private struct Pair {
        let near: Int32
        let far: Int32
        let cut: Int
        let isStranded: Bool
    }

    /// One thread serves all connections: it is a tool for tests, not for speed.
    private func serve() {
        var pairs: [Pair] = []
        while true {
            let now = state.withLock { $0 }
            if !now.running { break }
            for pair in pairs where pair.cut != now.cut { close(pair) }
            pairs.removeAll { $0.cut != now.cut }

            var entries = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            for pair in pairs {
                entries.append(pollfd(fd: pair.near, events: now.requestsHeld ? 0 : Int16(POLLIN), revents: 0))
                let isMute = now.repliesHeld || pair.isStranded
                entries.append(pollfd(fd: pair.far, events: isMute ? 0 : Int16(POLLIN), revents: 0))
            }
            _ = poll(&entries, nfds_t(entries.count), 2)
            // A peer that has closed while its bytes are held is reported by every poll.
            let isHeld = now.repliesHeld || now.requestsHeld
            if isHeld || now.stranding { usleep(1000) }
            var dead: [Int] = []
            for (index, pair) in pairs.enumerated() {
                let near = entries[1 + 2 * index].revents
                let far = entries[2 + 2 * index].revents
                let open = Int16(POLLIN)
                if near & open != 0, !pass(pair.near, pair.far, towardsTarget: true) {
                    dead.append(index)
                } else if far & open != 0, !pass(pair.far, pair.near, towardsTarget: false) {
                    dead.append(index)
                } else if (near | far) & Int16(POLLHUP | POLLERR) != 0, !isHeld, !pair.isStranded {
                    dead.append(index)
                }
            }
            for index in dead.reversed() { close(pairs.remove(at: index)) }
            if entries[0].revents & Int16(POLLIN) != 0 { accept(into: &pairs) }
        }
        for pair in pairs { close(pair) }
        Glibc.close(listener)
    }

    private func accept(into pairs: inout [Pair]) {
        let near = Glibc.accept(listener, nil, nil)
        guard near >= 0 else { return }
        _ = fcntl(near, F_SETFD, FD_CLOEXEC)
        let now = state.withLock { $0 }
        guard !now.refusing, let far = try? UnixSocket.connect(target, within: .zero) else {
            Glibc.close(near)
            return
        }
        _ = fcntl(far, F_SETFL, 0)
        pairs.append(Pair(near: near, far: far, cut: now.cut, isStranded: now.stranding))
    }

    /// False at the end of the connection.
    private func pass(_ from: Int32, _ to: Int32, towardsTarget: Bool) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(from, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        var sent = 0
        while sent < count {
            let done = buffer.withUnsafeBytes {
                send(to, $0.baseAddress?.advanced(by: sent), count - sent, Int32(MSG_NOSIGNAL))
            }
            guard done > 0 else { return false }
            sent += done
        }
        if towardsTarget { state.withLock { $0.bytesToTarget += count } }
        return true
    }

    private func close(_ pair: Pair) {
        // Shut down first: a program started in this moment may have inherited a copy.
        for file in [pair.near, pair.far] {
            shutdown(file, Int32(SHUT_RDWR))
            Glibc.close(file)
        }
    }
}
