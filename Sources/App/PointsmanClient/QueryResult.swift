import Wire

/// The answer to one statement.
public struct QueryResult: Sendable {
    /// A column as the server named and typed it.
    public struct Column: Hashable, Sendable {
        public var name: String
        /// The type's number in `pg_type`.
        public var typeOID: UInt32

        public init(name: String, typeOID: UInt32) {
            self.name = name
            self.typeOID = typeOID
        }
    }

    public let columns: [Column]
    /// The command's name: `SELECT`, `INSERT`, `CREATE TABLE` and so on.
    public let tag: String
    /// Rows returned or touched; nil for commands that count nothing.
    public let count: Int?
    public let receipt: Receipt
    /// What the server remarked about this request.
    public let notices: [Notice]
    /// Everything that the completion line said, in its order.
    let attributes: [ReplyLine.Attribute]
    let values: [String?]
    private let rowCount: Int

    init(
        columns: [Column], values: [String?], rowCount: Int, tag: String, count: Int?,
        attributes: [ReplyLine.Attribute], notices: [Notice]
    ) {
        self.columns = columns
        self.values = values
        self.rowCount = rowCount
        self.tag = tag
        self.count = count
        self.attributes = attributes
        self.receipt = Receipt(attributes: attributes)
        self.notices = notices
    }

    /// The rows, in the order of the reply.
    public var rows: Rows { Rows(result: self, count: rowCount) }

    /// The only row, or nil when there is none or more than one.
    public var onlyRow: Row? { rowCount == 1 ? rows[0] : nil }

    /// Rows by number, made when they are looked at.
    public struct Rows: RandomAccessCollection, Sendable {
        let result: QueryResult
        public let count: Int

        public var startIndex: Int { 0 }
        public var endIndex: Int { count }

        public subscript(position: Int) -> Row {
            precondition(position >= 0 && position < count, "no such row")
            return Row(result: result, number: position)
        }
    }
}

/// A remark that is no error: an `N` line.
public struct Notice: Hashable, Sendable {
    public var sqlstate: String
    public var severity: String
    public var message: String
    public var detail: String?
    public var hint: String?

    init(_ line: ReplyLine.Notice) {
        sqlstate = line.sqlstate
        severity = line.severity
        message = line.message
        for attribute in line.attributes {
            let value = attribute.value
            switch attribute.key {
            case "D": detail = value
            case "H": hint = value
            default: break
            }
        }
    }
}
