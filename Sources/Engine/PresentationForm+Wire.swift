extension PresentationForm {
    /// The wire form, in lower case, of a name with or without the dot at its end; `nil`: it is not a domain name, or
    /// it has an escape.
    public static func wireName(_ text: String) -> [UInt8]? { RecordPacker.wireName(text) }
}
