public import ArgumentParser
public import ControlPlane

/// `kong-discovery document`: prints a file that packages have. Not shown by help: it is for those who make packages.
struct DocumentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "document",
        abstract: "Print a file that comes with the program.",
        shouldDisplay: false
    )

    @Argument(help: "Which one.")
    var document: Document

    @Option(help: ArgumentHelp("The day of the release, for manual pages.", valueName: "date"))
    var date = ""

    func run() throws {
        print(try document.text(help: KongDiscovery._dumpHelp(), date: date), terminator: "")
    }
}

extension Document: ExpressibleByArgument {}
