// What the daemon says in its own words: its errors, and the rows of ROUTE and STATS. Seldom, so Strings are welcome;
// what comes from a server is written from libpq's memory.
extension ReplyWriter {
    package mutating func column(oid: UInt32, name: StaticString) {
        column(oid: oid, name: name.bytes)
    }

    package mutating func value(_ text: StaticString) {
        value(text.utf8Start, count: text.utf8CodeUnitCount)
    }

    package mutating func value(_ text: String) {
        text.withBytes { bytes in
            // An empty string may have no address, a field has one all the same.
            if let base = bytes.baseAddress { value(base, count: bytes.count) } else { value("" as StaticString) }
        }
    }

    package mutating func attribute(_ key: StaticString, _ value: StaticString) {
        attribute(key, value.bytes)
    }

    package mutating func attribute(_ key: StaticString, _ value: String) {
        value.withBytes { attribute(key, $0) }
    }

    /// C of a verb that is no statement: its name is the tag, and it counts nothing.
    package mutating func beginCompletion(id: UnsafeRawBufferPointer, tag: StaticString, rows: UInt64? = nil) {
        beginCompletion(id: id, tag: tag.bytes, rows: rows)
    }

    /// E in the daemon's own words.
    package mutating func beginError(
        id: UnsafeRawBufferPointer, sqlstate: String, severity: StaticString, retry: Retry, message: String
    ) {
        sqlstate.withBytes { sqlstate in
            message.withBytes { message in
                beginError(id: id, sqlstate: sqlstate, severity: severity.bytes, retry: retry, message: message)
            }
        }
    }
}

extension StaticString {
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}

extension String {
    fileprivate func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        var text = self
        text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
