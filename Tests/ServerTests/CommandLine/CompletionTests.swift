import Testing

extension ServerTests {
    /// The completion scripts in the real shells.
    @Suite struct CompletionTests {
        /// A folder with the program and the script of a shell in it.
        private func folder(_ shell: String, as name: String) throws -> TemporaryFolder {
            let folder = try TemporaryFolder()
            let script = try CommandRunner(url: "")("completions", shell)
            #expect(script.isDone)
            _ = try folder.write(name, script.output)
            try Command.run("ln", "-s", ServerProcess.path, "\(folder.path)/kong-discovery")
            return folder
        }

        @Test func `bash completes commands, options, words and services`() async throws {
            let folder = try folder("bash", as: "script")
            let script = """
                PATH=\(folder.path):$PATH
                source /usr/share/bash-completion/bash_completion
                source script
                try() {
                    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
                    _kong-discovery kong-discovery "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                    echo "${COMPREPLY[*]}"
                }
                complete -p kong-discovery | grep -c _kong-discovery
                try kong-discovery ser
                try kong-discovery completions f
                try kong-discovery services list --status ''
                try kong-discovery services list --name o
                try kong-discovery services export --for
                """
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                for name in ["orders", "other", "billing"] {
                    _ = try run("services", "register", name, "--ip", "10.0.0.1", "--port", "80")
                }
                let result = try run.shell(script, in: "bash", folder: folder.path)
                #expect(
                    result.lines == [
                        "1", "serve services", "fish", "passing warning critical draining", "orders other", "--format",
                    ], "\(result)")
            }
        }

        @Test func `zsh completes commands, words and services on a terminal`() async throws {
            let folder = try folder("zsh", as: "_kong-discovery")
            let script = """
                PATH=\(folder.path):$PATH
                zmodload zsh/zpty
                zpty shell zsh -f -i
                zpty -w shell "fpath=(\(folder.path) \\$fpath); autoload -U compinit; compinit -u -D; echo LOA''DED"
                zpty -r -m shell text '*LOADED*'
                zpty -w -n shell $'kong-discovery comple\\t'
                zpty -r -m shell text '*completions*'
                zpty -w -n shell $'fi\\t'
                zpty -r -m shell text '*fish*'
                zpty -w -n shell $'\\x15kong-discovery services list --name o\\t'
                zpty -r -m shell text '*rders*'
                zpty -d shell
                echo done
                """
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                _ = try run("services", "register", "orders", "--ip", "10.0.0.1", "--port", "80")
                // What is not completed is waited for until the test gives up.
                let result = try run.shell(script, in: "zsh", folder: folder.path)
                #expect(result.output == "done\n", "\(result)")
            }
        }

        @Test func `fish completes commands and words`() throws {
            let folder = try folder("fish", as: "script")
            let script = """
                set -x PATH \(folder.path) $PATH
                source script
                complete -C 'kong-discovery ser'
                complete -C 'kong-discovery completions z'
                complete -C 'kong-discovery services list --status dr'
                """
            let result = try CommandRunner(url: "").shell(script, in: "fish", folder: folder.path)
            let words = result.lines.map { $0.split(separator: "\t")[0] }
            #expect(words == ["serve", "services", "zsh", "draining"], "\(result)")
        }
    }
}
