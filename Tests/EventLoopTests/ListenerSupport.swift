import Glibc
import Testing

@testable import EventLoop

private func withAddress<R>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) throws -> R {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return try withUnsafeBytes(of: &address) { bytes in
        let start = try #require(bytes.baseAddress)
        return body(start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
}

/// A client's blocking descriptor.
func connected(to path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(descriptor >= 0)
    try #require(try withAddress(path) { connect(descriptor, $0, $1) } == 0)
    return descriptor
}

/// A listening socket as a service manager would hand it over.
func listening(at path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(try withAddress(path) { bind(descriptor, $0, $1) } == 0)
    try #require(listen(descriptor, 8) == 0)
    return descriptor
}

/// What a killed daemon leaves behind.
func leaveStaleSocket(at path: String) throws {
    close(try listening(at: path))
}

func status(of path: String) throws -> stat {
    var status = stat()
    try #require(lstat(path, &status) == 0)
    return status
}

/// Runs in a process of its own: takes all descriptors, connects clients that were made before, and gives the
/// descriptors back. With `reserveIsLost` the limit is lowered below the reserve's own number, so that it can be given
/// up but not be had again.
func exhaustDescriptors(reserveIsLost: Bool) throws {
    let loop = try EventLoop()
    let folder = try Folder()
    let path = folder.file("a.sock")
    var accepted = 0
    var farewells = 0
    let listener = try Listener(
        loop: loop, path: path,
        onTurnedAway: { descriptor in
            farewells += 1
            send("full", to: descriptor)
            if farewells == 8 { loop.stop() }
        },
        onAccept: { descriptor in
            accepted += 1
            close(descriptor)
            loop.stop()
        })
    let clients = (0..<8).map { _ in socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }
    var hoard: [Int32] = []
    var limit = rlimit()
    try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    limit.rlim_cur = 200
    try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    while case let taken = dup(0), taken >= 0 { hoard.append(taken) }
    try #require(errno == EMFILE && hoard.count > 20)
    if reserveIsLost {
        // Descriptors that are open stay open; new ones must be below the limit, and none is free there.
        limit.rlim_cur = 3
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    }
    for client in clients { try #require(try withAddress(path) { connect(client, $0, $1) } == 0) }

    // Whoever is told so is told at once; a machine with much to do may take its time all the same.
    let wait = (reserveIsLost ? 200 : 20_000) * millisecond
    let timer = DeadlineTimer(loop: loop) { loop.stop() }
    timer.set(at: loop.now + wait)
    runUntilStopped(loop)
    timer.clear()
    #expect(accepted == 0)
    if reserveIsLost {
        // It waits between its tries: a loop that turns and turns would have tried thousands of times.
        #expect(listener.rests > 0)
        #expect(listener.rests <= 2 * wait / Listener.rest)
        #expect(listener.turnedAway <= 1)
    } else {
        // Hardly ever: a thread of the runtime may take the reserve's descriptor in the moment when it is free.
        #expect(listener.rests <= 2)
        #expect(farewells == clients.count)
        #expect(listener.turnedAway == UInt64(clients.count))
        #expect(clients.allSatisfy { receive(from: $0) == "full" })
    }

    // Descriptors are free again.
    limit.rlim_cur = 200
    try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    for descriptor in hoard { close(descriptor) }
    let late = reserveIsLost ? -1 : try connected(to: path)
    runUntilStopped(loop)
    #expect(accepted >= 1)
    for client in clients + [late] where client >= 0 { close(client) }
    listener.close()
}
