import Foundation
import Testing

@testable import ControlPlane

/// The files that the program makes of itself: the example configuration and the manual.
@Suite struct DocumentTests {
    /// What the argument parser says, in small.
    private static let help = #"""
        {"serializationVersion": 0, "command": {
          "commandName": "kong-discovery", "abstract": "Finds services.", "shouldDisplay": true,
          "discussion": "First words\nof a paragraph.\n\nSecond.\n\nEXAMPLES:\n  kong-discovery 'a'\n      starts -- \\n it",
          "subcommands": [
            {"superCommands": ["kong-discovery"], "commandName": "services", "abstract": "Services.", "subcommands": [
              {"superCommands": ["kong-discovery", "services"], "commandName": "show", "abstract": "Shows one.",
               "arguments": [
                 {"kind": "positional", "valueName": "id", "isOptional": false, "abstract": "Which one."},
                 {"kind": "positional", "valueName": "more", "isOptional": true, "isRepeating": true},
                 {"kind": "option", "valueName": "url", "isOptional": true, "abstract": ".The server.",
                  "names": [{"kind": "short", "name": "s"}, {"kind": "long", "name": "server"}]},
                 {"kind": "flag", "isOptional": true, "abstract": "JSON.", "names": [{"kind": "long", "name": "json"}]},
                 {"kind": "flag", "shouldDisplay": false, "names": [{"kind": "long", "name": "secret"}]},
                 {"kind": "flag", "isOptional": true, "names": [{"kind": "long", "name": "help"}]}]}]},
            {"superCommands": ["kong-discovery"], "commandName": "hidden", "shouldDisplay": false},
            {"superCommands": ["kong-discovery"], "commandName": "help", "abstract": "Show subcommand help."}]}}
        """#

    private func text(_ document: Document) throws -> String { try document.text(help: Self.help, date: "2026-11-27") }

    /// The example with those keys set whose lines `isSet` chooses.
    private func configuration(_ isSet: (Int) -> Bool) throws -> LoadedConfiguration {
        let lines = try text(.exampleConfiguration).split(separator: "\n", omittingEmptySubsequences: false)
        let changed = lines.enumerated().map { index, line in
            isSet(index) ? line.replacing(#/^( *)# /#, maxReplacements: 1) { $0.output.1 } : line
        }
        return try LoadedConfiguration(yaml: changed.joined(separator: "\n"), file: "config.yaml")
    }

    @Test func `the example sets nothing, and each key in it can be set by itself`() throws {
        #expect(try configuration { _ in false }.origins.isEmpty)
        let lines = try text(.exampleConfiguration).split(separator: "\n", omittingEmptySubsequences: false)
        let places = lines.indices.filter { lines[$0].firstMatch(of: #/^ *# /#) != nil }
        var paths: [String] = []
        for place in places {
            let loaded = try configuration { $0 == place }
            #expect(loaded.origins.count == 1, "\(lines[place])")
            #expect(loaded.configuration == Configuration(), "\(lines[place])")
            paths += loaded.origins.keys
        }
        #expect(paths == ConfigurationSchema.keys.map(\.path))
        #expect(try configuration { places.contains($0) }.configuration == Configuration())
        #expect(lines.allSatisfy { $0.count <= 120 })
    }

    @Test func `the manual of the configuration has each key with its default, in ASCII`() throws {
        let page = try text(.configurationManual)
        for key in ConfigurationSchema.keys {
            #expect(page.contains("\n\\fB\(ManualPage.escape(key.path))\\fR\n"), "\(key.path)")
        }
        #expect(page.contains("Default: 100000.\n") && page.contains("Takes effect on reload.\n"))
        #expect(page.utf8.allSatisfy { $0 < 128 && ($0 >= 32 || $0 == 10) })
    }

    @Test func `the manual of the commands has all that help shows, and nothing that it hides`() throws {
        let page = try text(.commandManual)
        #expect(page.hasPrefix(#".TH "KONG\-DISCOVERY" 1 "2026-11-27" "kong\-discovery "#))
        #expect(page.contains(".SH \"NAME\"\nkong\\-discovery \\- Finds services\n"))
        #expect(page.contains(".SH \"DESCRIPTION\"\nFirst words of a paragraph.\n.PP\nSecond.\n"))
        let usage = "kong\\-discovery services show [options] <id> [<more>...]"
        #expect(page.contains("\n\(usage)\n") && page.contains("\n.SS \"\(usage)\"\nShows one.\n"))
        #expect(page.contains(".TP\n\\fB\\-s, \\-\\-server <url>\\fR\n\\&.The server.\n"))
        #expect(page.contains(".TP\n\\fB\\-\\-json\\fR\nJSON.\n"))
        for word in ["hidden", "secret", "subcommand help"] { #expect(!page.contains(word), "\(word)") }
        let example = "  kong\\-discovery \\(aqa\\(aq\n      starts \\-\\- \\en it\n"
        #expect(page.contains(".SH \"EXAMPLES\"\n.nf\n.RS 4\n\(example).RE\n.fi\n.SH \"SEE ALSO\"\n"))
    }

    @Test func `help that is no JSON is an error`() {
        #expect(throws: JSONError.self) { try Document.commandManual.text(help: "{", date: "") }
    }

    @Test func `the full version has the commit, and says whether something has changed since`() {
        #expect(Version.full(commit: 0, isModified: true) == Version.current)
        #expect(Version.full(commit: 0x0123_4567_89AB, isModified: false) == "\(Version.current)+0123456789ab")
        #expect(Version.full(commit: 0x1, isModified: true) == "\(Version.current)+000000000001.modified")
    }
}
