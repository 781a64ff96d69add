import Foundation

/// What is wrong with a file, in the words of the system, which everybody can look up.
enum FileReason {
    /// Words for an error of Foundation, which has none without paths, codes and sentences around them.
    static func words(for error: any Error) -> String {
        // Not as an NSError at once: on Linux it is another type of error.
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

    /// Words for a value of `errno`.
    static func words(code: Int32) -> String {
        // Unsafe: strerror returns a C string that is valid until the thread's next call.
        unsafe String(cString: strerror(code))
    }

    /// Makes a folder, and those that it is in, where they are not there yet.
    ///
    /// - Parameter path: from the root on.
    /// - Returns: why that can't be done; `nil`: it is there.
    static func makeFolder(_ path: String) -> String? {
        var made = ""
        for name in path.split(separator: "/") {
            made += "/" + name
            if let isFolder = isFolder(made) {
                if isFolder { continue }
                return words(code: ENOTDIR)
            }
            // Unsafe: reads a C string for the time of the call.
            guard unsafe mkdir(made, 0o777) != 0 else { continue }
            let code = errno
            // Somebody else may have made it meanwhile.
            if isFolder(made) != true { return words(code: code) }
        }
        return nil
    }

    /// Whether there is a folder; `nil`: there is nothing at all.
    private static func isFolder(_ path: String) -> Bool? {
        var isFolder = ObjCBool(false)
        // Unsafe: writes one value.
        return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) ? isFolder.boolValue : nil
    }

    /// Why a file can't be read; `nil`: it can. It is not opened: a pipe would be waited for.
    static func unreadable(_ path: String) -> String? {
        guard let isFolder = isFolder(path) else { return words(code: ENOENT) }
        if isFolder { return words(code: EISDIR) }
        return FileManager.default.isReadableFile(atPath: path) ? nil : words(code: EACCES)
    }

    /// A path from the root on: a service manager starts programs where nobody expects it.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
