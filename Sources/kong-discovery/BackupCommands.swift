import ArgumentParser
import ControlPlane

/// `kong-discovery backup`: writes everything that is registered to a file.
struct Backup: ServerCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write everything that is registered to a file, checked.",
        usage: "kong-discovery backup (<file> | -) [--json] [<options>]",
        discussion: """
            All instances and policies as they are when the command starts, whatever changes meanwhile. The server's \
            storage does not matter: any server restores them into any storage. Drained instances, checks and their \
            results are kept; heartbeats are not.

            The file appears, or replaces another one, when all of it has come and its check sum is right; only its \
            owner may read it. With tokens the role admin is needed.

            EXAMPLES:
              kong-discovery backup registry.backup
              kong-discovery backup - | gzip > registry.backup.gz
            """
    )

    @Argument(help: "The file; - is standard output.", completion: .file())
    var file: String

    @Flag(help: "Print what it has as JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await BackupCommand(access).run(file: file, isJSON: json)
    }
}

/// `kong-discovery restore`: has a server take in a backup.
struct Restore: ServerCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a server take in a backup.",
        usage: "kong-discovery restore (<file> | -) [--merge] [--json] [<options>]",
        discussion: """
            Nothing is changed before the server has all of it and its check sum is right; when the command returns, \
            DNS answers with it. Each instance is as it was, and has a whole ttl from now on: those whose service is \
            gone expire when it ends.

            A registry that is not empty is refused. With --merge what is there stays, except where the backup has an \
            instance with the same id or a policy of the same service: then the backup's replaces it. If a restore is \
            interrupted while the server takes it in, the same with --merge completes it.

            EXAMPLES:
              kong-discovery restore registry.backup
              gunzip -c registry.backup.gz | kong-discovery restore - --merge
            """
    )

    @Argument(help: "The file; - is standard input.", completion: .file())
    var file: String

    @Flag(help: "The registry may have something already.")
    var merge = false

    @Flag(help: "Print the counts as JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await RestoreCommand(access).run(file: file, merges: merge, isJSON: json)
    }
}
