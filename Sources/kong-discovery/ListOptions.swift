import ArgumentParser
import ControlPlane

/// The options of commands that print a list.
struct ListOptions: ParsableArguments {
    @Flag(help: "Print JSON: an object with all elements, one a line.")
    var json = false

    @Flag(help: "Print again whenever something in the list changes, until Ctrl-C.")
    var watch = false

    @Option(help: ArgumentHelp("The most elements to print. Default: all.", valueName: "count"))
    var limit: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1.") }
    }

    /// Prints the list.
    func print(_ command: ListCommand) async throws {
        if watch {
            try await command.watch(limit: limit, isJSON: json)
        } else {
            try await command.run(limit: limit, isJSON: json)
        }
    }
}

extension CompletionKind {
    /// Names of services, which the server is asked for.
    static let serviceNames = CompletionKind.custom { arguments, _, _ async -> [String] in
        func value(of option: String) -> String? {
            guard let index = arguments.lastIndex(of: option), index + 1 < arguments.count else { return nil }
            return arguments[index + 1]
        }
        let token = try? ServerOptions.token(value(of: "--token"), file: value(of: "--token-file"))
        return await KnownNames.all(url: ServerOptions.url(value(of: "--server")), token: token ?? nil)
    }

    /// The states that an instance may have.
    static let statuses = CompletionKind.list(["passing", "warning", "critical", "draining"])
}
