/// The bearer token that a command sends.
public enum ClientToken {
    /// Why there is none that could be sent, in one line without the token.
    public struct Failure: Error, CustomStringConvertible {
        /// The line.
        public let description: String
    }

    private static let maximumOctets = 4096

    /// The token.
    ///
    /// - Parameters:
    ///   - option: as it was given on the command line.
    ///   - file: the path of a file that has it.
    ///   - environment: the value of `KONG_DISCOVERY_TOKEN`, which counts if neither of the others is given.
    /// - Returns: `nil` if there is none.
    public static func text(
        option: String?, file: String?, environment: String?
    ) throws(Failure) -> String? {
        if let file {
            let content: RegularFile
            do throws(RegularFile.Failure) {
                content = try RegularFile(path: file, limit: maximumOctets)
            } catch {
                throw Failure(description: "--token-file: \(file): \(error.reason)")
            }
            return try checked(String(decoding: content.octets, as: UTF8.self), "--token-file: \(file)")
        }
        if let option { return try checked(option, "--token") }
        guard let environment, !environment.isEmpty else { return nil }
        return try checked(environment, "KONG_DISCOVERY_TOKEN")
    }

    /// A token without white space around it, such as the line feed at the end of a file.
    private static func checked(_ text: String, _ source: String) throws(Failure) -> String {
        func isBlank(_ octet: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(octet) }
        var octets = Array(text.utf8.drop(while: isBlank))
        while let last = octets.last, isBlank(last) { octets.removeLast() }
        guard !octets.isEmpty else { throw Failure(description: "\(source): there is no token") }
        guard octets.count <= maximumOctets, octets.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Failure(description: "\(source): this is no token: it has blanks or other characters, or is too long")
        }
        return String(decoding: octets, as: UTF8.self)
    }
}
