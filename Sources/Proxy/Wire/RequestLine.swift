/// A request as a client writes it. Everything is escaped or refused here, so no content can become a second line.
package struct RequestLine: Equatable, Sendable {
    package struct Option: Equatable, Sendable {
        package var key: OptionKey
        /// Nil for those that take none.
        package var value: String?

        package init(_ key: OptionKey, _ value: String? = nil) {
            self.key = key
            self.value = value
        }
    }

    package var verb: Verb
    package var id: String
    package var options: [Option]
    /// Spaces before it are left out, since they would be read as part of the gap; empty is the same as absent.
    package var text: String
    /// nil is SQL NULL.
    package var parameters: [String?]

    package init(_ verb: Verb, id: String, options: [Option] = [], text: String = "", parameters: [String?] = []) {
        self.verb = verb
        self.id = id
        self.options = options
        self.text = text
        self.parameters = parameters
    }

    /// Appends the line with its LF. Throws what the daemon would answer to a line of this shape, and then appends
    /// nothing; ranges of values (`@lag=-1`) are left to the daemon.
    package func append(to bytes: inout [UInt8], limits: WireLimits = WireLimits()) throws(WireError) {
        let start = bytes.count
        do throws(WireError) {
            try appendHead(to: &bytes, from: start, limits)
            try appendFields(to: &bytes, from: start, limits)
            bytes.append(ASCII.lineFeed)
            guard bytes.count - start <= limits.maxLine else { throw .lineTooLong(limit: Int32(limits.maxLine)) }
        } catch {
            bytes.removeSubrange(start...)
            throw error
        }
    }

    package func bytes(limits: WireLimits = WireLimits()) throws(WireError) -> [UInt8] {
        var bytes: [UInt8] = []
        try append(to: &bytes, limits: limits)
        return bytes
    }

    private func appendHead(to bytes: inout [UInt8], from start: Int, _ limits: WireLimits) throws(WireError) {
        bytes.append(verb.name)
        bytes.append(ASCII.space)
        let idBytes = id.utf8
        guard (1...RequestReader.longestID).contains(idBytes.count), idBytes.allSatisfy(ASCII.isIDCharacter) else {
            throw .badID(at: Int32(bytes.count - start))
        }
        bytes.append(contentsOf: idBytes)
        guard options.count <= limits.maxOptions else { throw .tooManyOptions(limit: Int32(limits.maxOptions)) }
        var present: OptionKeys = []
        for option in options {
            let key = option.key
            guard verb.form.options.contains(OptionKeys(key)) else { throw .optionRefused(key, of: verb) }
            guard present.insert(OptionKeys(key)).inserted || key == .after else { throw .optionRepeated(key) }
            bytes.append(ASCII.space)
            let at = Int32(bytes.count - start)
            guard key.takesValue == (option.value != nil) else { throw .badOptionValue(key, at: at) }
            bytes.append(ASCII.at)
            bytes.append(key.name)
            guard let value = option.value?.utf8 else { continue }
            // A space here would end the option, a tab or a line feed would start a value or a line.
            guard (1...RequestReader.longestOptionValue).contains(value.count), value.allSatisfy(ASCII.isVisible)
            else { throw .badOptionValue(key, at: at) }
            bytes.append(ASCII.equals)
            bytes.append(contentsOf: value)
        }
    }

    private func appendFields(to bytes: inout [UInt8], from start: Int, _ limits: WireLimits) throws(WireError) {
        let text = text.unicodeScalars.drop { $0 == " " }
        if let first = text.first {
            bytes.append(ASCII.space)
            guard verb.form.text != .none else { throw .textRefused(verb, at: Int32(bytes.count - start)) }
            guard first != "@" else { throw .textStartsWithAt }
            try Self.appendEscaped(String(text), to: &bytes, from: start)
        } else if verb.form.text.isRequired {
            throw .textMissing(verb)
        }
        guard verb.form.takesValues || parameters.isEmpty else {
            throw .valueRefused(verb, at: Int32(bytes.count - start))
        }
        guard parameters.count <= limits.maxParameters else {
            throw .tooManyParameters(limit: Int32(limits.maxParameters))
        }
        for parameter in parameters {
            bytes.append(ASCII.tab)
            if let parameter {
                try Self.appendEscaped(parameter, to: &bytes, from: start)
            } else {
                bytes.append(ASCII.backslash)
                bytes.append(ASCII.capitalN)
            }
        }
    }

    private static func appendEscaped(
        _ text: String, to bytes: inout [UInt8], from start: Int
    ) throws(WireError) {
        var text = text
        let hasNul = text.withUTF8 { field in
            var run = 0
            for index in field.indices {
                let letter = FieldEscapes.letter(for: field[index])
                guard letter != nil || field[index] == 0 else { continue }
                bytes.append(contentsOf: field[run..<index])
                guard let letter else { return true }
                bytes.append(ASCII.backslash)
                bytes.append(letter)
                run = index + 1
            }
            bytes.append(contentsOf: field[run...])
            return false
        }
        if hasNul { throw .nulByte(at: Int32(truncatingIfNeeded: bytes.count - start)) }
    }
}

extension OptionKey {
    fileprivate var takesValue: Bool {
        if case .none = value { false } else { true }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ name: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }
}
