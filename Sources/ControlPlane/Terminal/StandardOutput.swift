import Glibc

/// The process's standard output: what a command is asked for goes there, and nothing else.
enum StandardOutput {
    /// Writes all octets, and waits for the reader if necessary.
    ///
    /// If the reader has gone, as `head` goes when it has seen enough, the program ends as other programs do then: by
    /// SIGPIPE, without a word.
    ///
    /// - Throws: if they can't be written, because the disk is full.
    static func write(_ octets: [UInt8]) throws(CommandFailure) {
        guard let code = WholeWrite.write(octets, to: STDOUT_FILENO) else { return }
        if code == EPIPE {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        throw CommandFailure("standard output: \(FileReason.words(code: code))")
    }

    /// Writes a text.
    static func write(_ text: String) throws(CommandFailure) {
        try write(Array(text.utf8))
    }

    /// Makes writing to a connection or reader that has gone an error of that write.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
