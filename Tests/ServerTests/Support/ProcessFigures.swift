import Foundation
import Glibc
import Testing

/// What the system reports about a server's process.
extension ServerProcess {
    /// The memory in use.
    func residentOctets() throws -> Int {
        let line = try file("status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kibibytes = try #require(line?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        return kibibytes * 1024
    }

    /// The processor time that it has used.
    func processorTime() throws -> Duration {
        // The name in parentheses may contain anything. The fields after it, from the third on, are numbers.
        let fields = try #require(try file("stat").split(separator: ")").last).split(separator: " ")
        let ticks = try #require(Int(fields[11])) + #require(Int(fields[12]))
        return .seconds(ticks) / Int(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func file(_ name: String) throws -> String {
        try String(contentsOfFile: "/proc/\(process.identifier)/\(name)", encoding: .utf8)
    }
}

/// Allows this process to have many sockets open.
func raiseDescriptorLimit() {
    var limit = rlimit()
    // Unsafe: the kernel writes one value, and reads one.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
