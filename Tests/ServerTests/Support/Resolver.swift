import Foundation
import Testing

/// A resolver from Debian in front of the server, configured as the guide to Kong says.
enum Resolver: String, CaseIterable {
    case unbound
    case dnsmasq
    case bind

    /// Starts the resolver, and waits until it answers.
    ///
    /// - Parameters:
    ///   - server: the server that has the zone.
    ///   - folder: the folder for its files.
    func start(for server: Endpoint, in folder: TemporaryFolder) throws -> (process: ChildProcess, endpoint: Endpoint) {
        let own = try Endpoint.unused()
        let words = try files(own, server, folder)
        let process = try ChildProcess(
            "/usr/bin/env", words, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], folder: folder.path)
        try eventually("\(self) answers") {
            (try? DNSClient(own).ask("service.kong", .soa).code) == .noError
        }
        return (process, own)
    }

    /// Writes its configuration: ours from the guide, within a configuration for a machine of its own.
    ///
    /// - Returns: the command that starts it.
    private func files(_ own: Endpoint, _ server: Endpoint, _ folder: TemporaryFolder) throws -> [String] {
        let ours = try folder.write("zone.conf", Self.block(rawValue, server))
        switch self {
        case .unbound:
            // Debian's configuration validates. Here it does so with a trust anchor from which nothing can be learned.
            let main = """
                server:
                    interface: \(own.host)@\(own.port)
                    do-daemonize: no
                    use-syslog: no
                    logfile: ""
                    username: ""
                    chroot: ""
                    pidfile: ""
                    directory: "\(folder.path)"
                    trust-anchor: ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
                remote-control:
                    control-enable: no
                include: "\(ours)"
                """
            return ["unbound", "-d", "-c", try folder.write("unbound.conf", main)]
        case .dnsmasq:
            return [
                "dnsmasq", "--keep-in-foreground", "--conf-file=\(ours)", "--port=\(own.port)",
                "--listen-address=\(own.host)", "--bind-interfaces", "--no-resolv", "--no-hosts", "--pid-file=",
                "--user=root", "--stop-dns-rebind",
            ]
        case .bind:
            let main = """
                options {
                    directory "\(folder.path)";
                    listen-on port \(own.port) { \(own.host); };
                    listen-on-v6 { none; };
                    pid-file none;
                    session-keyfile none;
                    dnssec-validation auto;
                    recursion yes;
                    \(try Self.block("bind-options", server))
                };
                controls { };
                include "\(ours)";
                """
            return ["named", "-g", "-c", try folder.write("named.conf", main)]
        }
    }

    /// The block of the guide in this language, for a server at another address.
    private static func block(_ language: String, _ server: Endpoint) throws -> String {
        let block = try #require(try MarkdownPage("docs/kong.md").blocks.first { $0.language == language })
        return (block.lines.joined(separator: "\n") + "\n").replacing("8600", with: "\(server.port)")
    }
}
