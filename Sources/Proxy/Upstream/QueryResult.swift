import CLibPQ

/// What kind of result libpq handed over.
package enum ResultStatus: Equatable, Sendable {
    /// A statement without rows is done.
    case commandOK
    /// All rows, or, in single-row mode, the end of them (no row in it).
    case tuplesOK
    /// One row of a result in single-row mode.
    case singleTuple
    /// The text had no statement.
    case emptyQuery
    /// The server's ERROR or FATAL, or libpq's own word on a lost connection (which has no SQLSTATE).
    case fatalError
    case nonfatalError
    /// The batch's Sync came back.
    case pipelineSync
    /// Not done, because a statement before it in the batch failed.
    case pipelineAborted
    case copyIn
    case copyOut
    case copyBoth
    /// None of those that PostgreSQL 15 knows.
    case unexpected

    init(_ status: ExecStatusType) {
        self =
            switch status {
            case PGRES_COMMAND_OK: .commandOK
            case PGRES_TUPLES_OK: .tuplesOK
            case PGRES_SINGLE_TUPLE: .singleTuple
            case PGRES_EMPTY_QUERY: .emptyQuery
            case PGRES_FATAL_ERROR: .fatalError
            case PGRES_NONFATAL_ERROR: .nonfatalError
            case PGRES_PIPELINE_SYNC: .pipelineSync
            case PGRES_PIPELINE_ABORTED: .pipelineAborted
            case PGRES_COPY_IN: .copyIn
            case PGRES_COPY_OUT: .copyOut
            case PGRES_COPY_BOTH: .copyBoth
            default: .unexpected
            }
    }
}

/// The fields of an error or a notice, by their letters on the wire (PostgreSQL manual, "Error and Notice Message
/// Fields").
package enum MessageField: UInt8, Sendable, CaseIterable {
    /// In the server's language.
    case severity = 0x53  // S
    /// Always English (PostgreSQL 9.6 and newer).
    case severityNonlocalized = 0x56  // V
    case sqlstate = 0x43  // C
    case message = 0x4D  // M
    case detail = 0x44  // D
    case hint = 0x48  // H
    /// Characters into the statement, from 1.
    case position = 0x50  // P
    case internalPosition = 0x70  // p
    case internalQuery = 0x71  // q
    case context = 0x57  // W
    case schema = 0x73  // s
    case table = 0x74  // t
    case column = 0x63  // c
    case dataType = 0x64  // d
    case constraint = 0x6E  // n
}

/// One result of libpq. What it hands out points into libpq's memory and holds as long as the result does.
package struct QueryResult: ~Copyable {
    private let result: OpaquePointer
    package let status: ResultStatus

    init(owning result: OpaquePointer) {
        self.result = result
        status = ResultStatus(PQresultStatus(result))
    }

    deinit {
        PQclear(result)
    }

    // MARK: Rows

    package var columnCount: Int { Int(PQnfields(result)) }
    package var rowCount: Int { Int(PQntuples(result)) }

    /// The column's name, which may be empty or hold any character. `column` is from 0 to `columnCount` - 1.
    package func columnName(_ column: Int) -> UnsafeRawBufferPointer {
        cString(PQfname(result, Int32(truncatingIfNeeded: column)))
    }

    /// The oid of the column's type.
    package func columnType(_ column: Int) -> UInt32 {
        PQftype(result, Int32(truncatingIfNeeded: column))
    }

    /// A value in text format; a NUL follows it in memory. Nil is SQL NULL.
    package func value(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        let row = Int32(truncatingIfNeeded: row)
        let column = Int32(truncatingIfNeeded: column)
        let count = PQgetlength(result, row, column)
        if count == 0, PQgetisnull(result, row, column) == 1 { return nil }
        return UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: Int(count))
    }

    /// All of it, copied out of libpq's memory: for small results that are read by column name.
    package var texts: (columns: [String], rows: [[String?]]) {
        func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
        let columns = (0..<columnCount).map { text(columnName($0)) }
        let rows = (0..<rowCount).map { row in columns.indices.map { value(row, $0).map(text) } }
        return (columns, rows)
    }

    // MARK: Completion

    /// What was done, as the server's CommandComplete says it: `INSERT 0 1`, `CREATE TABLE`. Empty when nothing was.
    package var commandStatus: UnsafeRawBufferPointer { cString(PQcmdStatus(result)) }

    // MARK: Errors

    /// A field of the error; nil when the server did not send it. libpq's own errors (a lost connection) have none.
    package func field(_ field: MessageField) -> UnsafeRawBufferPointer? {
        messageField(field, of: result)
    }

    /// The five characters of the SQLSTATE; nil on libpq's own errors.
    package var sqlstate: UnsafeRawBufferPointer? { field(.sqlstate) }

    /// An error with which the connection ends.
    package var isFatal: Bool {
        guard let severity = field(.severityNonlocalized) ?? field(.severity) else { return false }
        return severity.elementsEqual("FATAL".utf8) || severity.elementsEqual("PANIC".utf8)
    }

    /// The primary message, or what libpq says when there is none (several lines, ending in a line feed).
    package var message: UnsafeRawBufferPointer {
        field(.message) ?? cString(PQresultErrorMessage(result))
    }
}

/// A NOTICE, WARNING and so on of the server, lent for the length of a call. An error that arrives while no statement
/// runs, such as 57P01 to an idle connection, also comes this way.
package struct ServerNotice: ~Copyable {
    private let result: OpaquePointer

    init(borrowing result: OpaquePointer) {
        self.result = result
    }

    package func field(_ field: MessageField) -> UnsafeRawBufferPointer? {
        messageField(field, of: result)
    }

    /// The primary message, or what libpq says in place of one.
    package var message: UnsafeRawBufferPointer {
        field(.message) ?? cString(PQresultErrorMessage(result))
    }
}

private func messageField(_ field: MessageField, of result: OpaquePointer) -> UnsafeRawBufferPointer? {
    guard let text = PQresultErrorField(result, Int32(field.rawValue)) else { return nil }
    return cString(text)
}
