import Testing

@testable import ControlPlane

/// How many processors a process may use, according to the kernel.
@Suite struct ProcessorCountTests {
    private static let version2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
    private static let version1 = """
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 master:1 - cgroup cgroup rw,cpu,cpuacct
        """

    private func quota(_ cgroups: String, _ mounts: String, _ files: [String: String]) -> Double? {
        CgroupQuota(cgroups: cgroups, mounts: mounts) { files[$0] }.processors
    }

    @Test func `the least of a cgroup's and its parents' quotas counts`() {
        let cgroup = "0::/system.slice/kong-discovery.service\n"
        let (slice, unit) = ("/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/system.slice/kong-discovery.service")
        #expect(quota(cgroup, Self.version2, [unit + "/cpu.max": "150000 100000\n"]) == 1.5)
        let both = [unit + "/cpu.max": "max 100000\n", slice + "/cpu.max": "50000 100000\n"]
        #expect(quota(cgroup, Self.version2, both) == 0.5)
        #expect(quota(cgroup, Self.version2, [unit + "/cpu.max": "max 100000\n"]) == nil)
        #expect(quota(cgroup, Self.version2, [:]) == nil)
        // A container sees its own cgroup as the root.
        #expect(quota("0::/\n", Self.version2, ["/sys/fs/cgroup/cpu.max": "300000 100000\n"]) == 3)
        #expect(quota("0::/../other\n", Self.version2, ["/sys/fs/cgroup/cpu.max": "300000 100000\n"]) == 3)
    }

    @Test func `version 1 has its quota in two files, where the controller is mounted`() {
        let cgroups = "9:name=systemd:/\n3:cpuset:/\n2:cpu,cpuacct:/docker/abc\n0::/\n"
        let folder = "/sys/fs/cgroup/cpu,cpuacct"
        func files(_ folder: String, _ quota: String) -> [String: String] {
            [folder + "/cpu.cfs_quota_us": quota + "\n", folder + "/cpu.cfs_period_us": "100000\n"]
        }
        #expect(quota(cgroups, Self.version1, files(folder + "/docker/abc", "200000")) == 2)
        #expect(quota(cgroups, Self.version1, files(folder + "/docker/abc", "-1")) == nil)
        // Inside the container, its own folder is the mount.
        let inside = Self.version1.replacing("0:29 / ", with: "0:29 /docker/abc ")
        #expect(quota(cgroups, inside, files(folder, "25000")) == 0.25)
        #expect(quota(cgroups, "", files(folder, "25000")) == nil)
    }

    @Test(arguments: [
        "", "max", "100000", "a b", "-1 100000", "0 100000", "100000 0", "1 2 3", "9223372036854775808 1",
    ])
    func `what is no quota is none`(text: String) {
        #expect(quota("0::/\n", Self.version2, ["/sys/fs/cgroup/cpu.max": text]) == nil)
        #expect(quota("x\n0::\n::\n", "a - b\n - \n", ["/sys/fs/cgroup/cpu.max": text]) == nil)
    }

    @Test(
        arguments: [
            (8, nil, 8), (8, 4, 4), (8, 3.9, 3), (8, 0.1, 1), (2, 16, 2), (1, nil, 1), (0, nil, 1), (4, 1e300, 4),
        ] as [(Int, Double?, Int)])
    func `as many threads as there are whole processors, and one`(affinity: Int, quota: Double?, count: Int) {
        #expect(ProcessorCount.count(affinity: affinity, quota: quota) == count)
    }

    @Test func `this process has at least one`() {
        #expect(ProcessorCount.available >= 1)
    }
}
