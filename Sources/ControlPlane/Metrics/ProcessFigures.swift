import Foundation

/// What the process takes of the machine (proc(5)).
struct ProcessFigures: Sendable, Equatable {
    /// CPU time of all threads, in seconds.
    var cpuSeconds: Double?
    /// Octets of memory that are resident, and of address space.
    var residentBytes: UInt64?
    var virtualBytes: UInt64?
    var threads: UInt64?
    /// File descriptors: open ones and the limit.
    var openDescriptors: UInt64?
    var maximumDescriptors: UInt64?

    /// Reads them now; what can't be read is `nil`.
    static func read() -> ProcessFigures {
        var figures = ProcessFigures(
            status: contents("/proc/self/stat"), ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
            pageOctets: sysconf(Int32(_SC_PAGESIZE)))
        // The number that reading the folder takes is not counted.
        figures.openDescriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))
            .map { UInt64($0.count - 1) }
        figures.maximumDescriptors = contents("/proc/self/limits").split(separator: "\n")
            .first { $0.hasPrefix("Max open files") }
            .flatMap { $0.split(separator: " ").dropFirst(3).first }.flatMap { UInt64($0) }
        return figures
    }

    /// Takes what `/proc/self/stat` says.
    init(status: String, ticksPerSecond: Int, pageOctets: Int) {
        // The name of the program stands in parentheses, and may have any octets. Behind it the third field follows.
        guard let end = status.lastIndex(of: ")") else { return }
        let fields = status[status.index(after: end)...].split(separator: " ")
        func field(_ number: Int) -> UInt64? { fields.count > number - 3 ? UInt64(fields[number - 3]) : nil }
        if let user = field(14), let system = field(15), ticksPerSecond > 0 {
            cpuSeconds = Double(user &+ system) / Double(ticksPerSecond)
        }
        threads = field(20)
        virtualBytes = field(23)
        residentBytes = field(24).map { $0 &* UInt64(clamping: pageOctets) }
    }

    private static func contents(_ path: String) -> String {
        (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
