/// Files that come with the program and are made by it, so that they say what it does. Named as packages have them.
public enum Document: String, CaseIterable, Sendable {
    /// The configuration file with every key as a comment.
    case exampleConfiguration = "config.yaml"
    /// The manual page of the commands.
    case commandManual = "kong-discovery.1"
    /// The manual page of the configuration file.
    case configurationManual = "kong-discovery.yaml.5"

    /// The document's text.
    ///
    /// - Parameters:
    ///   - help: what the argument parser says of the commands, as JSON (`--experimental-dump-help`).
    ///   - date: the day of the release, `2026-11-27`.
    /// - Throws: if `help` is no JSON.
    public func text(help: String, date: String) throws -> String {
        switch self {
        case .exampleConfiguration: ConfigurationSchema.example
        case .commandManual: try Self.commandManual(CommandDescription(help: help), date: date)
        case .configurationManual: Self.configurationManual(date: date)
        }
    }

    private static func commandManual(_ program: CommandDescription, date: String) -> String {
        var page = ManualPage(program.name, section: 1, date: date, title: "User Commands")
        page.heading("NAME")
        page.paragraph("\(program.name) - \(phrase(program.abstract))")
        page.heading("SYNOPSIS")
        page.example(
            program.all.filter { $0.subcommands.isEmpty }.map(\.usage)
                + ["\(program.name) [<command>] --help", "\(program.name) --version"])
        page.heading("DESCRIPTION")
        // From the first heading on, `EXAMPLES:`, it stands behind the commands.
        let parts = program.discussion.split(separator: "\n\nEXAMPLES:", maxSplits: 1).map(String.init)
        page.prose(parts.first ?? "", hasHeadings: true)
        page.heading("COMMANDS")
        for command in program.subcommands.flatMap(\.all) {
            page.subheading(command.usage)
            page.paragraph(command.abstract)
            page.prose(command.discussion)
            for argument in command.arguments where !argument.isCommon {
                page.definition(argument.form, argument.abstract, argument.discussion)
            }
        }
        page.heading("EXIT STATUS")
        page.paragraph(
            """
            0 if all went well. 1 if the server can't start, refuses, can't be reached, or lacks what was asked for. \
            2 if the arguments are wrong. Standard error then has a line that says what is wrong.
            """)
        page.heading("FILES")
        page.definition(configurationPath, "The configuration of the service. See kong-discovery.yaml(5).")
        page.definition(dataPath, "The working directory of the service, and its database.")
        if parts.count > 1 { page.prose("EXAMPLES:" + parts[1], hasHeadings: true) }
        page.heading("SEE ALSO")
        page.paragraph("kong-discovery.yaml(5), systemctl(1), dig(1)")
        return page.text
    }

    private static func configurationManual(date: String) -> String {
        var page = ManualPage("kong-discovery.yaml", section: 5, date: date, title: "File Formats")
        page.heading("NAME")
        page.paragraph("kong-discovery.yaml - the configuration of kong-discovery")
        page.heading("DESCRIPTION")
        page.paragraph(
            "A YAML file. The service reads \(configurationPath); the option --config of the commands serve and "
                + "check-config names another one. Every key may be left out. The names below are paths: dns.ttl is "
                + "the key ttl in the section dns.")
        page.paragraph(
            "An environment variable overrides a key: KONG_DISCOVERY_ and the path in upper case with underscores, "
                + "as in KONG_DISCOVERY_DNS_TTL; the elements of a list stand between commas. Durations are numbers "
                + "with units, such as 500ms, 5s, 2m, 1h. A single value stands for a list of one. A path that does "
                + "not begin with a slash starts from the working directory, \(dataPath) for the service.")
        page.paragraph(
            "Unknown keys are errors, and so are values that contradict each other: kong-discovery check-config shows "
                + "each with its line. SIGHUP (systemctl reload kong-discovery) has the file read again. Keys "
                + "marked \"on reload\" take effect then, the others when the service is restarted.")
        page.heading("KEYS")
        var section: Substring?
        for key in ConfigurationSchema.keys {
            let own = key.path.prefix { $0 != "." }
            if own != section { page.subheading(String(own)) }
            section = own
            let reload = key.appliesOnReload ? " Takes effect on reload." : ""
            page.definition(
                key.path, "\(sentence(key.summary))",
                "\(sentence(key.allowed)) Default: \(key.shownValue(in: Configuration())).\(reload)")
        }
        page.heading("FILES")
        page.definition(configurationPath, "The configuration of the service.")
        page.heading("SEE ALSO")
        page.paragraph("kong-discovery(1)")
        return page.text
    }

    private static let configurationPath = "/etc/kong-discovery/config.yaml"
    private static let dataPath = "/var/lib/kong-discovery"

    /// Without the full stop, as the line of NAME has to be.
    private static func phrase(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }

    private static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + "." }
}
