import Foundation

/// A settings file for a daemon under test: an app's and an operator's socket in its own folder, the two pools of a
/// cluster, and what the test adds.
package struct DaemonSettings: Sendable {
    package var folder: String
    /// Lines of `[server]`.
    package var server: [String] = []
    /// Further lines of the app's `[[listen]]`.
    package var listen: [String] = []
    package var primaryConninfo: String
    package var standbyConninfo: String
    /// Lines of `[pool.primary]` besides conninfo and role.
    package var primary = ["size = 4", "queue = 200", "queue_timeout = \"5s\"", "timeout = \"20s\""]
    package var standby = ["size = 4", "queue = 200", "queue_timeout = \"5s\"", "timeout = \"20s\""]
    /// Everything that follows: more pools, rules, `[default]`, `[[expect]]`.
    package var more = ""

    package init(_ cluster: Cluster) throws {
        folder = try Workplace.newFolder("d")
        primaryConninfo = try cluster.readWrite
        standbyConninfo = try cluster.readOnly
    }

    package var file: String { "\(folder)/pointsman.toml" }
    package var appSocket: String { "\(folder)/app.sock" }
    package var opsSocket: String { "\(folder)/ops.sock" }

    package var text: String {
        """
        version = 1

        [server]
        \(server.joined(separator: "\n"))

        [[listen]]
        name = "app"
        unix = "\(appSocket)"
        level = "app"
        \(listen.joined(separator: "\n"))

        [[listen]]
        name = "ops"
        unix = "\(opsSocket)"
        mode = "0600"
        level = "operator"

        [pool.primary]
        conninfo = "\(primaryConninfo)"
        role = "primary"
        \(primary.joined(separator: "\n"))

        [pool.standby]
        conninfo = "\(standbyConninfo)"
        role = "standby"
        \(standby.joined(separator: "\n"))

        \(more)
        """ + "\n"
    }

    /// Writes the file as an editor does, by a rename: a reader sees the old one or the new one.
    package func write() throws { try write(text) }

    /// Writes another text in its place.
    package func write(_ other: String) throws {
        try other.write(toFile: file, atomically: true, encoding: .utf8)
    }
}
