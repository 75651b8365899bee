import Glibc
import Settings

/// Reads and checks the settings file, for the start, for every reload and for `pointsman check`.
package enum SettingsFile {
    package enum Outcome: Sendable {
        case ready(Snapshot)
        /// One `file:line:column: message` each, in the order of the file.
        case refused([String])
    }

    /// Every setting, as Markdown.
    package static var reference: String { Settings.reference() }

    /// - Parameters:
    ///   - path: the file.
    ///   - running: the settings in force; what a reload cannot change is refused then.
    /// - Returns: the settings, or every complaint.
    package static func check(_ path: String, replacing running: Settings? = nil) -> Outcome {
        let text: [UInt8]
        switch read(path) {
        case .success(let bytes): text = bytes
        case .failure(let error): return .refused(["\(path): \(error.message)"])
        }
        switch Snapshot.make(text, file: path) {
        case .refused(let complaints): return .refused(complaints.map(\.description))
        case .ready(let snapshot):
            if let running {
                let notes = snapshot.settings.restartNotes(replacing: running)
                if !notes.isEmpty { return .refused(notes.map(\.description)) }
            }
            return .ready(snapshot)
        }
    }

    private struct ReadError: Error {
        let message: String
    }

    private static func read(_ path: String) -> Result<[UInt8], ReadError> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(ReadError(message: String(cString: strerror(errno)))) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        // One byte more than is allowed tells the parser that the file is too long.
        while bytes.count <= Settings.maximumFileBytes {
            let got = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                return .failure(ReadError(message: String(cString: strerror(errno))))
            }
            bytes.append(contentsOf: chunk[..<got])
        }
        return .success(bytes)
    }
}
