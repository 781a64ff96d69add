import Synchronization
import Testing

@testable import ControlPlane

/// Messages of a watch, in whatever pieces they arrive.
@Suite struct EtcdWatchReaderTests {
    /// The events that a reader makes of pieces, and whether it went on to the end.
    private func read(_ pieces: [String], from revision: Int64 = 5) -> ([EtcdWatchReader.Event], Bool) {
        let events = Mutex<[EtcdWatchReader.Event]>([])
        let reader = EtcdWatchReader(startRevision: revision) { event in
            events.withLock { $0.append(event) }
            switch event {
            case .created, .changes: return true
            case .gone, .failed: return false
            }
        }
        let isOpen = pieces.allSatisfy { reader.read(Array($0.utf8)) }
        return (events.withLock { $0 }, isOpen)
    }

    private let created = #"{"result":{"header":{"revision":"9"},"created":true}}"#
    /// The key `/a` with the value `x` at revision 7, then deleted at 8.
    private let changes = """
        {"result":{"header":{"revision":"8"},"events":[{"kv":{"key":"L2E=","create_revision":"7","mod_revision":"7",\
        "version":"1","value":"eA==","lease":"77"}},{"type":"DELETE","kv":{"key":"L2E=","mod_revision":"8"}}]}}
        """

    @Test func `messages are read in any pieces`() throws {
        let text = created + "\n" + changes + "\n"
        let whole = read([text]).0
        #expect(whole.count == 2)
        #expect(whole.first == .created)
        guard case .changes(let events, revision: 8) = try #require(whole.last) else {
            Issue.record("\(whole)")
            return
        }
        #expect(events.map(\.isDeletion) == [false, true])
        #expect(events.map(\.value.revision) == [7, 8])
        #expect(events.first?.value.key == Array("/a".utf8))
        #expect(events.first?.value.value == Array("x".utf8))
        #expect(events.first?.value.lease == 77)
        #expect(read(text.map { String($0) }).0 == whole)
        for length in 1..<40 {
            let characters = Array(text)
            let pieces = stride(from: 0, to: characters.count, by: length).map {
                String(characters[$0..<min($0 + length, characters.count)])
            }
            #expect(read(pieces).0 == whole)
        }
    }

    @Test(arguments: [
        #"{"result":{"header":{},"canceled":true,"compact_revision":"8"}}"#,
        #"{"result":{"header":{"revision":"3"},"created":true}}"#,
    ])
    func `a history that is not there any more is read anew`(message: String) {
        let (events, isOpen) = read([message + "\n"])
        #expect(!isOpen)
        guard case .gone? = events.first else {
            Issue.record("\(events)")
            return
        }
    }

    @Test(arguments: [
        "nonsense", #"{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}"#,
        #"{"result":{"created":true,"canceled":true,"cancel_reason":"Unauthenticated"}}"#,
        #"{"result":{"events":[{"kv":{"key":"L2E=","mod_revision":"x"}}]}}"#,
    ])
    func `a watch that fails ends`(message: String) {
        let (events, isOpen) = read([message + "\n", created + "\n"])
        #expect(!isOpen)
        #expect(events.count == 1)
        guard case .failed? = events.first else {
            Issue.record("\(events)")
            return
        }
    }

    @Test(arguments: [
        "{}", "[]", "null", #"{"result":{"events":[{"kv":{"key":"%%%"}}]}}"#,
        #"{"result":{"events":{},"header":7}}"#,
    ])
    func `what is not as it should be does no harm`(message: String) {
        let (events, isOpen) = read([message + "\n"])
        #expect(isOpen)
        #expect(events.count == 1)
    }

    @Test func `a watch that catches up has come as far as its events, not as far as etcd`() {
        let behind = changes.replacing(#""revision":"8""#, with: #""revision":"5000""#)
        let idle = #"{"result":{"header":{"revision":"5000"}}}"#
        let revisions = read([behind + "\n", idle + "\n"]).0.map { event -> Int64? in
            if case .changes(_, let revision) = event { revision } else { nil }
        }
        #expect(revisions == [8, 5000])
    }
}
