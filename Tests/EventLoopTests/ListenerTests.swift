import Glibc
import Testing

@testable import EventLoop

@Suite struct ListenerTests {
    @Test func acceptsNonBlockingDescriptorsAndNamesThePeer() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        var accepted: Int32 = -1
        let listener = try Listener(loop: loop, path: folder.file("a.sock")) { descriptor in
            accepted = descriptor
            loop.stop()
        }
        let client = try connected(to: folder.file("a.sock"))
        defer { close(client) }
        runUntilStopped(loop)
        #expect(accepted >= 0)
        #expect(fcntl(accepted, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(accepted, F_GETFD) & FD_CLOEXEC != 0)
        let peer = try #require(Listener.peerCredentials(of: accepted))
        #expect(peer.user == getuid())
        #expect(peer.group == getgid())
        send("hello", to: client)
        #expect(receive(from: accepted) == "hello")
        close(accepted)
        listener.close()
    }

    @Test func whatIsNoUnixSocketHasNoPeer() throws {
        let null = open("/dev/null", O_RDONLY)
        defer { close(null) }
        #expect(Listener.peerCredentials(of: null) == nil)
        let inet = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(inet) }
        #expect(Listener.peerCredentials(of: inet) == nil)
    }

    @Test(arguments: [0o600, 0o660, 0o666, 0o777] as [mode_t])
    func theFileIsBornWithItsMode(mode: mode_t) throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let listener = try Listener(loop: loop, path: folder.file("a.sock"), mode: mode) { close($0) }
        #expect(try status(of: folder.file("a.sock")).st_mode & 0o777 == mode)
        listener.close()
    }

    @Test func theFileGetsItsGroup() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        // As root any group will do; else the only one that is sure to be allowed.
        let group: gid_t = getuid() == 0 ? 12345 : getgid()
        let listener = try Listener(loop: loop, path: folder.file("a.sock"), mode: 0o660, group: group) { close($0) }
        let status = try status(of: folder.file("a.sock"))
        #expect(status.st_gid == group)
        #expect(status.st_mode & 0o777 == 0o660)
        listener.close()
    }

    @Test func theUmaskDoesNotMatterAndIsNotTouched() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop()
            let folder = try Folder()
            for mask in [0o077, 0o777, 0] as [mode_t] {
                umask(mask)
                let listener = try Listener(loop: loop, path: folder.file("a.sock"), mode: 0o660) { close($0) }
                #expect(try status(of: folder.file("a.sock")).st_mode & 0o777 == 0o660)
                #expect(umask(mask) == mask)
                listener.close()
            }
        }
    }

    @Test func theFileIsBornClosed() throws {
        let folder = try Folder()
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = try SocketFile.address(of: folder.file("a.sock"))
        _ = try SocketFile.bindFile(folder.file("a.sock"), address: &address, to: descriptor, mode: 0o600)
        #expect(try status(of: folder.file("a.sock")).st_mode & 0o777 == 0o600)
    }

    // MARK: Socket files

    @Test func aStaleFileIsTakenOver() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        try leaveStaleSocket(at: path)
        var count = 0
        let listener = try Listener(loop: loop, path: path) { descriptor in
            count += 1
            close(descriptor)
            loop.stop()
        }
        let client = try connected(to: path)
        defer { close(client) }
        runUntilStopped(loop)
        #expect(count == 1)
        listener.close()
    }

    @Test func aLiveSocketIsRefusedAndGoesOn() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        var count = 0
        let listener = try Listener(loop: loop, path: path) { descriptor in
            count += 1
            close(descriptor)
            // One is the second daemon's look, the other one is ours.
            if count == 2 { loop.stop() }
        }
        let error = #expect(throws: ListenerError.self) { try Listener(loop: loop, path: path) { close($0) } }
        #expect(error == ListenerError(path: path, reason: .inUse))
        #expect(error?.number == EADDRINUSE)
        #expect(error?.description == "\(path): address already in use, another process answers there")
        let client = try connected(to: path)
        defer { close(client) }
        runUntilStopped(loop)
        #expect(count == 2)
        listener.close()
    }

    @Test func aLiveSocketWhoseBacklogIsFullIsRefusedToo() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        let listener = try Listener(loop: loop, path: path, backlog: 0) { close($0) }
        let waiting = try (0..<1).map { _ in try connected(to: path) }
        defer { for client in waiting { close(client) } }
        #expect(throws: ListenerError(path: path, reason: .inUse)) {
            try Listener(loop: loop, path: path) { close($0) }
        }
        listener.close()
    }

    @Test func whatIsNoSocketIsLeftAlone() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: ListenerError(path: path, reason: .notASocket)) {
            try Listener(loop: loop, path: path) { close($0) }
        }
        #expect(try status(of: path).st_mode & S_IFMT == S_IFREG)
        unlink(path)
        try #require(symlink("/dev/null", path) == 0)
        #expect(throws: ListenerError(path: path, reason: .notASocket)) {
            try Listener(loop: loop, path: path) { close($0) }
        }
    }

    @Test func aPathHasAtMost107Bytes() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let longest = folder.file(String(repeating: "x", count: 107 - folder.path.utf8.count - 1))
        let listener = try Listener(loop: loop, path: longest) { close($0) }
        close(try connected(to: longest))
        listener.close()
        #expect(throws: ListenerError(path: longest + "x", reason: .pathTooLong(limit: 107))) {
            try Listener(loop: loop, path: longest + "x") { close($0) }
        }
    }

    @Test func badPathsAreToldApart() throws {
        let loop = try EventLoop()
        #expect(throws: ListenerError(path: "", reason: .pathNotUsable)) {
            try Listener(loop: loop, path: "") { close($0) }
        }
        #expect(throws: ListenerError(path: "\0abstract", reason: .pathNotUsable)) {
            try Listener(loop: loop, path: "\0abstract") { close($0) }
        }
        #expect(throws: ListenerError(path: "/nowhere/a.sock", reason: .call("open /nowhere", ENOENT))) {
            try Listener(loop: loop, path: "/nowhere/a.sock") { close($0) }
        }
    }

    @Test func aFolderThatSomebodyElseKeepsLockedIsAnError() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let lock = open(folder.path, O_RDONLY | O_DIRECTORY)
        defer { close(lock) }
        try #require(flock(lock, LOCK_EX) == 0)
        #expect(throws: ListenerError(path: folder.file("a.sock"), reason: .folderLocked)) {
            try Listener(loop: loop, path: folder.file("a.sock")) { close($0) }
        }
    }

    @Test func closeRemovesTheFileOnlyIfItIsStillOurs() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        let first = try Listener(loop: loop, path: path) { close($0) }
        first.close()
        first.close()
        #expect(access(path, F_OK) != 0)

        let second = try Listener(loop: loop, path: path) { close($0) }
        unlink(path)
        let third = try Listener(loop: loop, path: path) { close($0) }
        second.close()
        #expect(access(path, F_OK) == 0)
        close(try connected(to: path))
        third.close()
        #expect(access(path, F_OK) != 0)
    }

    @Test func anInheritedSocketIsAdoptedAndItsFileStays() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        let inherited = try listening(at: path)
        var count = 0
        let listener = try Listener(loop: loop, adopting: inherited) { descriptor in
            count += 1
            close(descriptor)
            loop.stop()
        }
        close(try connected(to: path))
        runUntilStopped(loop)
        #expect(count == 1)
        listener.close()
        #expect(access(path, F_OK) == 0)
        #expect(fcntl(inherited, F_GETFD) == -1)
    }

    @Test func whatIsNoListeningUnixSocketIsNotAdopted() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        let inet = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(inet) }
        for descriptor in [pair.left, inet, 12345] {
            #expect(throws: ListenerError(path: "descriptor \(descriptor)", reason: .notAListener)) {
                try Listener(loop: loop, adopting: descriptor) { close($0) }
            }
        }
    }

    // MARK: Turns

    @Test func aCrowdIsAcceptedInBoundedPortions() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        var portions: [Int] = []
        var portion = 0
        let crowd = Listener.acceptedPerTurn * 2 + 10
        let listener = try Listener(loop: loop, path: path) { descriptor in
            close(descriptor)
            portion += 1
            if portion == 1 {
                loop.atEndOfTurn {
                    portions.append(portion)
                    portion = 0
                    if portions.reduce(0, +) == crowd { loop.stop() }
                }
            }
        }
        let clients = try (0..<crowd).map { _ in try connected(to: path) }
        runUntilStopped(loop)
        #expect(portions == [Listener.acceptedPerTurn, Listener.acceptedPerTurn, 10])
        for client in clients { close(client) }
        listener.close()
    }

    @Test func closedFromItsOwnCallback() throws {
        let loop = try EventLoop()
        let folder = try Folder()
        let path = folder.file("a.sock")
        final class Holder { var listener: Listener? }
        let holder = Holder()
        var count = 0
        holder.listener = try Listener(loop: loop, path: path) { descriptor in
            count += 1
            close(descriptor)
            holder.listener?.close()
            holder.listener = nil
            loop.stop()
        }
        let clients = [try connected(to: path), try connected(to: path)]
        runUntilStopped(loop)
        for client in clients { close(client) }
        #expect(count == 1)
        #expect(access(path, F_OK) != 0)
    }

    @Test func withoutDescriptorsClientsAreToldSoAndAcceptingGoesOnAtOnce() async {
        await #expect(processExitsWith: .success) { try exhaustDescriptors(reserveIsLost: false) }
    }

    @Test func whenEvenTheReserveIsLostAcceptingRestsAndComesBackSoon() async {
        // "Soon" is within 100 ms of a free descriptor.
        #expect(Listener.rest <= 50 * millisecond)
        await #expect(processExitsWith: .success) { try exhaustDescriptors(reserveIsLost: true) }
    }
}
