import HTTPTypes
import NIOCore
import ServiceLifecycle
import Synchronization

/// Takes in a backup: first it is checked to its end while it is kept in a temporary file; only then the registry takes
/// it in, part by part, like any other change.
final class Restore: BodyReceiver {
    /// How many instances or policies are given to the registry at once.
    private static let partLength = 1000
    /// Reads and checks, a piece at a time: other connections must not wait for it.
    private static let threads = SideThreads(count: 1, capacity: .max)

    private struct State: ~Copyable {
        var reader: BackupReader
        let spool: SpoolFile
        var usage: RestoreUsage
    }

    /// What is restored so far.
    private struct Progress {
        var policies = 0
        var instances = 0
        /// How many of the instances replaced others.
        var replaced = 0
    }

    private let registry: Registry
    private let rules: BackupReader.Rules
    private let merges: Bool
    private let requester: Requester
    private let pass: RestoreGate.Pass
    private let state: Mutex<State>

    /// - Parameters:
    ///   - spool: an empty file.
    ///   - merges: whether the registry may have something already.
    ///   - pass: no other restore is under way while this one has it.
    init(
        registry: Registry, spool: sending SpoolFile, rules: BackupReader.Rules, merges: Bool, requester: Requester,
        pass: RestoreGate.Pass
    ) {
        self.registry = registry
        self.rules = rules
        self.merges = merges
        self.requester = requester
        self.pass = pass
        state = Mutex(State(reader: BackupReader(rules), spool: spool, usage: RestoreUsage(registry)))
    }

    /// Why nothing was changed.
    private enum Refusal: Error {
        case problem(BackupProblem)
        case denied(line: Int, Denial)
        case spool(SpoolFile.Failure)
    }

    func take(_ octets: ByteBuffer) async -> ServerResponse? {
        let octets = Array(octets.readableBytesView)
        return await Self.threads.run { [self] in
            response { () throws(Refusal) in try check(octets) }
        } ?? nil
    }

    func finish() async -> ServerResponse {
        let refusal =
            await Self.threads.run { [self] in
                response { () throws(Refusal) in
                    try state.withLock { state throws(Refusal) in
                        do throws(BackupProblem) {
                            _ = try state.reader.finish()
                        } catch {
                            throw .problem(error)
                        }
                        do throws(SpoolFile.Failure) {
                            try state.spool.rewind()
                        } catch {
                            throw .spool(error)
                        }
                        state.reader = BackupReader(rules)
                        state.usage = RestoreUsage(registry)
                    }
                }
            } ?? nil
        if let refusal { return refusal }
        // Somebody may have registered since the request came.
        if !merges, !registry.isEmpty { return .notEmpty(registry) }
        return await apply()
    }

    private func response(_ body: () throws(Refusal) -> Void) -> ServerResponse? {
        do throws(Refusal) {
            try body()
            return nil
        } catch {
            switch error {
            case .problem(let problem): return .unusable(problem)
            case .denied(let line, let denial):
                return .denied(denial, to: requester, "nothing was changed: line \(line): ")
            case .spool(let failure): return .spoolFailed(failure)
            }
        }
    }

    /// Checks the next octets, and keeps them.
    private func check(_ octets: [UInt8]) throws(Refusal) {
        try state.withLock { state throws(Refusal) in
            var denied: (line: Int, denial: Denial)?
            do throws(BackupProblem) {
                // Taken out and put back, so that it is not copied.
                var usage = state.usage
                state.usage = RestoreUsage(registry)
                defer { state.usage = usage }
                try state.reader.read(octets) { item, line throws(BackupProblem) in
                    if let denial = try admit(item, line, &usage), denied == nil { denied = (line, denial) }
                }
            } catch {
                throw .problem(error)
            }
            if let denied { throw .denied(line: denied.line, denied.denial) }
            do throws(SpoolFile.Failure) {
                try state.spool.write(octets)
            } catch {
                throw .spool(error)
            }
        }
    }

    /// Checks what a line has against the limits of the registry.
    ///
    /// - Returns: why the sender may not restore it; `nil`: it may.
    private func admit(
        _ item: BackupReader.Item, _ line: Int, _ usage: inout RestoreUsage
    ) throws(BackupProblem) -> Denial? {
        switch item {
        case .header(let header):
            try usage.check(header)
            return nil
        case .policy(let named): return requester.mayChange(named.name) ? nil : .service(named.name)
        case .instance(let instance):
            try usage.add(instance, line: line)
            return requester.mayChange(instance.name) ? nil : .service(instance.name)
        }
    }
}

extension Restore {
    /// The next part of what is restored.
    private struct Part: Sendable {
        var commands: [RegistryCommand] = []
        var isLast = false
        var failure: String?
    }

    /// Gives the registry what was checked.
    private func apply() async -> ServerResponse {
        var progress = Progress()
        var waiting: [RegistryCommand] = []
        var isLast = false
        while !isLast || !waiting.isEmpty {
            if !isLast, waiting.count < Self.partLength {
                guard let next = await Self.threads.run({ [self] in read() }) else { continue }
                if let failure = next.failure { return interrupted(failure, progress) }
                waiting += next.commands
                isLast = next.isLast
                continue
            }
            let part = Array(waiting.prefix(Self.partLength))
            waiting.removeFirst(part.count)
            if let response = await apply(part, &progress) { return response }
        }
        return .json { writer in
            writer.beginObject()
            writer.member("instances")
            writer.integer(progress.instances)
            writer.member("replaced")
            writer.integer(progress.replaced)
            writer.member("policies")
            writer.integer(progress.policies)
            writer.endObject()
        }
    }

    /// Reads what was kept.
    private func read() -> Part {
        state.withLock { state in
            var part = Part()
            do {
                let octets = try state.spool.read()
                if octets.isEmpty {
                    _ = try state.reader.finish()
                    part.isLast = true
                } else {
                    try state.reader.read(octets) { item, _ in
                        switch item {
                        case .header: break
                        case .policy(let named):
                            part.commands.append(.setPolicy(name: named.name, named.policy))
                        case .instance(let instance): part.commands.append(.restore(instance))
                        }
                    }
                }
            } catch {
                part.failure = "what was checked can't be read any more: \(error)"
            }
            return part
        }
    }

    /// Gives the registry a part.
    ///
    /// - Returns: the answer if that fails.
    private func apply(_ part: [RegistryCommand], _ progress: inout Progress) async -> ServerResponse? {
        // Whoever stops the server waits for this.
        if Task.isShuttingDownGracefully { return interrupted(RegistryError.stopping.words, progress) }
        let outcomes: [CommandOutcome]
        do {
            outcomes = try await registry.submit(part, by: requester)
        } catch {
            // Some may have been kept all the same.
            count(part, &progress)
            return interrupted(error.words, progress)
        }
        var limit: RegistryLimit?
        var isDenied = false
        for outcome in outcomes {
            switch outcome {
            case .registered(_, let isNew):
                progress.instances += 1
                if !isNew { progress.replaced += 1 }
            case .policySet: progress.policies += 1
            case .refused(let refusal): limit = limit ?? refusal
            default: isDenied = true
            }
        }
        if let limit {
            return interrupted(
                limit.errors.map(\.message).joined(separator: "; "), progress, status: .unprocessableContent)
        }
        return isDenied ? interrupted("the token is another one by now", progress, status: .forbidden) : nil
    }

    /// Counts what is there of a part of which it is not known.
    private func count(_ part: [RegistryCommand], _ progress: inout Progress) {
        for command in part {
            switch command {
            case .restore(let instance): progress.instances += registry.has(instance) ? 1 : 0
            case .setPolicy(let name, let policy): progress.policies += registry.policy(of: name) == policy ? 1 : 0
            default: continue
            }
        }
    }

    /// The answer when the registry has taken in only a part.
    private func interrupted(
        _ reason: String, _ progress: Progress, status: HTTPResponse.Status = .serviceUnavailable
    ) -> ServerResponse {
        let done = BackupCounts(policies: progress.policies, instances: progress.instances)
        return .problem(
            status,
            "\(reason). Of the backup \(done.words) are restored, the rest is not: when that is mended, restore the "
                + "same backup again with --merge (merge=true)",
            fields: status == .serviceUnavailable ? [HTTPField(name: .retryAfter, value: "1")] : [])
    }
}
