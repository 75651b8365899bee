import EventLoop
import Glibc
import Routing
import Settings
import Telemetry

/// User and group of the process that connected, as they were then (SO_PEERCRED).
typealias PeerCredentials = (user: uid_t, group: gid_t)

/// What a client connection needs to know of the listener that accepted it.
final class ListenerContext {
    let name: String
    let isForOperators: Bool
    let requiresSalt: Bool
    /// User ids that may connect; nil: whoever the file's mode lets in.
    let allowedUsers: [UInt32]?
    /// The group of the socket file.
    let group: UInt32?
    /// What rules see of connections that named no app, by the user of their process; shared by all of them.
    private var origins: [UInt32?: RouteOrigin] = [:]
    let counters = CounterSet<ListenerCounter>()

    /// Group and users may be given by name or number.
    init(_ settings: ListenerSettings) throws(StartError) {
        name = settings.name.value
        isForOperators = settings.level == .operator
        requiresSalt = settings.requireSalt
        var group: UInt32?
        if let wanted = settings.group?.value {
            group = UInt32(wanted) ?? getgrnam(wanted)?.pointee.gr_gid
            guard group != nil else {
                throw StartError(.badSettings, "listener \"\(settings.name.value)\": no group \"\(wanted)\" here")
            }
        }
        self.group = group
        var users: [UInt32] = []
        for user in settings.allowUsers {
            guard let found = Users.number(of: user.value) else {
                throw StartError(.badSettings, "listener \"\(settings.name.value)\": no user \"\(user.value)\" here")
            }
            users.append(found)
        }
        allowedUsers = users.isEmpty ? nil : users
    }

    /// What rules see of a connection that named no app.
    func origin(of user: UInt32?) -> RouteOrigin {
        if let known = origins[user] { return known }
        let origin = RouteOrigin(listener: name, user: user)
        origins[user] = origin
        return origin
    }
}
