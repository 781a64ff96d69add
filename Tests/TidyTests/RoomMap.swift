/// Which room each type is in.
struct RoomMap {
    /// By module and name.
    private var rooms: [String: [String: String]] = [:]

    init(_ files: [SourceFile]) {
        for file in files {
            guard let module = file.module, Rules.rooms[module] != nil else { continue }
            for name in file.declaredTypes { rooms[module, default: [:]][name] = file.room }
        }
    }

    /// Names of types that are in rooms above the file's, or in others that it has no business with.
    func complaints(about file: SourceFile) -> [String] {
        guard let module = file.module, let table = Rules.rooms[module] else { return [] }
        let own = file.room
        // What is in no room joins the rooms together.
        if own.isEmpty { return [] }
        guard let rule = table.first(where: { $0.room == own }) else {
            return ["\(file.path): no rule says which rooms \(own) may name"]
        }
        return file.code.indices.flatMap { index in
            Set(file.code[index].words).sorted().compactMap { word in
                guard let room = rooms[module]?[String(word)], room != own, !rule.names.contains(room) else {
                    return nil
                }
                let place = room.isEmpty ? "no room" : room
                return file.complaint(index, "names `\(word)`, which is in \(place): \(own) may not")
            }
        }
    }
}
