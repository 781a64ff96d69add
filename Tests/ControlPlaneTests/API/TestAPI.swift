import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1

@testable import ControlPlane

/// The API on a registry of its own, without sockets.
struct TestAPI {
    let test: TestRegistry
    let state: ServerState
    var handler: APIHandler

    init(
        store: any Store = MemoryStore(), limits: Configuration.RegistryLimits = .init(),
        upstreams: [UpstreamStatistics] = [], access: AccessControl = AccessControl()
    ) {
        var statistics = EngineStatistics()
        statistics.upstreams = upstreams
        let shown = statistics
        test = TestRegistry(store: store, limits: limits)
        state = ServerState(version: "1.2.3", startedAt: test.clock.now.monotonic) { shown }
        handler = APIHandler(
            endpoints: CountedEndpoints(.server),
            registry: test.registry,
            decoder: RegistrationDecoder(),
            state: state,
            cache: NoCache(),
            time: test.clock.source,
            access: access
        )
    }

    /// An answer, with its body read.
    struct Answer {
        let status: Int
        let fields: HTTPFields
        let contentType: String
        let json: JSONValue
        let octets: [UInt8]

        /// A value inside the body, by names and indexes.
        subscript(_ path: String...) -> JSONValue? { json.value(at: path) }

        /// The names of the fields that are reported.
        var badFields: [String] {
            guard case .array(let errors) = self["errors"] else { return [] }
            return errors.compactMap { error in
                if case .string(let field) = error.value(at: ["field"]) { field } else { nil }
            }
        }
    }

    /// Sends a request.
    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String? = nil,
        contentType: String? = "application/json",
        fields: [(String, String)] = [("Host", "localhost")],
        from client: IPAddress? = .v4(0x7F00_0001)
    ) async throws -> Answer {
        var head = RequestHead(method: method, target: path, arrival: test.clock.now, client: client)
        head.fields = HTTPHeaders(fields)
        if body != nil, let contentType { head.fields.add(name: "Content-Type", value: contentType) }
        let response: ServerResponse
        switch handler.resolve(head) {
        case .success(let resolved):
            response = await resolved.respond(ByteBuffer(string: body ?? ""))
        case .failure(let error):
            response = error.response
        }
        let isJSON = response.contentType.hasSuffix("/json") || response.contentType.hasSuffix("+json")
        return Answer(
            status: response.status.code,
            fields: HTTPFields(response.fields),
            contentType: response.contentType,
            json: isJSON ? try JSONParser.parse(Array(response.body.readableBytesView)) : .null,
            octets: Array(response.body.readableBytesView)
        )
    }
}

extension JSONValue {
    /// A value inside the object, by names and indexes.
    func value(at path: [String]) -> JSONValue? {
        var value = self
        for step in path {
            switch value {
            case .object(let members):
                guard let member = members.first(where: { $0.name == step }) else { return nil }
                value = member.value
            case .array(let elements):
                guard let index = Int(step), elements.indices.contains(index) else { return nil }
                value = elements[index]
            default: return nil
            }
        }
        return value
    }

    var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }
}

/// An empty cache.
private struct NoCache: AnswerCacheControl {
    func removeFromCache(_ name: String?, subtree: Bool) throws(EngineError) -> Int {
        if name == ".." { throw .invalidName("..") }
        return 0
    }
}
