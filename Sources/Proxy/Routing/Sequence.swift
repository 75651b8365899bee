/// A sequence that is read like a table looks like one, and a standby answers: with a value that is up to 32 ahead, because
/// nextval writes WAL for 32 numbers at a time (SEQ_LOG_VALS of PostgreSQL's commands/sequence.c). So what is most likely a
/// sequence is read on the primary.
enum Sequence {
    /// As PostgreSQL names those of serial and identity columns: table_column_seq.
    static func isNamed(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count > suffix.count && name.suffix(suffix.count).elementsEqual(suffix)
    }

    static func hasColumn(_ name: UnsafeRawBufferPointer) -> Bool {
        // Most columns are told apart by their lengths alone.
        switch name.count {
        case 7: name.elementsEqual("log_cnt".utf8)
        case 9: name.elementsEqual("is_called".utf8)
        case 10: name.elementsEqual("last_value".utf8)
        default: false
        }
    }

    private static let suffix = Array("_seq".utf8)
}
