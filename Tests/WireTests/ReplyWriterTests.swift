import Glibc
import Testing

@testable import Wire

/// Writes into exactly `bound` bytes that end where memory ends; what was written.
func written(bound: Int, _ body: (inout ReplyWriter) -> Void) -> [UInt8] {
    let memory = GuardedMemory([UInt8](repeating: 0xEE, count: bound))
    defer { memory.free() }
    var writer = ReplyWriter(memory.bytes)
    body(&writer)
    return Array(memory.bytes[..<writer.count])
}

/// The escapes written the plain way.
func escaped(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for byte in bytes {
        switch byte {
        case 0x5C: result += [0x5C, 0x5C]
        case 0x09: result += [0x5C, 0x74]
        case 0x0A: result += [0x5C, 0x6E]
        case 0x0D: result += [0x5C, 0x72]
        default: result.append(byte)
        }
    }
    return result
}

extension ReplyWriter {
    mutating func value(_ bytes: [UInt8]) {
        // A NUL behind it, as libpq gives values, so that an empty one has an address too.
        (bytes + [0]).withUnsafeBytes { memory in
            value(UnsafeRawBufferPointer(rebasing: memory.dropLast()))
        }
    }
}

/// Calls `body` with the UTF-8 of each text.
private func bytes(_ texts: String..., body: ([UnsafeRawBufferPointer]) -> Void) {
    let arrays = texts.map { Array($0.utf8) }
    let memory = GuardedMemory(Array(arrays.joined()) + [0])
    defer { memory.free() }
    var start = 0
    var fields: [UnsafeRawBufferPointer] = []
    for array in arrays {
        fields.append(UnsafeRawBufferPointer(rebasing: memory.bytes[start..<(start + array.count)]))
        start += array.count
    }
    body(fields)
}

@Suite struct ReplyWriterTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func rows() {
        func row(_ values: [String?]) -> String {
            let bound = ReplyWriter.boundOfRow(
                columns: values.count, valueBytes: values.reduce(0) { $0 + ($1?.utf8.count ?? 0) })
            return text(
                written(bound: bound) { writer in
                    writer.beginRow()
                    for value in values {
                        if let value { writer.value(Array(value.utf8)) } else { writer.null() }
                    }
                    writer.endLine()
                })
        }
        #expect(row([]) == "D\n")
        #expect(row([""]) == "D\t\n")
        #expect(row([nil]) == "D\t\\N\n")
        #expect(row(["42", nil, "", "\\N"]) == "D\t42\t\\N\t\t\\\\N\n")
        #expect(row(["tab\t cr\r\n end"]) == "D\ttab\\t cr\\r\\n end\n")
        #expect(row([nil, nil, nil, nil]) == "D\t\\N\t\\N\t\\N\t\\N\n")
        #expect(row(["ü😀\u{B}\u{C}\u{2028}"]) == "D\tü😀\u{B}\u{C}\u{2028}\n")
    }

    /// Each length up to more than one wide step, each special byte at each place, beside another one.
    @Test(arguments: [UInt8(0x09), 0x0A, 0x0D, 0x5C, 0x0B, 0x0C, 0x08, 0x0E, 0x5B, 0x5D, 0x89, 0xDC, 0x80, 0xFF])
    func everyByteAtEveryPlace(_ special: UInt8) {
        for length in 0...140 {
            for place in 0..<max(length, 1) {
                var value = [UInt8](repeating: 0x61, count: length)
                if place < length { value[place] = special }
                if place + 1 < length, place % 3 == 0 { value[place + 1] = 0x5C }
                let bytes = written(bound: ReplyWriter.boundOfRow(columns: 1, valueBytes: length)) {
                    $0.beginRow()
                    $0.value(value)
                    $0.endLine()
                }
                guard bytes == Array("D\t".utf8) + escaped(value) + [0x0A] else {
                    Issue.record("\(special) at \(place) of \(length)")
                    return
                }
            }
        }
    }

    /// The bound is exact enough when every byte needs an escape: not a byte more is needed.
    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000])
    func theBoundCarriesAnEscapeForEachByte(_ length: Int) {
        let value = [UInt8](repeating: 0x0A, count: length)
        let bytes = written(bound: ReplyWriter.boundOfRow(columns: 2, valueBytes: 2 * length)) {
            $0.beginRow()
            $0.value(value)
            $0.value(value)
            $0.endLine()
        }
        #expect(bytes == Array("D\t".utf8) + escaped(value) + [0x09] + escaped(value) + [0x0A])
    }

    @Test func writingPastTheMemoryEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            // The trap is expected: no backtrace, which takes seconds.
            signal(SIGILL, SIG_DFL)
            signal(SIGTRAP, SIG_DFL)
            let short = ReplyWriter.boundOfRow(columns: 1, valueBytes: 100) - 3
            _ = written(bound: short) {
                $0.beginRow()
                $0.value([UInt8](repeating: 0x0A, count: 100))
                $0.endLine()
            }
        }
    }

    @Test func columns() {
        bytes("7", "id", "msg\ttext") { fields in
            let line = written(bound: ReplyWriter.boundOfColumns(2, nameBytes: 10, idBytes: 1)) {
                $0.beginColumns(id: fields[0])
                $0.column(oid: 20, name: fields[1])
                $0.column(oid: UInt32.max, name: fields[2])
                $0.endLine()
            }
            #expect(text(line) == "T\t7\t20\tid\t4294967295\tmsg\\ttext\n")
        }
        bytes("7") { fields in
            let line = written(bound: ReplyWriter.boundOfColumns(0, nameBytes: 0, idBytes: 1)) {
                $0.beginColumns(id: fields[0])
                $0.endLine()
            }
            #expect(text(line) == "T\t7\n")
        }
    }

    @Test(arguments: [
        ("SELECT 5", "SELECT\t5"), ("INSERT 0 1", "INSERT\t1"),
        ("UPDATE 18446744073709551615", "UPDATE\t18446744073709551615"),
        ("CREATE TABLE", "CREATE TABLE\t\\N"), ("BEGIN", "BEGIN\t\\N"), ("SELECT 0", "SELECT\t0"), ("", "\t\\N"),
        ("COPY 12", "COPY\t12"), ("TAG 1x", "TAG 1x\t\\N"), ("42", "42\t\\N"),
    ])
    func commandStatuses(_ status: String, _ fields: String) {
        bytes("9", status) { parts in
            let line = written(bound: ReplyWriter.boundOfCompletion(idBytes: 1, tagBytes: status.utf8.count)) {
                $0.beginCompletion(id: parts[0], commandStatus: parts[1])
                $0.endLine()
            }
            #expect(text(line) == "C\t9\t\(fields)\n")
        }
    }

    @Test func completionsWithAttributes() {
        bytes("1", "SELECT", "standby", "a=b\tc") { parts in
            let bound =
                ReplyWriter.boundOfCompletion(idBytes: 1, tagBytes: 6)
                + ReplyWriter.boundOfAttribute(keyBytes: 4, valueBytes: 7)
                + ReplyWriter.boundOfAttribute(keyBytes: 2, valueBytes: 20)
                + ReplyWriter.boundOfAttribute(keyBytes: 2, valueBytes: 1)
                + ReplyWriter.boundOfAttribute(keyBytes: 4, valueBytes: 5)
            let line = written(bound: bound) {
                $0.beginCompletion(id: parts[0], tag: parts[1], rows: UInt64.max)
                $0.attribute("pool", parts[2])
                $0.attribute("us", UInt64.max)
                $0.attribute("tx", "I")
                $0.attribute("rule", parts[3])
                $0.endLine()
            }
            #expect(
                text(line)
                    == "C\t1\tSELECT\t18446744073709551615\tpool=standby\tus=18446744073709551615\ttx=I\trule=a=b\\tc\n"
            )
        }
    }

    @Test(
        arguments: [0, 1, 9, 10, 11, 99, 100, 101, 999_999_999, 1_000_000_000, 9_999_999_999_999_999_999] as [UInt64])
    func decimals(_ number: UInt64) {
        let line = written(bound: ReplyWriter.boundOfAttribute(keyBytes: 2, valueBytes: 20)) {
            $0.attribute("us", number)
        }
        #expect(text(line) == "\tus=\(number)")
    }

    @Test(arguments: Retry.allCases)
    func errors(_ retry: Retry) {
        bytes("5", "42P01", "ERROR", "relation \"nope\"\ndoes not exist") { parts in
            let bound =
                ReplyWriter.boundOfError(idBytes: 1, severityBytes: 5, messageBytes: parts[3].count)
                + ReplyWriter.boundOfAttribute(keyBytes: 1, valueBytes: 20)
            let line = written(bound: bound) {
                $0.beginError(id: parts[0], sqlstate: parts[1], severity: parts[2], retry: retry, message: parts[3])
                $0.attribute("P", 15)
                $0.endLine()
            }
            #expect(text(line) == "E\t5\t42P01\tERROR\t\(retry.name)\trelation \"nope\"\\ndoes not exist\tP=15\n")
        }
    }

    /// The shortest error fits its bound, and an id that could not be read is "-".
    @Test func errorsWithoutAnID() {
        bytes("", "08P01", "") { parts in
            let line = written(bound: ReplyWriter.boundOfError(idBytes: 0, severityBytes: 0, messageBytes: 0)) {
                $0.beginError(id: parts[0], sqlstate: parts[1], severity: parts[2], retry: .unknown, message: parts[2])
                $0.endLine()
            }
            #expect(text(line) == "E\t-\t08P01\t\tunknown\t\n")
        }
    }

    @Test func theDaemonsOwnWords() {
        let table = written(
            bound: ReplyWriter.boundOfColumns(2, nameBytes: 11, idBytes: 1)
                + ReplyWriter.boundOfRow(columns: 4, valueBytes: 40)
                + ReplyWriter.boundOfCompletion(idBytes: 1, tagBytes: 5)
                + ReplyWriter.boundOfAttribute(keyBytes: 4, valueBytes: 4)
        ) { writer in
            bytes("3") { id in
                writer.beginColumns(id: id[0])
                writer.column(oid: 25, name: "pool")
                writer.column(oid: 20, name: "waiting")
                writer.endLine()
                writer.beginRow()
                writer.value("standby" as StaticString)
                writer.value(UInt64.max)
                writer.value("a\tb")
                writer.value("")
                writer.endLine()
                writer.beginCompletion(id: id[0], tag: "STATS", rows: 1)
                writer.attribute("rule", "a\\b")
                writer.endLine()
            }
        }
        #expect(
            text(table) == "T\t3\t25\tpool\t20\twaiting\nD\tstandby\t18446744073709551615\ta\\tb\t\n"
                + "C\t3\tSTATS\t1\trule=a\\\\b\n")
        let error = WireError.badEscape(0x64, at: 5)
        let bound = ReplyWriter.boundOfError(
            idBytes: 1, severityBytes: 5, messageBytes: error.message.utf8.count)
        let line = written(bound: bound) { writer in
            bytes("4") { id in
                writer.beginError(
                    id: id[0], sqlstate: error.sqlstate, severity: "ERROR", retry: .never, message: error.message)
                writer.endLine()
            }
        }
        #expect(text(line).hasPrefix("E\t4\t08P01\tERROR\tnever\t\\\\d at byte 6 is no escape"))
    }

    @Test func notices() {
        bytes("", "00000", "NOTICE", "hello\tthere") { parts in
            let line = written(bound: ReplyWriter.boundOfError(idBytes: 0, severityBytes: 6, messageBytes: 11)) {
                $0.beginNotice(id: parts[0], sqlstate: parts[1], severity: parts[2], message: parts[3])
                $0.endLine()
            }
            #expect(text(line) == "N\t-\t00000\tNOTICE\thello\\tthere\n")
        }
    }
}
