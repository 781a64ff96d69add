/// What a command is called and what it takes, as the argument parser tells it (`--experimental-dump-help`).
struct CommandDescription {
    /// Its words: `kong-discovery explain`.
    let name: String
    /// What it does, in one line.
    let abstract: String
    let discussion: String
    let arguments: [ArgumentDescription]
    /// Without those that help does not show.
    let subcommands: [CommandDescription]

    /// Reads what the argument parser says of the whole program.
    ///
    /// - Throws: ``JSONError`` if it is no JSON.
    init(help: String) throws(JSONError) {
        let json = try JSONParser.parse(Array(help.utf8))
        self.init(json.member("command") ?? .null)
    }

    private init(_ json: JSONValue) {
        let words = json.elements("superCommands").compactMap(\.text) + [json.text("commandName")]
        name = words.joined(separator: " ")
        abstract = json.text("abstract")
        discussion = json.text("discussion")
        arguments = json.elements("arguments").filter(\.isShown).map(ArgumentDescription.init)
        subcommands = json.elements("subcommands").filter { $0.isShown && $0.text("commandName") != "help" }
            .map(CommandDescription.init)
    }

    /// How it is called: `kong-discovery explain [options] <name> [<type>]`.
    var usage: String {
        let words = arguments.filter(\.isPositional).map(\.usage)
        let options = arguments.contains { !$0.isPositional && !$0.isCommon } ? ["[options]"] : []
        return ([name] + options + words).joined(separator: " ")
    }

    /// It and all commands below it, in the order of help.
    var all: [CommandDescription] { [self] + subcommands.flatMap(\.all) }
}

/// What a command takes: an argument, an option or a flag.
struct ArgumentDescription {
    /// How it is written: `--config <file>`, `<name>`.
    let form: String
    /// How it stands among others: `[--config <file>]`, `<name>`.
    let usage: String
    let abstract: String
    let discussion: String
    let isPositional: Bool
    /// Whether every command has it: `--help`, `--version`.
    let isCommon: Bool

    fileprivate init(_ json: JSONValue) {
        isPositional = json.text("kind") == "positional"
        let value = "<\(json.text("valueName"))>" + (json.flag("isRepeating") ? "..." : "")
        let names = json.elements("names").map { name in
            (name.text("kind") == "long" ? "--" : "-") + name.text("name")
        }
        isCommon = names.contains("--help") || names.contains("--version")
        let name = names.joined(separator: ", ")
        form = isPositional ? value : json.text("kind") == "flag" ? name : "\(name) \(value)"
        usage = json.flag("isOptional") ? "[\(form)]" : form
        abstract = json.text("abstract")
        discussion = json.text("discussion")
    }
}

extension JSONValue {
    fileprivate func member(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    fileprivate var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    fileprivate func text(_ name: String) -> String { member(name)?.text ?? "" }

    fileprivate func flag(_ name: String) -> Bool { member(name) == .bool(true) }

    fileprivate func elements(_ name: String) -> [JSONValue] {
        if case .array(let elements) = member(name) { elements } else { [] }
    }

    /// Whether help shows it: it does unless told otherwise.
    fileprivate var isShown: Bool { member("shouldDisplay") != .bool(false) }
}
