import ArgumentParser
import ControlPlane
import Glibc
import Logging

/// `kong-discovery serve`: runs the server until a signal stops it.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server (the default command).",
        discussion: """
            Runs until SIGTERM or SIGINT, then answers what it has received and exits with 0. SIGHUP reads the \
            configuration again, SIGUSR1 writes the status to the log. Log lines go to standard error. If it can't \
            start, one line tells why, and it exits with 1.
            """
    )

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        ProcessSecrecy.begin()
        // Writing to a client or log reader that has gone away must be an error of that write, not the end of the
        // server.
        signal(SIGPIPE, SIG_IGN)
        // The same holds for a file that may not grow any more.
        signal(SIGXFSZ, SIG_IGN)
        // Until the server handles these signals there is nothing to finish and nothing to reload.
        signal(SIGHUP, SIG_IGN)
        signal(SIGUSR1, SIG_IGN)
        // Has no meaning here, and must not end the server.
        signal(SIGUSR2, SIG_IGN)
        signal(SIGTERM) { _ in _exit(0) }
        signal(SIGINT) { _ in _exit(0) }
        // Write all log lines before the end, unless nobody reads them.
        defer { LogOutput.standardError.flush() }
        // Problems of the configuration are reported in the form that the environment asks for.
        LogOutput.standardError.apply(options.logInEnvironment)
        do {
            let loaded = try options.load()
            LogOutput.standardError.apply(loaded.configuration.log)
            LoggingSystem.bootstrap { _ in LineLogHandler(output: .standardError) }
            let logger = Logger(label: "kong-discovery")
            let environment = ProcessEnvironment(variables: ConfigurationOptions.environment, processID: getpid())
            try await serve(loaded, version: BuildVersion.current, environment: environment, logger: logger)
        } catch let error as ConfigurationError {
            for problem in error.problems { LogOutput.standardError.printFailure("\(problem)") }
            throw ExitCode.failure
        } catch {
            LogOutput.standardError.printFailure(error)
            throw ExitCode.failure
        }
    }
}
