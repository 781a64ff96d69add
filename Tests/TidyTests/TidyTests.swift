import Testing

/// The house rules as tests, so that they can't rot. The rules themselves are in Rules.swift.
struct TidyTests {
    /// Read once for all tests.
    private static let sources = Result { try SourceFile.all(in: ["Sources"]) }
    private static let rooms = sources.map { RoomMap($0) }

    private func report(besides folders: [String] = [], _ complaints: (SourceFile) -> [String]) throws {
        let files = try Self.sources.get() + SourceFile.all(in: folders)
        #expect(files.count > 1, "no source files found")
        for complaint in files.flatMap(complaints) { Issue.record("\(complaint)") }
    }

    @Test func `a file imports only what its module may`() throws {
        try report(Complaints.aboutImports)
    }

    @Test func `a room names only those that it may`() throws {
        try report(Self.rooms.get().complaints)
    }

    @Test func `a room may name no other for nothing`() throws {
        let (files, rooms) = try (Self.sources.get(), Self.rooms.get())
        for module in Rules.rooms.keys.sorted() {
            for problem in rooms.unusedPermissions(of: module, files) { Issue.record("\(problem)") }
        }
    }

    @Test func `rooms are layers, without circles, and none is crowded or lonely`() throws {
        let files = try Self.sources.get()
        for (module, table) in Rules.rooms {
            var below: Set<String> = []
            for rule in table {
                for name in rule.names.subtracting(below).sorted() {
                    Issue.record("\(module): \(rule.room) is to name \(name), which is not below it")
                }
                below.insert(rule.room)
                let count = files.count { $0.module == module && $0.room == rule.room }
                if !Rules.filesOfARoom.contains(count) {
                    Issue.record("\(module): \(rule.room) has \(count) files: a room has \(Rules.filesOfARoom)")
                }
            }
        }
    }

    @Test func `a module uses no words that don't belong there`() throws {
        try report(Complaints.aboutWords)
    }

    @Test func `unsafe code is only in the files named for it`() throws {
        try report(Complaints.aboutUnsafety)
    }

    @Test func `nothing traps or waits by the clock`() throws {
        try report(Complaints.aboutCode)
    }

    @Test func `no two functions have the same name in C: in a release build one would stand for both`() throws {
        var places: [String: [String]] = [:]
        for file in try Self.sources.get() {
            for line in file.code {
                guard let found = line.firstMatch(of: /@c\b.*\bfunc (\w+)/) else { continue }
                places[String(found.1), default: []].append(file.path)
            }
        }
        #expect(places.count > 10)
        for (name, paths) in places where paths.count > 1 { Issue.record("\(name): \(paths.joined(separator: ", "))") }
    }

    @Test func `files and lines are short, and nothing is left to do`() throws {
        try report(besides: ["Fuzz"], Complaints.aboutForm)
    }

    @Test func `the dashboard's files are short too, and nothing is left to do`() throws {
        let files = try SourceFile.all(in: ["Sources/Dashboard/Page"], suffixes: [".js", ".css", ".html", ".svg"])
        #expect(files.count > 10, "no files found")
        for complaint in files.flatMap(Complaints.aboutForm) { Issue.record("\(complaint)") }
    }

    @Test func `every exception names a file that is there`() throws {
        let files = try Self.sources.get()
        let paths = Set(files.map(\.path))
        for path in Rules.unsafeFiles.keys where !paths.contains(path) {
            Issue.record("\(path): named in Rules.unsafeFiles, but not there")
        }
        for (path, exceptions) in Rules.importExceptions {
            let file = files.first { $0.path == path }
            let imported = Set(file?.code.compactMap(\.importedModule) ?? [])
            for module in exceptions.keys where !imported.contains(module) {
                Issue.record("\(path): does not import \(module) any longer: take it off Rules.importExceptions")
            }
        }
    }
}

/// The rules find what they are for.
struct RuleTests {
    private let engineFile = "Sources/Engine/Network/Thing.swift"

    private func file(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

    @Test(arguments: [
        "import Foundation", "public import NIOCore", "@preconcurrency import Dispatch",
        "internal import struct Foundation.URL",
        "@_spi(Testing) import Logging", "  import Hummingbird",
    ])
    func `an import that a module may not have is found`(_ line: String) {
        #expect(Complaints.aboutImports(file(engineFile, "import CLdns\n\(line)\n")).count == 1)
        let complaint = Complaints.aboutImports(file(engineFile, "\nimport Foundation"))
        #expect(complaint == ["\(engineFile):2: imports Foundation, which Engine may not"])
        #expect(Complaints.aboutImports(file("Sources/Other/Thing.swift", line)).count == 1)
        #expect(
            Complaints.aboutImports(file("Sources/ControlPlane/Thing.swift", "import CLdns\nimport CEvent")).count == 2)
    }

    @Test func `a name from a room above is found, with its file, line and room`() {
        let zone = file("Sources/Engine/Zone/Thing.swift", "public struct Thing<Value> {\n    struct Inner {}\n}")
        let answer = file(
            "Sources/Engine/Answer/Other.swift", "final class Other: Thing {}\nprivate enum Hidden {}")
        let rooms = RoomMap([zone, answer])
        #expect(rooms.complaints(about: answer).isEmpty)
        let bad = file(
            "Sources/Engine/Zone/Bad.swift", "// Other\nlet x = Other(\"Other\"), y: Hidden, z: Inner, t: Thing")
        #expect(
            rooms.complaints(about: bad) == [
                "Sources/Engine/Zone/Bad.swift:2: names `Other`, which is in Answer: Zone may not"
            ])
        #expect(rooms.complaints(about: file("Sources/Engine/Bad.swift", "let x = Other()")).isEmpty)
        #expect(rooms.complaints(about: file("Sources/Engine/Attic/Bad.swift", "let x = 1")).count == 1)
    }

    @Test func `code in a string literal is looked at, with what it calls there`() {
        let other = file("Sources/Engine/Answer/Other.swift", "enum Other {}")
        let rooms = RoomMap([other])
        func count(_ text: String) -> Int {
            rooms.complaints(about: file("Sources/Engine/Zone/Thing.swift", text)).count
        }
        #expect(count(#"let x = "a \(f("b", (Other.c), "\(d)")) Other""#) == 1)
        #expect(count(#"let x = "a \(f("\(Other.c)")) Other", y = "Other""#) == 1)
        #expect(count(#"let x = "a \(b) Other \\(Other)", y = "Other""#) == 0)
        #expect(count("let x = #\"\\(Other) \\#(Other.c)\"#") == 1)
        #expect(
            count("let x = \"\"\"\n  Other\n  \\(a) Other\n  \\(Other.c) \"Other\"\n  \"\"\"\nlet y = Other.c") == 2)
    }

    @Test func `functions, and members that a room adds to another one's type, are its own`() {
        let zone = file("Sources/Engine/Zone/Thing.swift", "struct Thing {\n    var own = 1\n}")
        let answer = file(
            "Sources/Engine/Answer/Other.swift",
            "func foreign(_ x: Int) {}\nextension Thing {\n    var added: Int { 1 }\n    func shared() {}\n}\n"
                + "extension Int {\n    var double: Int { 1 }\n}")
        let files = [zone, answer, file("Sources/Engine/Zone/Third.swift", "func shared() {}")]
        let rooms = RoomMap(files)
        func count(_ line: String) -> Int {
            rooms.complaints(about: file("Sources/Engine/Zone/Bad.swift", line)).count
        }
        #expect(count("foreign(1)") == 1)
        #expect(count("thing.added") == 1)
        #expect(count("let added = thing.own") == 0)
        #expect(count("thing.shared()") == 0, "another one has the name")
        #expect(count("2.double") == 0, "the type is a library's")
        #expect(rooms.complaints(about: file("Sources/Engine/Worker/Good.swift", "foreign(thing.added)")).isEmpty)
        let unused = rooms.unusedPermissions(of: "Engine", files)
        #expect(unused.contains("Engine: Zone names nothing in Message"))
        #expect(!unused.contains("Engine: Answer names nothing in Zone"))
    }

    @Test func `an exception holds for its file and module alone`() {
        let path = "Sources/ControlPlane/Basics/Moment.swift"
        #expect(Complaints.aboutImports(file(path, "import FoundationEssentials")).isEmpty)
        #expect(Complaints.aboutImports(file(path, "import Foundation")).count == 1)
        #expect(Complaints.aboutImports(file(path + "x.swift", "import FoundationEssentials")).count == 1)
    }

    @Test func `concurrency in the engine is found, in the control plane it is welcome`() {
        let text = "func f() async {\n    await g()\n    Task { }\n}\nactor A {}"
        #expect(Complaints.aboutWords(file(engineFile, text)).count == 4)
        #expect(Complaints.aboutWords(file("Sources/ControlPlane/Thing.swift", text)).isEmpty)
        #expect(Complaints.aboutWords(file(engineFile, "// await\nlet tasks = asyncs(\"await\")")).isEmpty)
    }

    @Test(arguments: [
        "let x = unsafe y", "var p: UnsafeMutablePointer<Int>", "Unmanaged.passRetained(x)",
        "class A: @unchecked Sendable {}",
        "nonisolated(unsafe) var x = 1", "unowned(unsafe) let x: A", "p.map { UnsafeRawPointer($0) }",
    ])
    func `unsafe code is found`(_ line: String) {
        #expect(Complaints.aboutUnsafety(file(engineFile, "\n" + line)).count == 1)
        #expect(Complaints.aboutUnsafety(file("Sources/Engine/InProcess.swift", line)).isEmpty)
        #expect(Complaints.aboutUnsafety(file("Sources/Engine/InProcess.swift", "let x = 1")).count == 1)
        #expect(Complaints.aboutUnsafety(file(engineFile, "// unsafe\nlet isUnsafe = \"unsafe\"")).isEmpty)
    }

    @Test(arguments: ["try! f()", "x as! Int", "fatalError()", "try await Task.sleep(for: .seconds(1))"])
    func `code that is not wanted is found, but not in comments and strings`(_ line: String) {
        #expect(Complaints.aboutCode(file(engineFile, line)).count == 1)
        #expect(Complaints.aboutCode(file(engineFile, "f(\"x\") + \(line)")).count == 1)
        let hidden =
            "// \(line)\n/* \(line)\n/* */ \(line) */\nlet s = \"\(line) \\\" \(line)\"\nlet t = \"\"\"\n\(line)\n\"\"\""
        #expect(Complaints.aboutCode(file(engineFile, hidden)).isEmpty)
        #expect(Complaints.aboutCode(file(engineFile, "let u = #\"\\\"#; \(line)")).count == 1)
    }

    @Test func `long lines, long files, tabs and leftovers are found`() {
        func count(_ text: String) -> Int { Complaints.aboutForm(file(engineFile, text)).count }
        #expect(count(String(repeating: "§", count: 120)) == 0)
        #expect(count(String(repeating: "§", count: 121)) == 1)
        #expect(count(String(repeating: "\n", count: 500)) == 0)
        #expect(count(String(repeating: "\n", count: 501)) == 1)
        #expect(count("\tlet x = 1") == 1)
        #expect(count("// TO" + "DO: this") == 1)
        #expect(count("// FIX" + "ME") == 1)
    }
}
