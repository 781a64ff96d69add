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
