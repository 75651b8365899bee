extension SettingType {
    /// A value as the file would have it, without quotes.
    func render(_ value: SettingValue) -> String {
        switch (self, value) {
        case (.duration, .number(let number)): Quantity.render(number, units: QuantityUnit.durations)
        case (.percentage, .number(let number)): Quantity.render(number, units: QuantityUnit.percentages)
        case (.size, .number(let number)): Quantity.render(number, units: QuantityUnit.sizes)
        case (.fileMode, .number(let number)): FileMode.render(number)
        case (_, .number(let number)): String(number)
        case (_, .boolean(let flag)): flag ? "true" : "false"
        case (_, .text(let text)): text
        case (_, .list(let elements)): elements.map { elementType.render($0.value) }.joined(separator: ", ")
        }
    }

    private var elementType: SettingType {
        if case .list(let element) = self { element.type } else { self }
    }

    /// The same without what only the daemon needs to know.
    func renderForReaders(_ value: SettingValue) -> String {
        if case .connection = self, case .text(let text) = value {
            return (try? ConnectionString(text))?.summary ?? ""
        }
        return render(value)
    }
}

extension Settings {
    /// What this file changes that a reload cannot, compared with the settings in force.
    ///
    /// - Returns: One complaint for each, at the new value; for something that is gone, at the start of the file.
    package func restartNotes(replacing running: Settings) -> [Complaint] {
        let start = SourcePosition(line: 1, column: 1)
        let old = Dictionary(
            running.entries.filter(\.needsRestart).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var gone = old
        var notes: [Complaint] = []
        for entry in entries where entry.needsRestart {
            gone[entry.name] = nil
            guard old[entry.name]?.comparison != entry.comparison else { continue }
            notes.append(
                Complaint(
                    file: file, position: entry.position ?? start, message: "`\(entry.name)` needs a restart to change")
            )
        }
        notes += gone.keys.sorted().map {
            Complaint(file: file, position: start, message: "`\($0)` needs a restart to go away")
        }
        // Pools and clusters are known by their place while requests run.
        let names = running.pools.map(\.name.value)
        let moved = zip(pools, names).first { $0.name.value != $1 }
        if let moved, Set(names) == Set(pools.map(\.name.value)) {
            notes.append(
                Complaint(
                    file: file, position: moved.0.position,
                    message: "`pool.\(moved.0.name.value)` needs a restart to change its place among the pools"))
        }
        return notes.inFileOrder()
    }

    /// Every key that a file may have, as Markdown.
    package static func reference() -> String {
        var lines: [String] = ["# Settings", ""]
        for section in Section.allCases {
            lines += ["## \(section == .file ? "The file" : "`\(section.heading)`")", ""]
            lines += ["| key | takes | default | meaning |", "| --- | --- | --- | --- |"]
            for setting in section.settings where setting.isInThisVersion { lines.append(row(setting)) }
            lines.append("")
        }
        lines.append("¹ A reload does not change it.")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ setting: Setting) -> String {
        let initial =
            switch setting.presence {
            case .required: "required"
            case .defaults(let value): "`\(setting.type.render(value))`"
            case .optional, .notInThisVersion: ""
            }
        let takes = setting.type.expectation + (setting.type.rangeText.map { ", \($0)" } ?? "")
        let cells = [
            "`\(setting.name)`" + (setting.needsRestart ? " ¹" : ""), takes, initial, setting.meaning,
        ]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
}
