import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import ControlPlane

/// NIO's decoder stops behind some requests; ours continues, and knows which ones these are.
@Suite struct RequestDecoderTests {
    private static let options = [
        "upgrade", "Upgrade", "UPGRADE ", " upgrade", "\tupgrade", "upgrade\t", "upgrade,", ",upgrade",
        "close, upgrade",
        "keep-alive, Upgrade, HTTP2-Settings", "upgrade foo", "upgrades", "xupgrade", "u", "upgrad",
        "upgrade  ,  close",
        "upgrade,upgrade", "", " ", "close", "keep-alive,\tupgrade", "upgrade;q=1", "\"upgrade\"", "upgrade, x\t",
        "x\t,upgrade", "upgrade\r\n\tfoo", "foo,\r\n upgrade",
    ]
    private static let offers = [
        "Upgrade: h2c", "upgrade:websocket", "UPGRADE: TLS/1.2", "Upgrade:", "Upgrade:  ", "Upgrade: \t ",
        "Upgrade:\r\n h2c", "Upgrade: ,", "Upgrades: h2c", "X: y",
    ]

    private static let offered: [String] = {
        var requests: [String] = []
        for option in options {
            for offer in offers {
                for line in ["GET / HTTP/1.1", "GET / HTTP/1.0", "OPTIONS * HTTP/1.1"] {
                    requests.append("\(line)\r\nHost: localhost\r\n\(offer)\r\nConnection: \(option)\r\n\r\n")
                }
            }
        }
        return requests
    }()

    private static let others: [String] = [
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "CONNECT a:80 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n",
        "PUT / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        "PUT / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        "PUT / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]

    private static let requests = offered + others

    private static let next = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// The heads that come out, and the error.
    private func decode(
        _ text: String, pieces: Int? = nil, _ handler: any ChannelHandler, _ follower: (any ChannelHandler)? = nil
    ) throws -> (heads: [HTTPRequestHead], error: (any Error)?) {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(handler)
        if let follower { try channel.pipeline.syncOperations.addHandler(follower) }
        var failure: (any Error)?
        let octets = Array(text.utf8)
        for start in stride(from: 0, to: octets.count, by: pieces ?? octets.count) {
            let piece = octets[start..<min(start + (pieces ?? octets.count), octets.count)]
            do { try channel.writeInbound(ByteBuffer(bytes: piece)) } catch { failure = failure ?? error }
        }
        var heads: [HTTPRequestHead] = []
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            if case .head(let head) = part { heads.append(head) }
        }
        _ = try? channel.finish()
        return (heads, failure)
    }

    /// Makes the same calls to the decoder as ``ConnectionHandler``.
    private final class Follower: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias InboundOut = HTTPServerRequestPart
        private let decoder: RequestDecoder
        private var stops = false

        init(_ decoder: RequestDecoder) { self.decoder = decoder }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch Self.unwrapInboundIn(data) {
            case .head(let head):
                stops = head.stopsDecoder
                decoder.noteHead()
            case .body(let octets): decoder.noteBody(octets: octets.readableBytes)
            case .end: decoder.noteEnd(stops: stops)
            }
            context.fireChannelRead(data)
        }
    }

    @Test(arguments: requests)
    func `where NIO's decoder stops is known`(request: String) throws {
        let (heads, error) = try decode(request + Self.next, ByteToMessageHandler(HTTPRequestDecoder()))
        guard error == nil, let first = heads.first else { return }
        #expect(first.stopsDecoder == (heads.count == 1), "\(request)")
    }

    @Test(arguments: requests, [1, 7, nil] as [Int?])
    func `what follows is read, in whatever pieces it comes`(request: String, pieces: Int?) throws {
        let whole = try decode(request + Self.next, ByteToMessageHandler(HTTPRequestDecoder()))
        let decoder = RequestDecoder()
        let read = try decode(
            request + request + Self.next, pieces: pieces, ByteToMessageHandler(decoder), Follower(decoder))
        #expect((read.error == nil) == (whole.error == nil))
        guard whole.error == nil else { return }
        #expect(read.heads.map(\.uri).last == "/next" && read.heads.count == 3, "\(request)")
    }

    private static let chunked = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test(
        arguments: [
            ("", "\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("GET", " ", "/ HTTP/1.1\r\nHost: a\r\n\r\n"), ("GET /", " ", "HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("GET / HTTP/1.1\r\nHost:", " ", "a\r\n\r\n"), ("GET / HTTP/1.1\r\nHost: a", " ", "\r\n\r\n"),
            (chunked, "0", "2\r\n{}\r\n0\r\n\r\n"), (chunked + "2;a=", "b", "\r\n{}\r\n0\r\n\r\n"),
            (chunked + "2;a=\"", "b", "\"\r\n{}\r\n0\r\n\r\n"), (chunked + "2", ";a", "\r\n{}\r\n0\r\n\r\n"),
            (chunked + "2\r\n{}\r\n0;a", "b", "\r\n\r\n"), (chunked + "2\r\n{}\r\n", "0", "\r\n\r\n"),
            (chunked + "0\r\nX: ", "y", "\r\n\r\n"), (chunked + "0\r\nX:", " ", "y\r\n\r\n"),
            (chunked + "0\r\n", "X: y\r\n", "\r\n"),
        ], [1000, 16_384])
    func `octets that come to nothing have a limit`(
        around: (before: String, unit: String, after: String), pieces: Int
    ) throws {
        func error(_ count: Int) throws -> (any Error)? {
            let text = around.before + String(repeating: around.unit, count: count) + around.after
            let decoder = RequestDecoder()
            let handler = ByteToMessageHandler(decoder, maximumBufferSize: RequestDecoder.maximumBufferedOctets)
            return try decode(text, pieces: pieces, handler, Follower(decoder)).error
        }
        let few = try error(20)
        // NIO accepts some of it nowhere.
        if let few { #expect(few is HTTPParserError) }
        let found = try error(150_000 / around.unit.utf8.count)
        #expect(found.map { RequestDecoder.isRefusal($0) } == true)
    }

    @Test func `a body in the smallest chunks is read whole`() throws {
        let text = Self.chunked + String(repeating: "1\r\n \r\n", count: 12_000) + "0\r\n\r\n" + Self.next
        let decoder = RequestDecoder()
        let read = try decode(text, pieces: 4096, ByteToMessageHandler(decoder), Follower(decoder))
        #expect(read.error == nil && read.heads.map(\.uri) == ["/", "/next"])
    }

    @Test func `a head that never ends is not kept`() throws {
        let decoder = RequestDecoder()
        let handler = ByteToMessageHandler(decoder, maximumBufferSize: RequestDecoder.maximumBufferedOctets)
        let long = "GET /" + String(repeating: "a", count: 4 * RequestDecoder.maximumBufferedOctets)
        let error = try decode(long, pieces: 4096, handler, Follower(decoder)).error
        #expect(error is HTTPParserError || error is ByteToMessageDecoderError.PayloadTooLargeError)
    }
}
