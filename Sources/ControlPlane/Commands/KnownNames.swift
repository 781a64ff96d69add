/// The names of services, for a shell that completes what is typed.
public enum KnownNames {
    private static let maximumCount = 1000
    private static let timeout = Duration.seconds(1)

    /// The names; none if the server can't be reached, or is slow.
    ///
    /// - Parameters:
    ///   - url: of its REST API.
    ///   - token: the bearer token to send; `nil`: none.
    public static func all(url: String, token: String?) async -> [String] {
        guard let api = try? APIClient(ServerAccess(url: url, token: token, timeout: timeout)) else { return [] }
        var names: [String] = []
        _ = try? await PagedList.names(api).read(limit: maximumCount) { page in
            names += page.compactMap { $0["name"].text }
            return true
        }
        return names
    }
}
