import Foundation
import Yams

/// A configuration file, read as YAML: the texts of known keys with their places, and all problems of its form.
struct ConfigurationFile {
    /// Far more than any configuration needs.
    static let maximumOctets = 1 << 20

    private let path: String
    private(set) var values: [WrittenValue] = []
    private(set) var problems: [ConfigurationProblem] = []

    /// Reads a file and collects what goes wrong in ``problems``.
    init(path: String) {
        self.path = path
        do {
            let handle = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? handle.close() }
            // One octet more than allowed shows that a file is too large, and ends even with /dev/zero.
            let data = try handle.read(upToCount: Self.maximumOctets + 1) ?? Data()
            if data.count > Self.maximumOctets {
                report(.wholeFile(path), nil, "is too large: at most \(Self.maximumOctets) octets")
            } else if let text = String(validating: data, as: UTF8.self) {
                read(text)
            } else {
                report(.wholeFile(path), nil, "is not UTF-8 text")
            }
        } catch {
            report(.wholeFile(path), nil, "can't be read: \(Self.reason(of: error))")
        }
    }

    /// Reads a text as if it were a file.
    init(path: String, text: String) {
        self.path = path
        read(text)
    }

    private mutating func read(_ text: String) {
        let document = YAMLDocument(path: path, text: text)
        problems += document.problems
        if let root = document.root, !root.isNull { readSection(root, path: "") }
    }

    private mutating func readSection(_ node: Node, path section: String) {
        // A section is null if all its keys are commented out.
        if node.isNull { return }
        guard checkTag(node, key: section) else { return }
        guard case .mapping(let mapping) = node else {
            let subject = section.isEmpty ? "the file " : ""
            return report(origin(node), section, "\(subject)\(node.found); expected: keys and their values")
        }
        for (name, value) in mapping {
            guard case .scalar(let scalar) = name else {
                report(origin(name), section, "a key \(name.found); expected: a name")
                continue
            }
            let path = section.isEmpty ? scalar.original : "\(section).\(scalar.original)"
            // A name with a dot could be another section's key, and escape the check for repeated keys.
            let isPlain = !scalar.original.contains(".")
            if isPlain, let key = ConfigurationSchema.keysByPath[path] {
                readValue(value, of: key)
            } else if isPlain, ConfigurationSchema.sections.contains(path) {
                readSection(value, path: path)
            } else if let nested = Self.nesting(of: path) {
                report(origin(name), path.shortened, nested)
            } else {
                // The search for a near key takes time that a file full of other things is not worth.
                let hint = problems.count < 100 ? suggestion(for: path) : ""
                report(origin(name), path.shortened, "is not a known key\(hint)")
            }
        }
    }

    /// How to write a key or section that was given with dots, or `nil` if there is no such one.
    private static func nesting(of path: String) -> String? {
        let isThere = ConfigurationSchema.keysByPath[path] != nil || ConfigurationSchema.sections.contains(path)
        guard isThere else { return nil }
        let names = path.split(separator: ".").map { "\($0):" }
        return "keys are nested: write \(names.joined(separator: " and below it "))"
    }

    private mutating func readValue(_ node: Node, of key: ConfigurationKey) {
        guard checkTag(node, key: key.path) else { return }
        switch node {
        case .sequence(let sequence) where key.isList:
            let elements = Array(sequence)
            let valid = elements.enumerated().filter { index, element in
                checkTag(element, key: "\(key.path)[\(index)]")
                    && checkScalar(element, of: key, path: "\(key.path)[\(index)]")
            }
            guard valid.count == elements.count else { return }
            let texts = elements.map { (text: $0.scalar?.original ?? "", origin: origin($0)) }
            values.append(WrittenValue(key: key, origin: origin(node), elements: texts))
        case .scalar(let scalar) where !key.isList || !node.isNull:
            // A single value is read as a list of one.
            guard checkScalar(node, of: key, path: key.path) else { return }
            let element = (text: scalar.original, origin: origin(node))
            values.append(WrittenValue(key: key, origin: origin(node), elements: [element], isSingle: key.isList))
        default:
            let list = key.isList ? ", or a list of such" : ""
            report(origin(node), key.path, "\(node.found); expected: \(key.allowedValue)\(list)")
        }
    }

    private mutating func checkScalar(_ node: Node, of key: ConfigurationKey, path: String) -> Bool {
        guard case .scalar(let scalar) = node, !node.isNull else {
            report(origin(node), path, "\(node.found); expected: \(key.allowedValue)")
            return false
        }
        guard scalar.style == .plain || key.acceptsQuotes else {
            report(origin(node), path, "is quoted; write it without quotes: \(key.allowedValue)")
            return false
        }
        return true
    }

    private mutating func checkTag(_ node: Node, key: String) -> Bool {
        guard let problem = node.foreignTag else { return true }
        report(origin(node), key, problem)
        return false
    }

    private func origin(_ node: Node) -> ConfigurationOrigin { node.origin(in: path) }

    private mutating func report(_ origin: ConfigurationOrigin, _ key: String?, _ message: String) {
        problems.append(ConfigurationProblem(origin: origin, key: key == "" ? nil : key, message: message))
    }

    /// A short reason instead of Foundation's sentence, which repeats the path.
    private static func reason(of error: any Error) -> String {
        switch FileReason.words(for: error) {
        case FileReason.words(code: ENOENT), FileReason.words(code: ENOTDIR): "no such file"
        case FileReason.words(code: EACCES), FileReason.words(code: EPERM): "permission denied"
        case FileReason.words(code: EISDIR): "it is a directory"
        case let words: words
        }
    }
}
