/// The version of the program.
public enum Version {
    /// The version, as in Semantic Versioning.
    public static let current = "0.1.0"

    /// The version with the commit that it was built from as build metadata (Semantic Versioning, §10):
    /// `0.1.0+7123c77868a7`.
    ///
    /// - Parameters:
    ///   - commit: the first 12 hexadecimal digits of the commit, or 0 if it is not known.
    ///   - isModified: whether the sources had changes that were in no commit.
    public static func full(commit: UInt64, isModified: Bool) -> String {
        guard commit != 0 else { return current }
        let digits = String(commit, radix: 16)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        return "\(current)+\(padded)\(isModified ? ".modified" : "")"
    }
}
