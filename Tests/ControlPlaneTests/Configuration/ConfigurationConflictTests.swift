import Foundation
import Testing

@testable import ControlPlane

/// Values that are valid one by one, but wrong together.
@Suite struct ConfigurationConflictTests {
    @Test(arguments: [
        (
            "dns: {cache: {min_ttl: 2h, max_ttl: 1h}}",
            ["dns.cache.min_ttl: '2h' is above dns.cache.max_ttl, which is '1h'"]
        ),
        ("dns: {cache: {min_ttl: 1h, max_ttl: 1h}}", []),
        (
            "storage: {etcd: {certificate: /etc/hosts}}",
            ["storage.etcd.key: is missing: storage.etcd.certificate needs it"]
        ),
        (
            "storage: {etcd: {key: /etc/hosts}}", ["storage.etcd.certificate: is missing: storage.etcd.key needs it"]
        ),
        (
            "storage: {etcd: {password: secret}}",
            ["storage.etcd.username: is missing: storage.etcd.password needs it"]
        ),
        (
            "dns: {listen: 127.0.0.1:8080}",
            ["server.listen: '127.0.0.1:8080' is also in dns.listen: each needs a TCP port of its own"]
        ),
        ("dns: {listen: ['127.0.0.1:1', '127.0.0.1:1']}", ["dns.listen: '127.0.0.1:1' is given more than once"]),
    ])
    func `values that contradict each other are named`(yaml: String, found: [String]) {
        #expect(problems(in: yaml) == found)
    }

    @Test func `a value that is wrong by itself contradicts none`() {
        let yaml = "dns: {cache: {min_ttl: 2h, max_ttl: x}, listen: [x]}\nserver: {listen: 127.0.0.1:8600}"
        #expect(problems(in: yaml).count == 2)
    }

    @Test func `files that can't be read are named, with the place of the key, where they are needed`() throws {
        let folder = FileManager.default.temporaryDirectory.path
        let files = "{ca: none.pem, certificate: \(folder), key: /etc/hosts}"
        let yaml = "storage:\n  type: etcd\n  etcd: \(files)\n"
        let here = FileManager.default.currentDirectoryPath
        #expect(
            problems(in: yaml) == [
                "test.yaml:3:14: storage.etcd.ca: \(here)/none.pem: can't be read: No such file or directory",
                "test.yaml:3:37: storage.etcd.certificate: \(folder): can't be read: Is a directory",
            ])
        #expect(problems(in: yaml.replacing("type: etcd", with: "type: memory")) == [])
    }

    @Test func `a mask in place of a secret is refused, unless the secret is given elsewhere`() throws {
        var environment = [
            "KONG_DISCOVERY_STORAGE_ETCD_USERNAME": "kong", "KONG_DISCOVERY_STORAGE_ETCD_PASSWORD": "swordfish",
        ]
        let shown = try LoadedConfiguration(file: nil, environment: environment).yaml
        let found = problems(in: shown)
        #expect(found.count == 1)
        #expect(found.first?.contains("storage.etcd.password: the value is what check-config") == true)
        #expect(problems(in: shown, environment: environment) == [])
        environment["KONG_DISCOVERY_STORAGE_ETCD_PASSWORD"] = "********"
        #expect(problems(in: "", environment: environment).count == 1)
    }
}
