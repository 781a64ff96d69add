import ArgumentParser

/// `kong-discovery completions`: prints the script that makes a shell complete the program's arguments.
struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the completion script for a shell.",
        discussion: """
            Names of services are completed too: the server is asked for them.

            EXAMPLES:
              bash   kong-discovery completions bash \\
                         > /etc/bash_completion.d/kong-discovery
              zsh    kong-discovery completions zsh \\
                         > "${fpath[1]}/_kong-discovery"
              fish   kong-discovery completions fish \\
                         > ~/.config/fish/completions/kong-discovery.fish
            """
    )

    /// The shells that there are scripts for.
    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash, zsh, fish

        fileprivate var completionShell: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    @Argument(help: "The shell.")
    var shell: Shell

    func run() throws {
        print(KongDiscovery.completionScript(for: shell.completionShell))
    }
}
