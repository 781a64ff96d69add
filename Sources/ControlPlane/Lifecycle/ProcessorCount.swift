import CProcessor
import Foundation
import NIOCore

/// How many processors this process may use; more threads than that would take turns.
enum ProcessorCount {
    /// The number of processors in the affinity mask (taskset, `CPUAffinity=`, a cpuset), or what the quota of the
    /// cgroup amounts to if that is less (`CPUQuota=`, a container's limit); 1 or more.
    static var available: Int {
        let affinity = Int(processors_of_affinity())
        let quota = CgroupQuota(
            cgroups: contents("/proc/self/cgroup") ?? "", mounts: contents("/proc/self/mountinfo") ?? "", read: contents
        )
        return count(affinity: affinity > 0 ? affinity : System.coreCount, quota: quota.processors)
    }

    /// A fraction of a processor does not count, unless there is nothing else.
    static func count(affinity: Int, quota: Double?) -> Int {
        let whole = quota.map { Int(min($0, Double(affinity))) } ?? affinity
        return max(1, min(affinity, whole))
    }

    /// Reads a file that may have any octets, as paths of mounts do.
    private static func contents(_ path: String) -> String? {
        (try? Data(contentsOf: URL(filePath: path))).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// The processor time that the kernel gives to the process's cgroup and those above it (cgroups(7)).
struct CgroupQuota {
    /// In processors; `nil`: there is no limit.
    let processors: Double?

    /// Finds the limit.
    ///
    /// - Parameters:
    ///   - cgroups: the contents of `/proc/self/cgroup`.
    ///   - mounts: the contents of `/proc/self/mountinfo`.
    ///   - read: reads a file; `nil`: there is none.
    init(cgroups: String, mounts: String, read: (String) -> String?) {
        var least: Double?
        for line in cgroups.split(separator: "\n") {
            // number:controllers:path; version 2 has no controllers there.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isVersion2 = parts[1].isEmpty
            guard isVersion2 || parts[1].split(separator: ",").contains("cpu"),
                let mount = Self.mount(in: mounts, isVersion2: isVersion2)
            else { continue }
            for folder in Self.folders(of: String(parts[2]), in: mount) {
                let found = isVersion2 ? Self.version2(folder, read) : Self.version1(folder, read)
                if let found { least = min(least ?? found, found) }
            }
        }
        processors = least
    }

    /// Where a hierarchy is mounted, and which of its folders is mounted there: a container sees only its own.
    private static func mount(in mounts: String, isVersion2: Bool) -> (root: String, point: String)? {
        for line in mounts.split(separator: "\n") {
            // … root point options … - type source options
            guard let separator = line.firstRange(of: " - ") else { continue }
            let fields = line[..<separator.lowerBound].split(separator: " ")
            let kind = line[separator.upperBound...].split(separator: " ")
            guard fields.count >= 5, kind.count >= 3 else { continue }
            let isWanted =
                isVersion2
                ? kind[0] == "cgroup2" : kind[0] == "cgroup" && kind[2].split(separator: ",").contains("cpu")
            if isWanted { return (String(fields[3]), String(fields[4])) }
        }
        return nil
    }

    /// The folders of a cgroup and of those above it, as far as they are mounted.
    private static func folders(of path: String, in mount: (root: String, point: String)) -> [String] {
        var rest = path[...]
        if mount.root != "/" {
            rest = path == mount.root || path.hasPrefix(mount.root + "/") ? path.dropFirst(mount.root.count) : ""
        }
        var names = rest.split(separator: "/")
        // "/..": the cgroup is outside of what this process sees.
        if names.contains("..") { names = [] }
        return (0...names.count).map { ([mount.point] + names.prefix($0).map(String.init)).joined(separator: "/") }
    }

    /// `cpu.max`: "50000 100000", or "max 100000".
    private static func version2(_ folder: String, _ read: (String) -> String?) -> Double? {
        let words = read(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
        guard words.count == 2 else { return nil }
        return processors(quota: Int(words[0]), period: Int(words[1]))
    }

    /// `cpu.cfs_quota_us`, -1 without a limit, and `cpu.cfs_period_us`.
    private static func version1(_ folder: String, _ read: (String) -> String?) -> Double? {
        func number(_ name: String) -> Int? {
            read(folder + name)?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
        }
        return processors(quota: number("/cpu.cfs_quota_us"), period: number("/cpu.cfs_period_us"))
    }

    private static func processors(quota: Int?, period: Int?) -> Double? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return Double(quota) / Double(period)
    }
}
