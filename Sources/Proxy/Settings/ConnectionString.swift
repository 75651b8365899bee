/// A connection string in libpq's keyword form (PostgreSQL manual, 34.1.1.1), read as libpq reads it, so that nothing
/// hides from the checks. Messages never hold a part of it but a keyword.
struct ConnectionString {
    struct Parameter {
        let keyword: String
        let value: String
    }

    struct Problem: Error {
        let message: String
    }

    private(set) var parameters: [Parameter] = []

    init(_ text: String) throws(Problem) {
        let scheme = text.prefix { $0 != ":" }
        if scheme == "postgresql" || scheme == "postgres" {
            throw Problem(message: "is a URI; write it as `host=… port=… dbname=… user=…`")
        }
        var scanner = Scanner(bytes: Array(text.utf8))
        while let keyword = try scanner.keyword() {
            parameters.append(Parameter(keyword: keyword, value: try scanner.value()))
        }
        if parameters.isEmpty { throw Problem(message: "is empty") }
    }

    /// Without what an app need not see.
    var summary: String {
        parameters
            .filter { ["host", "hostaddr", "port", "dbname", "user"].contains($0.keyword) }
            .map { "\($0.keyword)=\($0.value)" }
            .joined(separator: " ")
    }

    /// What is wrong with the keywords.
    var problems: [String] {
        var result: [String] = []
        var seen: Set<String> = []
        for parameter in parameters {
            let isNew = seen.insert(parameter.keyword).inserted
            if !isNew, Self.known.contains(parameter.keyword) { result.append("gives `\(parameter.keyword)` twice") }
        }
        for keyword in seen.sorted() {
            if let reason = Self.refused[keyword] {
                result.append("must not hold `\(keyword)`: \(reason)")
            } else if !Self.known.contains(keyword), let near = Suggestion.nearest(to: keyword, in: Self.known) {
                result.append("has the unknown keyword `\(keyword)`; did you mean `\(near)`?")
            }
        }
        return result
    }

    private static let startup = "server connections send no startup parameter but client_encoding=UTF8"

    /// libpq's keywords that have no place here, each with the way out.
    private static let refused = [
        "password": "put it into a file of mode 0600 and name that as `passfile=`",
        "sslpassword": "use a key file without a passphrase, of mode 0600",
        // Asynchronous connecting ignores it (manual, 34.1, PQconnectPoll).
        "connect_timeout": "`connect_timeout` of a pool is its limit, 5 s that of the console",
        "client_encoding": startup,
        "options": startup,
        "application_name": startup,
        "fallback_application_name": startup,
        "replication": startup,
    ]

    /// Only to know a misspelt one: what is far from all of these may be of a newer libpq.
    private static let known = [
        "host", "hostaddr", "port", "dbname", "user", "passfile", "password", "channel_binding", "connect_timeout",
        "client_encoding", "options", "application_name", "fallback_application_name", "keepalives",
        "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "replication", "gssencmode",
        "sslmode", "sslcompression", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir",
        "sslsni", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib",
        "service", "target_session_attrs", "require_auth", "sslcertmode", "load_balance_hosts", "gssdelegation",
        "sslnegotiation", "min_protocol_version", "max_protocol_version",
    ]
}

extension ConnectionString {
    /// libpq's `conninfo_parse`, step by step.
    private struct Scanner {
        let bytes: [UInt8]
        var offset = 0

        var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

        static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

        mutating func skipSpace() {
            while let byte = current, Self.isSpace(byte) { offset += 1 }
        }

        /// Up to and including `=`; nil at the end.
        mutating func keyword() throws(Problem) -> String? {
            skipSpace()
            guard current != nil else { return nil }
            let start = offset
            while let byte = current, byte != UInt8(ascii: "="), !Self.isSpace(byte) { offset += 1 }
            let keyword = bytes[start..<offset]
            skipSpace()
            guard current == UInt8(ascii: "=") else {
                // The word may be half of a secret with a space in it: it is not quoted.
                throw Problem(message: "has a word without `=` at byte \(start + 1)")
            }
            guard !keyword.isEmpty, keyword.allSatisfy(Self.isKeywordByte) else {
                throw Problem(message: "has an `=` without a keyword before it at byte \(offset + 1)")
            }
            offset += 1
            return String(decoding: keyword, as: UTF8.self)
        }

        static func isKeywordByte(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }

        mutating func value() throws(Problem) -> String {
            skipSpace()
            var value: [UInt8] = []
            guard current == UInt8(ascii: "'") else {
                while let byte = current, !Self.isSpace(byte) {
                    offset += 1
                    if byte == UInt8(ascii: "\\") {
                        if let escaped = takeEscaped() { value.append(escaped) }
                    } else {
                        value.append(byte)
                    }
                }
                return String(decoding: value, as: UTF8.self)
            }
            offset += 1
            while let byte = current {
                offset += 1
                if byte == UInt8(ascii: "'") { return String(decoding: value, as: UTF8.self) }
                if byte == UInt8(ascii: "\\") {
                    if let escaped = takeEscaped() { value.append(escaped) }
                } else {
                    value.append(byte)
                }
            }
            throw Problem(message: "has a quote that is not closed")
        }

        mutating func takeEscaped() -> UInt8? {
            guard let byte = current else { return nil }
            offset += 1
            return byte
        }
    }
}
