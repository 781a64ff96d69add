import UnixSignals

/// The end of a command that goes on until somebody stops it.
enum Interruption {
    /// Runs `body` until it returns, or until SIGINT or SIGTERM comes: then it is cancelled, and this returns without
    /// an error, because that is the usual end.
    static func end(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { for await _ in signals { return } }
            try await group.next()
            group.cancelAll()
            while (try? await group.next()) != nil {}
        }
    }
}
