import Glibc

/// The process's standard error: a file, a pipe or a terminal, which other processes may write to as well.
enum StandardError {
    /// Writes a text, and waits for the reader if necessary.
    ///
    /// - Returns: whether everything was written.
    static func write(_ text: String) -> Bool {
        WholeWrite.write(Array(text.utf8), to: STDERR_FILENO) == nil
    }
}
