import Foundation

/// Says what is wrong with a file in the system's own words, which everybody can look up.
enum FileReason {
    /// The words for an error of Foundation, whose own text adds paths, codes and sentences.
    static func words(for error: any Error) -> String {
        // On Linux, a direct cast to NSError fails: the error has another type.
        let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error
        let underlying = (cause ?? error) as NSError
        if underlying.domain == NSPOSIXErrorDomain { return words(code: Int32(underlying.code)) }
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile?, .fileReadNoSuchFile?: return words(code: ENOENT)
        case .fileReadNoPermission?, .fileWriteNoPermission?: return words(code: EACCES)
        case .fileWriteOutOfSpace?: return words(code: ENOSPC)
        case .fileWriteVolumeReadOnly?: return words(code: EROFS)
        case .fileWriteFileExists?: return words(code: EEXIST)
        default: return error is CocoaError || type(of: error) is NSError.Type ? error.localizedDescription : "\(error)"
        }
    }

    /// The words for a value of `errno`.
    static func words(code: Int32) -> String {
        // Unsafe: strerror returns a C string that is valid until the thread's next call.
        unsafe String(cString: strerror(code))
    }

    /// Makes a folder and those above it, unless they exist.
    ///
    /// - Parameter path: an absolute path.
    /// - Returns: why it can't be made, or `nil` if it exists now.
    static func makeFolder(_ path: String) -> String? {
        var made = ""
        for name in path.split(separator: "/") {
            made += "/" + name
            if let isFolder = isFolder(made) {
                if isFolder { continue }
                return words(code: ENOTDIR)
            }
            // Unsafe: reads a C string during the call.
            guard unsafe mkdir(made, 0o777) != 0 else { continue }
            let code = errno
            // Another process may have made it in the meantime.
            if isFolder(made) != true { return words(code: code) }
        }
        return nil
    }

    /// Whether the path is a folder, or `nil` if nothing is there.
    private static func isFolder(_ path: String) -> Bool? {
        var isFolder = ObjCBool(false)
        // Unsafe: writes one value.
        return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) ? isFolder.boolValue : nil
    }

    /// Why a file can't be read, or `nil` if it can. It is not opened, since opening a pipe would block.
    static func unreadable(_ path: String) -> String? {
        guard let isFolder = isFolder(path) else { return words(code: ENOENT) }
        if isFolder { return words(code: EISDIR) }
        return FileManager.default.isReadableFile(atPath: path) ? nil : words(code: EACCES)
    }

    /// The absolute form of a path: a service manager may start programs in any folder.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
