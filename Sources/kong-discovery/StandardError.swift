import Foundation

/// Prints a line to standard error.
func printError(_ line: String) {
    // Nobody is left to tell when standard error is closed.
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
}
