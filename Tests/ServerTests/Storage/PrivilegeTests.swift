import Foundation
import Glibc
import Testing

extension StorageTests {
    /// A server that root starts becomes another user once its sockets are open.
    @Suite(.enabled(if: geteuid() == 0, "only root can start it")) struct PrivilegeTests {
        private static let nobody = "65534"

        /// What one thread may do, as proc_pid_status(5) has it.
        private struct Rights: Hashable {
            var users: String
            var groups: String
            var supplementary: String
            var permitted: String
            var effective: String
            var noNewPrivileges: String
            var seccomp: String

            static let none = Rights(
                users: "65534 65534 65534 65534", groups: "65534 65534 65534 65534", supplementary: "65534",
                permitted: "0000000000000000", effective: "0000000000000000", noNewPrivileges: "1", seccomp: "2")
            /// Those of the thread that opens ports later (CAP_NET_BIND_SERVICE).
            static let ports: Rights = {
                var rights = none
                rights.permitted = "0000000000000400"
                rights.effective = "0000000000000400"
                return rights
            }()

            init(
                users: String, groups: String, supplementary: String, permitted: String, effective: String,
                noNewPrivileges: String, seccomp: String
            ) {
                (self.users, self.groups, self.supplementary) = (users, groups, supplementary)
                (self.permitted, self.effective) = (permitted, effective)
                (self.noNewPrivileges, self.seccomp) = (noNewPrivileges, seccomp)
            }

            /// Reads the lines of a thread's status.
            init(status: String) {
                var fields: [String: String] = [:]
                for line in status.split(separator: "\n") {
                    let words = line.split(whereSeparator: \.isWhitespace)
                    fields[String(words[0])] = words.dropFirst().joined(separator: " ")
                }
                self.init(
                    users: fields["Uid:"] ?? "", groups: fields["Gid:"] ?? "", supplementary: fields["Groups:"] ?? "",
                    permitted: fields["CapPrm:"] ?? "", effective: fields["CapEff:"] ?? "",
                    noNewPrivileges: fields["NoNewPrivs:"] ?? "", seccomp: fields["Seccomp:"] ?? "")
            }
        }

        /// How many threads of a server have which rights.
        private func rights(of server: ServerProcess) throws -> [Rights: Int] {
            let folder = "/proc/\(server.process.identifier)/task"
            var counts: [Rights: Int] = [:]
            for thread in try FileManager.default.contentsOfDirectory(atPath: folder) {
                // It may have ended.
                guard let status = try? String(contentsOfFile: "\(folder)/\(thread)/status", encoding: .utf8) else {
                    continue
                }
                counts[Rights(status: status), default: 0] += 1
            }
            return counts
        }

        /// Ports that only root may open.
        private static let lowPorts: Range<UInt16> = 700..<1024

        private func owner(of path: String) throws -> UInt32? {
            try FileManager.default.attributesOfItem(atPath: path)[.ownerAccountID] as? UInt32
        }

        @Test func `no thread is root any more, and ports, files and reloads work`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "user: nobody\n")
            for path in [folder.path, file] {
                try FileManager.default.setAttributes(
                    [.ownerAccountID: 65534, .groupOwnerAccountID: 65534], ofItemAtPath: path)
            }
            let (dns, rest) = (try Endpoint.unused(in: Self.lowPorts), try Endpoint.unused(in: Self.lowPorts))
            let settings = [
                "dns.listen": "\(dns)", "server.listen": "\(rest)", "storage.type": "sqlite",
                "storage.sqlite.path": "data/k.db", "dns.workers": "2",
            ]
            for start in 1...2 {
                try await withServer(settings, file: file, folder: folder.path) { server in
                    let connection = try HTTPConnection(rest)
                    if start == 1 { try connection.register(Registration("orders", "10.0.0.1", ttl: 0)) }
                    #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])
                    #expect(try server.ask("orders.service.kong", over: .tcp).texts == ["10.0.0.1"])
                    #expect(try Set(rights(of: server).keys) == [.none])
                    #expect(try owner(of: "\(folder.path)/data/k.db") == 65534)
                    let metrics = try connection.request("GET", "/metrics").text
                    #expect(metrics.contains("\nprocess_open_fds "), "\(metrics)")
                    server.process.signal(SIGHUP)
                    try server.waitForLog("configuration reloaded")
                }
            }
        }

        @Test func `while etcd is away one thread may open ports, and none when they are open`() throws {
            let etcd = try EtcdProcess()
            let dns = try Endpoint.unused(in: Self.lowPorts)
            let settings = etcd.settings(timeout: "1s").merging(["dns.listen": "\(dns)", "user": Self.nobody]) { $1 }
            let server = try ServerProcess(settings, until: .restListens)
            try server.waitForLog("etcd")
            #expect(try Set(rights(of: server).keys) == [.none, .ports])
            #expect(try rights(of: server)[.ports] == 1)

            try etcd.start()
            try server.waitForLog(" ready")
            #expect(try Set(rights(of: server).keys) == [.none])
            try server.expectWell()
            try server.stop()
        }

        @Test func `what the user may not read or write is named at once`() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "user: nobody\nstorage: {type: sqlite}\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
            let process = try ServerProcess.start(
                ["serve", "--config", file], ["storage.type": ""], folder: folder.path)
            #expect(try process.waitForExit() == .exited(1))
            let lines = process.errors.split(separator: "\n")
            #expect(lines.count == 2, "\(lines)")
            #expect(
                lines.first?.contains(
                    " warning  the configuration can't be reloaded: the user can't read its file file=\(file) "
                        + #"reason="Permission denied""#) == true, "\(lines)")
            #expect(
                lines.last?.hasPrefix("kong-discovery: error: storage.sqlite: ") == true
                    && lines.last?.contains("ermission denied") == true, "\(lines)")
        }

        @Test(arguments: [
            ("no-such-user", "is no user of this machine"),
            (":nogroup", "is no user of this machine"),
            ("3999999", "is a number without an account: give its group too, such as 3999999:3999999"),
            ("nobody:no-such-group", "has an unknown group"),
            ("-1", "is no user of this machine"),
        ])
        func `a user that is not there is named, with the place`(user: String, reason: String) throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "log: {level: info}\nuser: '\(user)'\n")
            for command in ["serve", "check-config"] {
                let process = try ServerProcess.start([command, "--config", file])
                #expect(try process.waitForExit() == .exited(1))
                #expect(process.errors.hasSuffix("\(file):2:7: user: '\(user)' \(reason)\n"), "\(process.errors)")
            }
        }
    }
}
