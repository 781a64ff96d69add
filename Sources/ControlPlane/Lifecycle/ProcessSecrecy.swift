import Glibc

/// Keeps what this process writes from other users of the machine.
public enum ProcessSecrecy {
    /// From now on files and folders are made for their owner alone, and memory, which has passwords, is not written to
    /// a core file. Files that exist keep their rights.
    public static func begin() {
        umask(0o077)
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        // Unsafe: reads the structure. That it is lowered is always allowed.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }
}
