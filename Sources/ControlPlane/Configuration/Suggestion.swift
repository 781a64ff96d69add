/// Returns `: did you mean dns.ttl?` for a path that is no key, or nothing if no key is near.
func suggestion(for path: String) -> String {
    let known = ConfigurationSchema.keys.map(\.path) + ConfigurationSchema.sections.sorted()
    let name = path.split(separator: ".").last ?? ""
    // The right name in the wrong section is a better hint than a similar path.
    let elsewhere = known.filter { $0.split(separator: ".").last == name }
    let near = elsewhere.count == 1 ? elsewhere.first : nearest(to: path, among: known)
    return near.map { ": did you mean \($0)?" } ?? ""
}

/// The name that takes the fewest edits to reach, if they are few for its length.
func nearest(to name: String, among names: some Sequence<String>) -> String? {
    // Longer texts are not typing errors, and the comparison costs the product of both lengths.
    guard name.utf8.count <= 100 else { return nil }
    let scored = names.map { (name: $0, distance: editDistance(name, $0)) }
    let best = scored.min { ($0.distance, $0.name) < ($1.distance, $1.name) }
    guard let best, best.distance <= max(2, min(best.name.utf8.count, name.utf8.count) / 5) else { return nil }
    return best.name
}

/// How many octets must be inserted, removed, replaced or swapped with a neighbour to turn one text into the other.
private func editDistance(_ first: String, _ second: String) -> Int {
    let (first, second) = (Array(first.utf8), Array(second.utf8))
    var beforeLast = [Int](repeating: 0, count: second.count + 1)
    var last = Array(0...second.count)
    for row in first.indices {
        var next = [row + 1]
        for column in second.indices {
            let isSame = first[row] == second[column]
            var distance = min(last[column + 1] + 1, next[column] + 1, last[column] + (isSame ? 0 : 1))
            if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                distance = min(distance, beforeLast[column - 1] + 1)
            }
            next.append(distance)
        }
        (beforeLast, last) = (last, next)
    }
    return last[second.count]
}
