import Glibc

/// Progress, on standard error: the table is standard output's.
func report(_ text: String) {
    let line = Array("bench: \(text)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

func bench() throws(BenchError) {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    let figures = try Figures.measure(options.figures, options)
    print(Figure.header)
    for figure in figures { print(figure.row) }
    guard let path = options.out else { return }
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw .system("open \(path)") }
    defer { close(file) }
    let text = Array(figures.map { $0.json + "\n" }.joined().utf8)
    guard text.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == text.count else {
        throw .system("write \(path)")
    }
}

signal(SIGPIPE, SIG_IGN)
do {
    try bench()
} catch {
    report("\(error)")
    exit(1)
}
