/// Why a pool hands out no connections for the time being. Several may hold at once.
enum HoldReason: String, CaseIterable {
    /// Its database is paused in PgBouncer: what is sent there would wait unseen, and die at query_wait_timeout.
    case paused
    /// The server behind it does not have the pool's role.
    case roleLost = "role-lost"

    /// Goes after "it was held, because".
    var words: String {
        switch self {
        case .paused: "its database is paused in PgBouncer"
        case .roleLost: "the server behind it has lost its role"
        }
    }
}
