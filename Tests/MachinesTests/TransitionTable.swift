import Foundation
import Testing

/// What one event does to a machine in one state.
enum Transition<Output: Equatable & Sendable, State: Sendable>: Sendable {
    /// The machine returns this and is in that state then.
    case to(State, Output)
    /// The machine returns this and stays as it was.
    case stays(Output)
    /// Misuse by the daemon itself: a precondition ends the process.
    case traps
}

/// Every event of a machine in every one of its states.
///
/// `State` names values of the machine: after an event it must look like the one that `make` builds for the next state.
/// A table that looks at the whole machine lets nothing change unseen; one that looks at an aspect says so.
protocol TransitionTable {
    associatedtype Machine
    associatedtype Aspect: Equatable
    associatedtype State: CaseIterable & Hashable & Codable & Sendable
    associatedtype Event: CaseIterable & Hashable & Codable & Sendable
    associatedtype Output: Equatable & Sendable
    /// The machine's source file, without its suffix.
    static var sourceFile: String { get }
    /// The machine's function that the event calls, by name.
    static func function(of event: Event) -> String
    /// A machine in this state, brought there by its own events.
    static func make(_ state: State) -> Machine
    /// What the table looks at.
    static func look(at machine: Machine) -> Aspect
    static func apply(_ event: Event, to machine: inout Machine) -> Output
    static var rows: [Event: [State: Transition<Output, State>]] { get }
}

struct TransitionPair<Table: TransitionTable>: Codable, Sendable, CustomTestStringConvertible {
    let event: Table.Event
    let state: Table.State

    var testDescription: String { "\(event) in \(state)" }
}

extension TransitionTable {
    /// The pairs that must end the process: each is tried in a process of its own.
    static var traps: [TransitionPair<Self>] {
        pairs.filter { pair in
            if case .traps = rows[pair.event]?[pair.state] { return true }
            return false
        }
    }

    static var pairs: [TransitionPair<Self>] {
        Event.allCases.flatMap { event in State.allCases.map { TransitionPair(event: event, state: $0) } }
    }

    /// One row: the same transition for several states.
    static func row(_ groups: ([State], Transition<Output, State>)...) -> [State: Transition<Output, State>] {
        var row: [State: Transition<Output, State>] = [:]
        for (states, transition) in groups {
            for state in states {
                precondition(row[state] == nil, "\(state) stands twice in one row")
                row[state] = transition
            }
        }
        return row
    }

    static var functions: Set<String> { Set(Event.allCases.map(function(of:))) }

    /// Misuses the machine: does not return when the table is right.
    static func misuse(_ pair: TransitionPair<Self>) {
        var machine = make(pair.state)
        _ = apply(pair.event, to: &machine)
    }

    /// Every pair has its row, and every row that does not trap is true.
    static func check(sourceLocation: SourceLocation = #_sourceLocation) {
        for pair in pairs {
            let name = Comment(rawValue: "\(sourceFile): \(pair.testDescription)")
            guard let transition = rows[pair.event]?[pair.state] else {
                Issue.record("\(name) has no row", sourceLocation: sourceLocation)
                continue
            }
            var machine = make(pair.state)
            switch transition {
            case .traps: continue
            case .to(let next, let output):
                let actual = apply(pair.event, to: &machine)
                #expect(actual == output, name, sourceLocation: sourceLocation)
                #expect(look(at: machine) == look(at: make(next)), name, sourceLocation: sourceLocation)
            case .stays(let output):
                let actual = apply(pair.event, to: &machine)
                #expect(actual == output, name, sourceLocation: sourceLocation)
                #expect(look(at: machine) == look(at: make(pair.state)), name, sourceLocation: sourceLocation)
            }
        }
    }

    /// States that the table tells apart must differ, or a wrong next state could pass.
    static func checkStatesDiffer(sourceLocation: SourceLocation = #_sourceLocation) {
        let states = Array(State.allCases)
        for (index, first) in states.enumerated() {
            for second in states[(index + 1)...] where look(at: make(first)) == look(at: make(second)) {
                Issue.record("\(sourceFile): \(first) and \(second) are the same", sourceLocation: sourceLocation)
            }
        }
    }
}

/// The names of the functions that a machine's source file gives to the daemon.
func packageEvents(ofSourceFile name: String, testFile: String = #filePath) throws -> Set<String> {
    let root = URL(fileURLWithPath: testFile).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let source = try String(
        contentsOf: root.appendingPathComponent("Sources/Proxy/Machines/\(name).swift"), encoding: .utf8)
    let names = source.matches(of: /\n    package (?:mutating )?func (\w+)\(/).map { String($0.output.1) }
    return Set(names)
}
