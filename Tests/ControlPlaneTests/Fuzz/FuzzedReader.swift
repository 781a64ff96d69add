import Engine
import HTTPTypes
import Synchronization

@testable import ControlPlane

/// What reads octets from outside in the control plane. `Fuzz/control` gives them to libFuzzer, `FuzzTests` to itself.
enum FuzzedReader: String, CaseIterable, Sendable {
    /// Bodies of requests, and parameters.
    case requests
    /// etcd's answers, its watch, and values that it keeps.
    case etcd
    case backups
    case configuration
    case tokens
    /// Subjects of clients' certificates.
    case certificates

    /// Reads an input, which must not trap.
    ///
    /// - Returns: what is wrong with what was made of it; `nil`: nothing.
    func complaint(about input: [UInt8]) -> String? {
        guard let choice = input.first else { return nil }
        let octets = Array(input.dropFirst())
        return switch self {
        case .requests: Self.request(choice, octets)
        case .etcd: Self.etcd(choice, octets)
        case .backups: Self.backup(choice, octets)
        case .configuration: Self.configuration(octets)
        case .tokens: Self.tokens(octets)
        case .certificates: Self.certificate(octets)
        }
    }

    private static let client = RegistrationDecoder.Source.from(.v4(0x0A00_0001))

    // MARK: Requests

    private static func request(_ choice: UInt8, _ octets: [UInt8]) -> String? {
        if choice % 16 == 0 { return target(octets) }
        guard let json = try? JSONParser.parse(octets) else { return nil }
        guard (try? JSONParser.parse(json.encoded)) == json else { return "JSON that is another once it is written" }
        let decoder = RegistrationDecoder()
        switch choice % 8 {
        case 0: return (try? decoder.registration(json, client)).flatMap { registration($0) }
        case 1: return (try? decoder.batch(json, client)).flatMap { batch($0) }
        case 2: _ = try? decoder.heartbeats(json)
        case 3: return (try? decoder.patch(json)).flatMap { patch($0) }
        case 4:
            guard let policy = try? PolicyFields.policy(json) else { return nil }
            return stored(NamedPolicy(name: "orders", policy: policy))
        case 5: _ = try? CheckReport(json, check: "alive", time: WallTime(millisecondsSince1970: 0))
        default: _ = try? DrainSelection(json)
        }
        return nil
    }

    /// The target of a request, with all that reads parameters, and what may stand in `Authorization`.
    private static func target(_ octets: [UInt8]) -> String? {
        let text = String(decoding: octets, as: UTF8.self)
        let target = RequestTarget(text)
        _ = target.segments.map { EndpointTable.server.match(.get, $0) }
        _ = try? ListQuery(target)
        _ = try? NamesQuery(target)
        _ = try? TargetsQuery(target)
        _ = try? ExplainQuery(target)
        _ = try? QueriesQuery(target)
        _ = try? CacheSelection(target)
        _ = try? RestoreQuery(target)
        if case .bearer(let token) = Credentials([text]), token.isEmpty { return "an empty token" }
        return nil
    }

    private static func registration(_ registration: Registration) -> String? {
        if registration.name.utf8.count > 63 || registration.id.utf8.count > 128 { return "names that are too long" }
        return stored(instance(registration))
    }

    private static func instance(_ registration: Registration) -> ServiceInstance {
        ServiceInstance(
            registration, id: registration.id, idOrigin: registration.hasDerivedID ? .derived : .given,
            isDraining: false, registeredAt: WallTime(millisecondsSince1970: 0), sequence: 7)
    }

    private static func patch(_ patch: InstancePatch) -> String? {
        let json = try? JSONParser.parse(Array(#"{"name":"orders","ip":"10.0.0.1","port":80}"#.utf8))
        guard let json, let registration = try? RegistrationDecoder().registration(json) else { return "no instance" }
        return stored(patch.applied(to: instance(registration)))
    }

    private static func batch(_ batch: BatchRequest) -> String? {
        if batch.items.count > BatchRequest.maximumItems { return "too many items" }
        for case .success(.register(let each)) in batch.items {
            if let complaint = registration(each) { return complaint }
        }
        return nil
    }

    // MARK: What is stored

    private static func stored(_ instance: ServiceInstance) -> String? {
        let octets = StoredInstance.encode(instance)
        guard let read = try? StoredInstance.decode(octets) else { return "an instance that can't be read again" }
        return read == instance ? nil : "an instance that is another one once it is stored"
    }

    private static func stored(_ policy: NamedPolicy) -> String? {
        let read = try? StoredPolicy.decode(StoredPolicy.encode(policy))
        return read == policy ? nil : "a policy that is another one once it is stored"
    }

    private static func etcd(_ choice: UInt8, _ octets: [UInt8]) -> String? {
        switch choice % 4 {
        case 0:
            guard let json = try? JSONParser.parse(octets), let response = try? EtcdResponse(json) else { return nil }
            return response.revision < 0 || response.values.contains { $0.revision < 0 } ? "a negative revision" : nil
        case 1:
            // In two pieces, which must make no difference.
            let half = octets.count / 2
            guard events(of: [octets]) == events(of: [Array(octets[..<half]), Array(octets[half...])]) else {
                return "a watch reads in another way if it comes in pieces"
            }
        case 2: return (try? StoredInstance.decode(octets)).flatMap { stored($0) }
        default: return (try? StoredPolicy.decode(octets)).flatMap { stored($0) }
        }
        return nil
    }

    private static func events(of pieces: [[UInt8]]) -> [EtcdWatchReader.Event] {
        let events = Events()
        let reader = EtcdWatchReader(startRevision: 7) { event in
            events.all.withLock { $0.append(event) }
            return true
        }
        for piece in pieces { _ = reader.read(piece) }
        return events.all.withLock { $0 }
    }

    // MARK: Files

    private static func backup(_ choice: UInt8, _ octets: [UInt8]) -> String? {
        let rules = BackupReader.Rules(decoder: RegistrationDecoder(), client: .v4(0x0A00_0001))
        func read(_ pieces: [[UInt8]]) -> Result<BackupCounts, BackupProblem> {
            var reader = BackupReader(choice % 2 == 0 ? rules : nil)
            do throws(BackupProblem) {
                for piece in pieces { try reader.read(piece) }
                return .success(try reader.finish())
            } catch {
                return .failure(error)
            }
        }
        let half = octets.count / 2
        guard case .success(let whole) = read([octets]) else { return nil }
        guard case .success(let parts) = read([Array(octets[..<half]), Array(octets[half...])]), parts == whole else {
            return "a backup reads in another way if it comes in pieces"
        }
        return nil
    }

    private static func configuration(_ octets: [UInt8]) -> String? {
        let text = String(decoding: octets, as: UTF8.self)
        guard let loaded = try? LoadedConfiguration(yaml: text, file: "fuzz.yaml") else { return nil }
        // Secrets are masked, and a mask is no value.
        guard loaded.configuration.storage.etcd.password.isEmpty else { return nil }
        guard let again = try? LoadedConfiguration(yaml: loaded.yaml, file: "again.yaml") else {
            return "what check-config shows is no configuration:\n\(loaded.yaml)"
        }
        return again.configuration == loaded.configuration ? nil : "what check-config shows is another configuration"
    }

    private static func tokens(_ octets: [UInt8]) -> String? {
        let file = try? TokensFile(path: "tokens.yaml", text: String(decoding: octets, as: UTF8.self))
        return file.map { $0.tokens.count > 4096 } == true ? "too many tokens" : nil
    }

    private static func certificate(_ octets: [UInt8]) -> String? {
        guard let subject = CertificateSubject.text(ofCertificate: octets) else { return nil }
        return subject.unicodeScalars.contains { $0.value < 0x20 } ? "a subject with control characters" : nil
    }
}

/// What a watch has reported.
private final class Events: Sendable {
    let all = Mutex<[EtcdWatchReader.Event]>([])
}
