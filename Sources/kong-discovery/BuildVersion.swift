import CVersion
import ControlPlane

/// The version of this very program.
enum BuildVersion {
    /// The version, with the commit where the build was told of it: `0.1.0+7123c77868a7`.
    static let current = Version.full(commit: source_commit(), isModified: source_is_modified())
}
