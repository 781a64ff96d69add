import Foundation
import Testing

@testable import ControlPlane

/// The system's own words about files.
@Suite struct FileReasonTests {
    private struct Odd: Error, CustomStringConvertible { var description: String { "odd" } }

    @Test func `an error of Foundation is told in the system's words`() throws {
        func words(_ body: () throws -> Void) -> String {
            do {
                try body()
                return ""
            } catch {
                return FileReason.words(for: error)
            }
        }
        let folder = FileManager.default.temporaryDirectory
        let missing = folder.appending(path: "missing-\(UUID())")
        #expect(words { _ = try Data(contentsOf: missing) } == "No such file or directory")
        #expect(words { try Data().write(to: missing.appending(path: "a")) } == "No such file or directory")
        #expect(words { _ = try FileHandle(forReadingFrom: missing) } == "No such file or directory")
        #expect(words { throw CocoaError(.fileWriteNoPermission) } == "Permission denied")
        #expect(words { throw CocoaError(.fileWriteOutOfSpace) } == "No space left on device")
        #expect(words { throw POSIXError(.EROFS) } == "Read-only file system")
        #expect(words { throw Odd() } == "odd")
        let error = JSONError(problem: "expected a value", line: 1, column: 1)
        #expect(words { throw error } == "line 1, column 1: expected a value")
        #expect(words { throw StoreUnavailable(reason: "no room") } == "no room")
    }

    @Test func `a folder is made with those that it is in, or it is told why not`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "folder-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let inner = folder.appending(path: "a/b").path
        for _ in 0..<2 { #expect(FileReason.makeFolder(inner) == nil) }
        #expect(FileReason.unreadable(inner) == "Is a directory")
        #expect(FileReason.makeFolder("/etc/hosts/a/b") == "Not a directory")
        #expect(FileReason.makeFolder("/etc/hosts") == "Not a directory")
        #expect(FileReason.makeFolder("/proc/a/b") == "No such file or directory")
        #expect(FileReason.makeFolder("/") == nil)
    }

    @Test func `a file that can be read has no reason why not`() {
        #expect(FileReason.unreadable("/etc/hosts") == nil)
        #expect(FileReason.unreadable("/etc") == "Is a directory")
        #expect(FileReason.unreadable("/etc/none") == "No such file or directory")
        #expect(FileReason.absolute("/a/b") == "/a/b")
        #expect(FileReason.absolute("a/b") == FileManager.default.currentDirectoryPath + "/a/b")
    }
}
