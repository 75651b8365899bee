import Glibc
import Testing

@testable import Wire

/// How the bytes of a line reach the parser.
enum Feeding: CaseIterable, Sendable {
    case whole
    case byteByByte
    /// With the start of the next request already behind it.
    case withTrailingBytes
}

/// A parsed request as plain values, copied out of its line.
struct ParsedLine: Equatable {
    var verb: Verb
    var id: String
    var text: String
    var parameters: [String?]
    var options: [OptionKey: String]
    var after: [String]
    var error: WireError?

    /// Frames and parses `bytes`, and checks what must hold for every request.
    init(
        _ bytes: [UInt8], feeding: Feeding = .whole, limits: WireLimits = WireLimits(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let trailing: [UInt8] = feeding == .withTrailingBytes ? Array("Q 99 SELECT 'next'\tx\nPI".utf8) : []
        let guarded = GuardedMemory(bytes + trailing)
        defer { guarded.free() }
        var framer = LineFramer(maxLine: limits.maxLine)
        if feeding == .byteByByte {
            for count in 0..<bytes.count {
                let frame = framer.next(UnsafeRawBufferPointer(rebasing: guarded.bytes[..<count]))
                #expect(frame == .needMore, "after \(count) bytes", sourceLocation: sourceLocation)
            }
        }
        let frame = framer.next(UnsafeRawBufferPointer(guarded.bytes))
        #expect(frame == .line(length: bytes.count), sourceLocation: sourceLocation)

        let line = UnsafeMutableRawBufferPointer(rebasing: guarded.bytes[..<bytes.count])
        let request = RequestParser.parse(line, limits: limits)
        #expect(Array(guarded.bytes[bytes.count...]) == trailing, "untouched", sourceLocation: sourceLocation)
        #expect(Int(request.byteCount) == bytes.count, sourceLocation: sourceLocation)
        self.init(request, UnsafeRawBufferPointer(line), sourceLocation)
    }

    init(_ request: Request, _ line: UnsafeRawBufferPointer, _ sourceLocation: SourceLocation) {
        guard let base = line.baseAddress else { preconditionFailure("a line has a byte") }
        verb = request.verb
        error = request.error
        (text, parameters, options, after) = ("", [], [:], [])
        // Copies the field and checks that it lies inside the line with a NUL behind it.
        func field(_ range: ByteRange) -> String {
            let end = Int(range.offset) + Int(range.count)
            guard range.offset >= 0, range.count >= 0, end < line.count else {
                Issue.record("\(range) is not inside the line", sourceLocation: sourceLocation)
                return ""
            }
            if request.error == nil { #expect(line[end] == 0, "the field's NUL", sourceLocation: sourceLocation) }
            return String(decoding: range.bytes(in: base), as: UTF8.self)
        }
        id = request.id.isEmpty ? "" : field(request.id)
        guard request.error == nil else { return }
        text = request.text.isEmpty ? "" : field(request.text)
        options = Self.options(of: request.options, field)
        var after: [String] = []
        request.options.forEachAfter(in: base) { after.append(String(decoding: $0, as: UTF8.self)) }
        self.after = after
        parameters = withUnsafeTemporaryAllocation(
            of: UnsafePointer<CChar>?.self, capacity: Int(request.parameterCount) + 1
        ) { values in
            guard let array = values.baseAddress else { return [] }
            request.fillParameters(in: base, into: array)
            return (0..<Int(request.parameterCount)).map { index in
                guard let value = array[index] else { return nil }
                let offset = UnsafeRawPointer(value) - base
                #expect(offset >= 0 && offset + strlen(value) < line.count, sourceLocation: sourceLocation)
                return String(cString: value)
            }
        }
    }

    /// Each option that is present, its value as it would be written; "" for those that take none and for `@after`.
    private static func options(of options: RequestOptions, _ field: (ByteRange) -> String) -> [OptionKey: String] {
        var found: [OptionKey: String] = [:]
        for key in OptionKey.allCases where options.present.contains(OptionKeys(key)) {
            found[key] =
                switch key {
                case .app: field(options.app)
                case .salt: field(options.salt)
                case .using: field(options.using)
                case .pool: field(options.pool)
                case .tag: field(options.tag)
                case .tp: field(options.traceparent)
                case .session: field(options.session)
                case .route: options.role == .primary ? "primary" : "standby"
                case .iso:
                    switch options.isolation {
                    case .readCommitted: "rc"
                    case .repeatableRead: "rr"
                    case .serializable: "ser"
                    }
                case .lag: "\(options.lagMilliseconds)"
                case .wait: "\(options.waitMilliseconds)"
                case .timeout: "\(options.timeoutMilliseconds)"
                case .conn: "\(options.connectionNumber)"
                case .key: String(options.cancelKey, radix: 16)
                case .after, .token, .ro, .resolve: ""
                }
        }
        return found
    }
}

/// Bytes that end where an inaccessible page starts and start behind another as closely as the page size allows: a read
/// or write behind the end ends the test.
struct GuardedMemory {
    let bytes: UnsafeMutableRawBufferPointer
    private let region: UnsafeMutableRawPointer
    private let regionSize: Int

    init(_ content: [UInt8]) {
        let page = Int(getpagesize())
        let inner = (content.count + page - 1) / page * page
        regionSize = inner + 2 * page
        guard let region = mmap(nil, regionSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), region != MAP_FAILED,
            mprotect(region + page, inner, PROT_READ | PROT_WRITE) == 0
        else { preconditionFailure("no memory for the test") }
        self.region = region
        bytes = UnsafeMutableRawBufferPointer(
            start: region + page + (inner - content.count), count: content.count)
        bytes.copyBytes(from: content)
    }

    func free() {
        munmap(region, regionSize)
    }
}
