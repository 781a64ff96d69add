import Foundation
import Testing

@testable import ControlPlane

/// What is reported if the file with the last known state can't be written or read.
@Suite struct EtcdSnapshotTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())")

    private func save(_ path: String, revision: Int64 = 1) -> String? {
        let snapshot = EtcdSnapshot(DiskFile(path: path))
        do throws(StoreUnavailable) {
            try snapshot.save(EtcdPosition(identity: "x", revision: revision), savedAt: .now) {
                ([.test(1), .test(2)], [])
            }
            return nil
        } catch {
            return error.reason
        }
    }

    private func load(_ path: String) -> String? {
        do throws(StoreUnavailable) {
            _ = try EtcdSnapshot(DiskFile(path: path)).load()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `what the system refuses is told in its words, with the whole path`() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "file").path
        try Data("x".utf8).write(to: URL(filePath: file))
        #expect(save("\(file)/folder/snapshot") == "can't create the folder \(file)/folder: Not a directory")
        #expect(save(folder.path)?.hasPrefix("can't write \(folder.path): ") == true)
        #expect(load(folder.path) == "can't read \(folder.path): Is a directory")
        // The path does not depend on the folder in which the server was started.
        let here = FileManager.default.currentDirectoryPath
        #expect(DiskFile(path: "data/snapshot").path == "\(here)/data/snapshot")
    }

    @Test func `what is damaged is named`() throws {
        let path = folder.appending(path: "snapshot").path
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(save(path) == nil && load(path) == nil)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try Data((text + "{}\n").utf8).write(to: URL(filePath: path))
        #expect(load(path) == "\(path): it has 3 instances instead of 2")
        // Cut off between two lines.
        let cut = text.split(separator: "\n").prefix(2).joined(separator: "\n")
        try Data(cut.utf8).write(to: URL(filePath: path))
        #expect(load(path) == "\(path): it has 1 instances instead of 2")
        try Data((cut + "\n{}\n").utf8).write(to: URL(filePath: path))
        #expect(load(path)?.hasPrefix("\(path): the instance 2 is damaged: ") == true)
        try Data(text.dropFirst().utf8).write(to: URL(filePath: path))
        #expect(load(path) == "\(path): the first line is not that of a snapshot")
        try Data(text.replacing(#""version":1"#, with: #""version":2"#).utf8).write(to: URL(filePath: path))
        #expect(load(path)?.hasPrefix("\(path): not a snapshot of version 1") == true)
    }

    @Test func `a file of before that says neither revision nor number is read`() throws {
        let path = folder.appending(path: "snapshot").path
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(save(path, revision: 7) == nil)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(try EtcdSnapshot(DiskFile(path: path)).load()?.position == EtcdPosition(identity: "x", revision: 7))
        let old = text.replacing(#""revision":7,"#, with: "").replacing(#","instances":2"#, with: "")
        #expect(old != text && !old.contains("revision"))
        try Data(old.utf8).write(to: URL(filePath: path))
        let contents = try #require(try EtcdSnapshot(DiskFile(path: path)).load())
        #expect(contents.position == EtcdPosition(identity: "x") && contents.instances.count == 2)
    }

    @Test func `what is so already is no news`() {
        let snapshot = EtcdSnapshot(DiskFile(path: "/x"))
        let problems = [nil, nil, "a", "a", "b", nil, nil].map { $0.map(StoreUnavailable.init(reason:)) }
        #expect(problems.map { snapshot.note($0) } == [false, false, true, false, true, true, false])
    }
}
