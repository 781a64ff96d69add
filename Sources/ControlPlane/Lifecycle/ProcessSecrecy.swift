import Glibc

/// Keeps this process's files and memory from other users of the machine.
public enum ProcessSecrecy {
    /// From now on, new files and folders are accessible to their owner only, and no core file is written, since memory
    /// has passwords. Existing files keep their permissions.
    public static func begin() {
        umask(0o077)
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        // Unsafe: reads the structure. Lowering the limit is always allowed.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }
}
