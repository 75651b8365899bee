import Glibc
import Logging
import Synchronization

/// Writes one log line per event to standard error: logfmt, JSON, or logfmt behind systemd's priorities.
///
/// Keys come first to last: `ts level event`, then the metadata sorted by key. Control bytes are escaped, a line has at
/// most 2 KiB, and a line that cannot be written (disk full, reader gone) is dropped: logging never stops the service.
package struct LineLogHandler: LogHandler {
    package enum Format: Sendable {
        case logfmt
        case json
        /// logfmt without a time, behind `<priority>` (sd-daemon(3)): the journal stamps each line itself.
        case journald
    }

    package static let maxLineBytes = 2048
    /// Lines that could not be written since the start, of all threads.
    static let dropped = Atomic<Int>(0)

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let format: Format

    package init(format: Format, level: Logger.Level) {
        self.format = format
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        var line = LogLine(format: format)
        switch format {
        case .journald: line.raw("<\(LineLogHandler.priority(of: event.level))>")
        case .logfmt, .json: line.pair("ts", LineLogHandler.timestamp())
        }
        line.pair("level", event.level.rawValue)
        line.pair("event", event.message.description)
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line.pair(key, value.description) }
        line.write()
    }

    /// syslog(3) priorities.
    private static func priority(of level: Logger.Level) -> Int {
        switch level {
        case .critical: return 2
        case .error: return 3
        case .warning: return 4
        case .notice: return 5
        case .info: return 6
        case .debug, .trace: return 7
        }
    }

    /// RFC 3339 in UTC with milliseconds.
    static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = [
            padded(Int(parts.tm_year) + 1900, 4), padded(Int(parts.tm_mon) + 1, 2), padded(Int(parts.tm_mday), 2),
        ].joined(separator: "-")
        let time = [
            padded(Int(parts.tm_hour), 2), padded(Int(parts.tm_min), 2), padded(Int(parts.tm_sec), 2),
        ].joined(separator: ":")
        return "\(date)T\(time).\(padded(Int(now.tv_nsec) / 1_000_000, 3))Z"
    }
}

/// One line under construction.
struct LogLine {
    private let format: LineLogHandler.Format
    private var bytes: [UInt8] = []
    private var isFirst = true

    init(format: LineLogHandler.Format) {
        self.format = format
        bytes.reserveCapacity(256)
        if format == .json { bytes.append(UInt8(ascii: "{")) }
    }

    mutating func raw(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    mutating func pair(_ key: String, _ value: String) {
        if !isFirst { bytes.append(UInt8(ascii: format == .json ? "," : " ")) }
        isFirst = false
        switch format {
        case .json:
            quoted(key)
            bytes.append(UInt8(ascii: ":"))
            quoted(value)
        case .logfmt, .journald:
            bytes.append(contentsOf: key.utf8)
            bytes.append(UInt8(ascii: "="))
            if value.isEmpty || value.utf8.contains(where: { $0 <= 0x20 || $0 == 0x22 || $0 == 0x3D || $0 == 0x5C }) {
                quoted(value)
            } else {
                bytes.append(contentsOf: value.utf8)
            }
        }
    }

    /// A JSON string; logfmt readers take the same.
    private mutating func quoted(_ value: String) {
        let hex = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hex[Int(byte >> 4)])
                bytes.append(hex[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    var text: [UInt8] {
        var line = bytes
        let end = Array((format == .json ? "}\n" : "\n").utf8)
        if line.count + end.count > LineLogHandler.maxLineBytes {
            // A cut JSON line would not parse: say that it was cut, and where.
            let mark = Array((format == .json ? "\",\"cut\":\"\(line.count)\"" : "…cut").utf8)
            line.removeLast(line.count - (LineLogHandler.maxLineBytes - end.count - mark.count))
            while let last = line.last, last & 0xC0 == 0x80 || last >= 0xC0 || last == UInt8(ascii: "\\") {
                line.removeLast()
            }
            line += mark
        }
        return line + end
    }

    func write() {
        let line = text
        let written = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
        if written < line.count { LineLogHandler.dropped.add(1, ordering: .relaxed) }
    }
}
