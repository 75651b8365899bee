import Glibc

/// What the kernel says of one process.
struct ProcessTimes {
    let pid: Int

    /// Nanoseconds of CPU of all its threads, from `/proc/PID/task/*/schedstat` (finer than the ticks of `stat`).
    func cpuNanoseconds() -> UInt64 {
        guard let folder = opendir("/proc/\(pid)/task") else { return 0 }
        defer { closedir(folder) }
        var sum: UInt64 = 0
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.first?.isNumber == true else { continue }
            let fields = Self.contents(of: "/proc/\(pid)/task/\(name)/schedstat").split(separator: " ")
            sum &+= fields.first.flatMap { UInt64($0) } ?? 0
        }
        return sum
    }

    /// Bytes of resident memory.
    func residentBytes() -> Int {
        let fields = Self.contents(of: "/proc/\(pid)/statm").split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    private static func contents(of path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
}
