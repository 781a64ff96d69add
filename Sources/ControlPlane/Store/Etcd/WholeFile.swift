import Foundation

/// A file that is read and replaced as a whole: ``DiskFile`` in production.
protocol WholeFile: Sendable {
    /// Its path, for messages.
    var path: String { get }

    /// Reads it.
    ///
    /// - Returns: `nil` if there is none.
    func read() throws(StoreUnavailable) -> [UInt8]?

    /// Replaces it, completely or not at all.
    func replace(with octets: [UInt8]) throws(StoreUnavailable)
}

/// A file in the file system.
struct DiskFile: WholeFile {
    /// Absolute.
    let path: String

    init(path: String) {
        self.path = FileReason.absolute(path)
    }

    func read() throws(StoreUnavailable) -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw StoreUnavailable(reason: "can't read \(path): \(FileReason.words(for: error))")
        }
    }

    func replace(with octets: [UInt8]) throws(StoreUnavailable) {
        let url = URL(filePath: path)
        let folder = url.deletingLastPathComponent().path
        if let reason = FileReason.makeFolder(folder) {
            throw StoreUnavailable(reason: "can't create the folder \(folder): \(reason)")
        }
        do {
            try Data(octets).write(to: url, options: .atomic)
        } catch {
            throw StoreUnavailable(reason: "can't write \(path): \(FileReason.words(for: error))")
        }
    }
}
