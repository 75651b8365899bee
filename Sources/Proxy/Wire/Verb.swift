/// The verbs of the protocol. Their names on the wire are letters of any case.
package enum Verb: UInt8, CaseIterable, Sendable {
    case hello, query, begin, commit, rollback, route, cancel, ping, stats
    case reload, pause, resume, drain, kill, log, forget

    /// The name on the wire.
    package var name: StaticString {
        switch self {
        case .hello: "HELLO"
        case .query: "Q"
        case .begin: "BEGIN"
        case .commit: "COMMIT"
        case .rollback: "ROLLBACK"
        case .route: "ROUTE"
        case .cancel: "CANCEL"
        case .ping: "PING"
        case .stats: "STATS"
        case .reload: "RELOAD"
        case .pause: "PAUSE"
        case .resume: "RESUME"
        case .drain: "DRAIN"
        case .kill: "KILL"
        case .log: "LOG"
        case .forget: "FORGET"
        }
    }

    /// Answered on operator sockets only; on an app socket it is E 42501.
    package var isForOperators: Bool {
        switch self {
        case .reload, .pause, .resume, .drain, .kill, .log, .forget: true
        case .hello, .query, .begin, .commit, .rollback, .route, .cancel, .ping, .stats: false
        }
    }

    /// What may stand behind the verb: the one table from which requests are checked and errors are worded.
    package var form: VerbForm {
        switch self {
        case .hello: VerbForm(.version, [.app, .salt, .using, .lag, .timeout, .token])
        case .query: VerbForm(.statement, .ofStatements, takesValues: true)
        case .begin: VerbForm(.none, OptionKeys.ofStatements.subtracting(.token).union(.iso))
        case .commit: VerbForm(.none, [.token, .timeout, .tag, .tp])
        case .rollback: VerbForm(.none, [.timeout, .tag, .tp])
        case .route: VerbForm(.statement, .ofStatements)
        case .cancel: VerbForm(.request, [.conn, .key])
        case .stats: VerbForm(.optionalName, [])
        case .pause, .resume, .log, .forget: VerbForm(.name, [])
        case .kill: VerbForm(.connection, [])
        case .ping, .reload, .drain: VerbForm(.none, [])
        }
    }

    /// The verb whose upper-case name, packed by `PackedName`, is `name`.
    init?(_ name: PackedName) {
        switch name.low {
        case PackedName.constant("Q"): self = .query
        case PackedName.constant("BEGIN"): self = .begin
        case PackedName.constant("COMMIT"): self = .commit
        case PackedName.constant("ROLLBACK"): self = .rollback
        case PackedName.constant("PING"): self = .ping
        case PackedName.constant("HELLO"): self = .hello
        case PackedName.constant("ROUTE"): self = .route
        case PackedName.constant("CANCEL"): self = .cancel
        case PackedName.constant("STATS"): self = .stats
        case PackedName.constant("RELOAD"): self = .reload
        case PackedName.constant("PAUSE"): self = .pause
        case PackedName.constant("RESUME"): self = .resume
        case PackedName.constant("DRAIN"): self = .drain
        case PackedName.constant("KILL"): self = .kill
        case PackedName.constant("LOG"): self = .log
        case PackedName.constant("FORGET"): self = .forget
        default: return nil
        }
        guard name.high == 0 else { return nil }
    }
}

/// What a verb takes behind its id.
package struct VerbForm: Sendable {
    package enum Text: Sendable {
        /// No text.
        case none
        /// One SQL statement. Without it: 42601, as for any empty statement.
        case statement
        /// The highest version of the protocol that the client speaks, 1 to 999,999,999.
        case version
        /// The id of a request.
        case request
        /// The number of a connection, decimal.
        case connection
        /// The name of a pool, a log level or a fingerprint: checked by whoever knows them.
        case name
        /// The name of a table of counters, or nothing.
        case optionalName

        var isStatement: Bool { self == .statement }

        /// Whether the verb means nothing without its text.
        var isRequired: Bool { self != .none && self != .optionalName }
    }

    package let text: Text
    package let options: OptionKeys
    /// Whether values for `$1` and so on may follow the text.
    package let takesValues: Bool

    init(_ text: Text, _ options: OptionKeys, takesValues: Bool = false) {
        self.text = text
        self.options = options
        self.takesValues = takesValues
    }
}

/// Up to 16 ASCII characters in two words: a name as it was met in a line, compared without a loop and carried by an
/// error without a reference into the line.
package struct PackedName: Equatable, Sendable {
    /// The first eight characters, the first one in the lowest byte; 0 where there is none.
    let low: UInt64
    let high: UInt64

    /// The first 16 of `bytes`; what is no visible ASCII character becomes "?".
    init(_ bytes: UnsafeRawBufferPointer) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for index in 0..<min(bytes.count, 16) {
            let byte = bytes[index]
            let shown = UInt64(ASCII.isVisible(byte) ? byte : ASCII.questionMark)
            if index < 8 { low |= shown &<< (8 &* UInt64(index)) } else { high |= shown &<< (8 &* UInt64(index &- 8)) }
        }
        self.low = low
        self.high = high
    }

    /// A name of 1 to 16 characters that are visible ASCII.
    @inline(__always)
    init(name: UnsafeRawPointer, count: Int) {
        low = Words.load(name, count: min(count, 8))
        high = count > 8 ? Words.load(name + 8, count: count &- 8) : 0
    }

    /// Letters folded to upper case by the caller, at most eight.
    init(low: UInt64) {
        self.low = low
        high = 0
    }

    /// The first word of a name of at most eight characters; the optimiser folds it to a number.
    @inline(__always)
    static func constant(_ name: StaticString) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<name.utf8CodeUnitCount {
            word |= UInt64(name.utf8Start[index]) &<< (8 &* UInt64(index))
        }
        return word
    }

    /// The characters, for an error's message.
    var text: String {
        var text = ""
        for word in [low, high] {
            for index in 0..<UInt64(8) {
                let byte = UInt8(truncatingIfNeeded: word &>> (8 &* index))
                if byte != 0 { text.unicodeScalars.append(Unicode.Scalar(byte)) }
            }
        }
        return text
    }
}
