/// A place in the settings file. Lines and columns start at 1; a column counts characters, not bytes.
package struct SourcePosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }

    package var description: String { "\(line):\(column)" }
}

/// A value of the file together with the place where it stands, for those that judge it later (an unknown group, a bad
/// regular expression, an expectation that fails).
package struct Located<Value> {
    package let value: Value
    package let position: SourcePosition

    package init(_ value: Value, at position: SourcePosition) {
        self.value = value
        self.position = position
    }
}

extension Located: Sendable where Value: Sendable {}
extension Located: Equatable where Value: Equatable {}

/// One thing that is wrong with a settings file. Never holds a connection string: it may hold a secret.
package struct Complaint: Sendable, Hashable, CustomStringConvertible {
    package let file: String
    package let position: SourcePosition
    package let message: String

    package init(file: String, position: SourcePosition, message: String) {
        self.file = file
        self.position = position
        self.message = message
    }

    package var line: Int { position.line }
    package var column: Int { position.column }

    /// `file:line:column: message`, the form that editors jump to.
    package var description: String { "\(file):\(position): \(message)" }
}

extension Sequence where Element == Complaint {
    /// In the order of the file; complaints about one place keep the order in which they were found.
    package func inFileOrder() -> [Complaint] {
        // Swift's sort is stable in practice but does not promise it, hence the index.
        enumerated()
            .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
            .map(\.element)
    }
}
