/// Holds files against ``Rules``.
enum Complaints {
    /// Imports that the file's module may not have.
    static func aboutImports(_ file: SourceFile) -> [String] {
        guard let own = file.module, let allowed = Rules.imports[own] else {
            return file.path.hasSuffix(".swift") ? ["\(file.path): no rule says what this module may import"] : []
        }
        let exceptions = Rules.importExceptions[file.path] ?? [:]
        return file.code.indices.compactMap { index in
            guard let module = file.code[index].importedModule else { return nil }
            if allowed.contains(module) || exceptions[module] != nil { return nil }
            return file.complaint(index, "imports \(module), which \(own) may not")
        }
    }

    /// Words that the file's module must not use.
    static func aboutWords(_ file: SourceFile) -> [String] {
        let forbidden = file.module.flatMap { Rules.forbiddenWords[$0] } ?? [:]
        return file.code.indices.flatMap { index in
            file.words[index].compactMap { word in
                forbidden[String(word)].map { file.complaint(index, "uses `\(word)`: \($0)") }
            }
        }
    }

    /// Unsafe code outside the files named for it.
    static func aboutUnsafety(_ file: SourceFile) -> [String] {
        let uses = file.code.indices.filter { file.words[$0].contains(where: Rules.isUnsafe) }
        if Rules.unsafeFiles[file.path] == nil {
            return uses.map { file.complaint($0, "unsafe code in a file that is not named for it in Rules.swift") }
        }
        return uses.isEmpty ? ["\(file.path): nothing unsafe in it: take it off the list in Rules.swift"] : []
    }

    /// Code that is not wanted anywhere.
    static func aboutCode(_ file: SourceFile) -> [String] {
        file.code.indices.flatMap { index in
            Rules.forbiddenCode.compactMap { code, advice in
                file.code[index].contains(code) ? file.complaint(index, "has `\(code)`: \(advice)") : nil
            }
        }
    }

    /// Text that is not wanted anywhere, long lines and long files.
    static func aboutForm(_ file: SourceFile) -> [String] {
        var complaints: [String] = []
        for (index, line) in file.lines.enumerated() {
            for (text, advice) in Rules.forbiddenText where line.contains(text) {
                complaints.append(file.complaint(index, "has \(text.debugDescription): \(advice)"))
            }
            if line.count > Rules.maximumColumns {
                complaints.append(file.complaint(index, "has \(line.count) columns of at most \(Rules.maximumColumns)"))
            }
        }
        if file.lines.count > Rules.maximumLines {
            complaints.append("\(file.path): has \(file.lines.count) lines of at most \(Rules.maximumLines)")
        }
        return complaints
    }
}
