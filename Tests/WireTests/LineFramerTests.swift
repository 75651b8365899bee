import Testing

@testable import Wire

@Suite struct LineFramerTests {
    private func frames(_ text: String, maxLine: Int = 64) -> [Frame] {
        var framer = LineFramer(maxLine: maxLine)
        let bytes = Array(text.utf8)
        var frames: [Frame] = []
        var start = 0
        bytes.withUnsafeBytes { all in
            while true {
                let frame = framer.next(UnsafeRawBufferPointer(rebasing: all[start...]))
                frames.append(frame)
                guard case .line(let length) = frame else { return }
                start += length
            }
        }
        return frames
    }

    @Test(arguments: [
        ("", [Frame.needMore]),
        ("abc", [.needMore]),
        ("\n", [.line(length: 1), .needMore]),
        ("abc\n", [.line(length: 4), .needMore]),
        ("abc\r\nd", [.line(length: 5), .needMore]),
        ("a\nbc\n\nd\n", [.line(length: 2), .line(length: 3), .line(length: 1), .line(length: 2), .needMore]),
    ])
    func cutsAtLineFeeds(_ text: String, _ expected: [Frame]) {
        #expect(frames(text) == expected)
    }

    @Test(arguments: [63, 64, 65, 66, 200])
    func aLineMayBeAsLongAsTheLimitWithItsLineFeed(_ length: Int) {
        let line = String(repeating: "x", count: length - 1) + "\n"
        #expect(frames(line).first == (length <= 64 ? .line(length: length) : .tooLong))
        // The same bytes, one at a time: the limit is noticed when it is reached, not when the LF comes.
        var framer = LineFramer(maxLine: 64)
        Array(line.utf8).withUnsafeBytes { bytes in
            for count in 0..<min(length, 64) {
                #expect(framer.next(UnsafeRawBufferPointer(rebasing: bytes[..<count])) == .needMore)
            }
            let last = framer.next(UnsafeRawBufferPointer(rebasing: bytes[..<min(length, 64)]))
            #expect(last == (length <= 64 ? .line(length: length) : .tooLong))
        }
    }

    @Test func staysTooLong() {
        var framer = LineFramer(maxLine: 64)
        let bytes = Array((String(repeating: "x", count: 64) + "\nPING 1\n").utf8)
        bytes.withUnsafeBytes { all in
            #expect(framer.next(all) == .tooLong)
            #expect(framer.next(all) == .tooLong)
        }
    }

    /// What was searched is not searched again: a LF written behind its back is not found.
    @Test func searchesEachByteOnce() {
        var framer = LineFramer(maxLine: 64)
        var bytes = Array("abcdef".utf8)
        #expect(bytes.withUnsafeBytes { framer.next($0) } == .needMore)
        bytes[2] = 0x0A
        #expect(bytes.withUnsafeBytes { framer.next($0) } == .needMore)
        bytes += Array("gh\n".utf8)
        #expect(bytes.withUnsafeBytes { framer.next($0) } == .line(length: 9))
    }

    /// Behind a line that came in two pieces, the search starts at the front again.
    @Test func startsAnewBehindALine() {
        var framer = LineFramer(maxLine: 64)
        #expect(Array("abcdef".utf8).withUnsafeBytes { framer.next($0) } == .needMore)
        #expect(Array("abcdefg\nh\n".utf8).withUnsafeBytes { framer.next($0) } == .line(length: 8))
        #expect(Array("h\n".utf8).withUnsafeBytes { framer.next($0) } == .line(length: 2))
        #expect(framer.next(UnsafeRawBufferPointer(start: nil, count: 0)) == .needMore)
    }

    @Test(arguments: [
        ("Q ab.1 SELECT", "ab.1"), ("Q ab.1\tx", "ab.1"), ("Q   7 ", "7"), ("Q ab.1", ""), ("Q", ""), ("", ""),
        ("Q a/b SELECT", ""), ("Q 0123456789abcdef0123456789abcdef0 S", ""), ("QQQQ", ""),
    ])
    func anOverlongLineStillTellsItsID(_ text: String, _ id: String) {
        let memory = GuardedMemory(Array(text.utf8))
        defer { memory.free() }
        guard let base = memory.bytes.baseAddress else { return }
        let request = Request(unfinished: UnsafeRawBufferPointer(memory.bytes), error: .lineTooLong(limit: 64))
        #expect(String(decoding: request.id.bytes(in: base), as: UTF8.self) == id)
        #expect(Int(request.byteCount) == text.utf8.count)
        #expect(request.error?.closesConnection == true)
        #expect(request.error?.sqlstate == "54000")
    }
}
