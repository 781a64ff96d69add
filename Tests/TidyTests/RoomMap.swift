/// Which room each type and function is in, and each member that a room adds to a type of another one.
struct RoomMap {
    /// By module and name.
    private var rooms: [String: [String: String]] = [:]
    /// By module and name: what is named behind a point.
    private var members: [String: [String: String]] = [:]

    init(_ files: [SourceFile]) {
        for (module, files) in Dictionary(grouping: files, by: { $0.module ?? "" }) where Rules.rooms[module] != nil {
            var types: [String: String] = [:]
            // Functions and members of which others have the name can't be told apart.
            var counts: [String: Int] = [:]
            for file in files {
                for name in file.declaredTypes { types[name] = file.room }
                for name in file.ownNames { counts[name, default: 0] += 1 }
            }
            rooms[module] = types
            for file in files {
                for name in file.declaredFunctions where counts[name] == 1 { rooms[module]?[name] = file.room }
                for (type, added) in file.extensions where types[type].map({ $0 != file.room }) ?? false {
                    for name in added where counts[name] == 1 { members[module, default: [:]][name] = file.room }
                }
            }
        }
    }

    /// Names of types, functions and members that are in rooms above the file's, or in others that it has no business
    /// with.
    func complaints(about file: SourceFile) -> [String] {
        guard let module = file.module, let table = Rules.rooms[module] else { return [] }
        let own = file.room
        // What is in no room joins the rooms together.
        if own.isEmpty { return [] }
        guard let rule = table.first(where: { $0.room == own }) else {
            return ["\(file.path): no rule says which rooms \(own) may name"]
        }
        return file.code.indices.flatMap { index in
            named(in: file, index, module).sorted { $0.key < $1.key }.compactMap { word, room in
                if room == own || rule.names.contains(room) { return nil }
                let place = room.isEmpty ? "no room" : room
                return file.complaint(index, "names `\(word)`, which is in \(place): \(own) may not")
            }
        }
    }

    /// Permissions of a module that no file makes use of.
    func unusedPermissions(of module: String, _ files: [SourceFile]) -> [String] {
        var used: [String: Set<String>] = [:]
        for file in files where file.module == module {
            for index in file.code.indices {
                used[file.room, default: []].formUnion(named(in: file, index, module).values)
            }
        }
        return (Rules.rooms[module] ?? []).flatMap { rule in
            rule.names.subtracting(used[rule.room] ?? []).sorted().map {
                "\(module): \(rule.room) names nothing in \($0)"
            }
        }
    }

    /// The names in a line of code, with their rooms.
    private func named(in file: SourceFile, _ line: Int, _ module: String) -> [String: String] {
        var named: [String: String] = [:]
        for word in file.words[line] {
            let name = String(word)
            if let room = rooms[module]?[name] {
                named[name] = room
            } else if let room = members[module]?[name], file.code[line].contains(".\(name)") {
                named[name] = room
            }
        }
        return named
    }
}
