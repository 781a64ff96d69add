import Engine
import Logging
import Synchronization
import Testing

@testable import ControlPlane

@Suite struct AccessControlTests {
    private func token(_ secret: String, _ role: Role, name: String? = nil) -> Token {
        Token(name: name ?? secret, credential: .hash(TokenHash(of: secret.utf8)), role: role)
    }

    private func admit(_ access: AccessControl, _ fields: [String], subject: String? = nil, for role: Role = .read)
        -> Result<Requester, AccessRefusal>
    {
        Result { () throws(AccessRefusal) in
            try access.admit(credentials: fields, subject: subject, client: .v4(1), for: role)
        }
    }

    @Test func `who is admitted depends on the token and its role`() {
        let subject = Token(name: "cert", credential: .subject("CN=node-1"), role: .write)
        let access = AccessControl(TokenTable([token("r", .read), token("w", .write), token("a", .admin), subject]))
        let tokens: [(String, Role)] = [("r", .read), ("w", .write), ("a", .admin)]
        for (secret, role) in tokens {
            for needed in Role.allCases {
                let result = admit(access, ["Bearer \(secret)"], for: needed)
                if role >= needed {
                    #expect((try? result.get())?.token?.name == secret)
                } else {
                    #expect(result == .failure(.role(needed, token: secret)))
                }
            }
        }
        #expect(admit(access, []) == .failure(.noToken))
        #expect(admit(access, ["Basic cg=="]) == .failure(.noToken))
        #expect(admit(access, ["Bearer x"]) == .failure(.unknownToken))
        #expect(admit(access, ["Bearer R"]) == .failure(.unknownToken))
        #expect((try? admit(access, [], subject: "CN=node-1", for: .write).get())?.token?.name == "cert")
        #expect(admit(access, [], subject: "CN=node-2") == .failure(.unknownToken))
        // What a client presents by itself counts more than its connection.
        #expect((try? admit(access, ["Bearer r"], subject: "CN=node-1").get())?.token?.name == "r")
        #expect(admit(access, ["Bearer x"], subject: "CN=node-1") == .failure(.unknownToken))
        #expect(admit(AccessControl(), [], for: .admin) == .success(Requester(client: .v4(1))))
    }

    @Test func `who waits by a token that goes is told, and nobody else`() throws {
        let access = AccessControl()
        let told = Mutex<[String]>([])
        func watch(_ name: String) throws -> @Sendable () -> Void {
            let requester = try admit(access, name.isEmpty ? [] : ["Bearer \(name)"]).get()
            return access.whenRevoked(requester) { told.withLock { $0.append(name) } }
        }
        _ = try watch("")
        let generation = access.generation
        access.adopt(TokenTable([token("a", .read), token("b", .read), token("c", .read)]))
        #expect(told.withLock { $0 } == [""] && access.generation != generation)
        _ = try watch("a")
        _ = try watch("b")
        let forget = try watch("c")
        forget()
        // The same secret with another name is the same token.
        access.adopt(TokenTable([token("a", .admin, name: "renamed")]))
        #expect(told.withLock { $0 } == ["", "b"])
        let late = Requester(token: token("b", .read))
        _ = access.whenRevoked(late) { told.withLock { $0.append("late") } }
        #expect(told.withLock { $0 } == ["", "b", "late"] && !access.isValid(late))
        access.adopt(nil as TokenTable?)
        #expect(told.withLock { $0 } == ["", "b", "late"] && access.isValid(late))
    }

    /// Logs into memory.
    private struct Recorder: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        final class Lines: Sendable {
            let all = Mutex<[String]>([])
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
            lines.all.withLock { $0.append(([event.message.description] + metadata).joined(separator: " ")) }
        }
    }

    /// Timers that fire by hand.
    private final class ManualTimers: Timers {
        let actions = Mutex<[@Sendable () -> Void]>([])

        func every(
            _ interval: Duration, after delay: Duration, _ action: @escaping @Sendable () -> Void
        ) -> @Sendable () -> Void {
            {}
        }

        func once(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
            actions.withLock { $0.append(action) }
        }
    }

    @Test func `refusals are counted, and few of them logged`() {
        let lines = Recorder.Lines()
        let timers = ManualTimers()
        let clock = TestClock()
        let log = RefusalLog(
            logger: Logger(label: "test") { _ in Recorder(lines: lines) }, time: clock.source, timers: timers)
        for _ in 0..<1000 { log.note(.unknownToken, client: .v4(0x0A00_0001), endpoint: "GET /api/v1/services") }
        log.note(.malformed("Authorization is given twice"), client: nil, endpoint: "GET /")
        log.note(.service("users"), by: Requester(token: token("w", .write)), count: 7)
        #expect(log.counts == AccessRefusal.Counts(unknownToken: 1000, service: 7, malformed: 1))
        #expect(lines.all.withLock { $0.count } == 10)
        #expect(
            lines.all.withLock { $0.first }
                == "a request is refused: its token is unknown client=10.0.0.1 endpoint=GET /api/v1/services")
        let actions = timers.actions.withLock { $0 }
        #expect(actions.count == 1)
        for action in actions { action() }
        #expect(
            lines.all.withLock { $0.last }
                == "more requests were refused count=992 forbidden=7 malformed=1 unauthorized=990")
        log.note(.role(.admin, token: "w"), client: .v4(1), endpoint: "DELETE /api/v1/cache")
        #expect(lines.all.withLock { $0.last?.contains("needed=admin token=w") } == true)
    }
}
