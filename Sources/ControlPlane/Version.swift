/// The version of the program.
public enum Version {
    /// The version in the form of Semantic Versioning.
    public static let current = "0.1.0"
}
