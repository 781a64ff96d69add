import Glibc

/// The limit of files and sockets that this process may have open.
enum DescriptorLimit {
    /// Raises the soft limit to the hard one. Shells and service managers keep the soft limit low for programs that use
    /// select(2), which can't have more than 1,024.
    ///
    /// - Returns: the limit from now on.
    static func raise() -> Int {
        var limit = rlimit()
        // Unsafe: the kernel reads and writes one value each.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
