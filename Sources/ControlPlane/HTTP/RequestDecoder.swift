import NIOCore
import NIOHTTP1

/// NIO's decoder of requests, which goes on where NIO's stops.
///
/// NIO reads nothing after a request that offers another protocol, or asks for a tunnel, since what follows could be in
/// that protocol. Here none is spoken: the offer is ignored, and what follows is the next request (RFC 9110 §7.8).
final class RequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    /// What is kept of a head, or a line of a chunked body, that has not come in whole.
    static let maximumBufferedOctets = 64 * 1024

    private var decoder = RequestDecoder.makeDecoder()
    private var hasStopped = false

    private static func makeDecoder() -> HTTPRequestDecoder {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 * 1024
        limits.maxHeaderListSize = 32 * 1024
        limits.maxHeaderFieldCount = 100
        return HTTPRequestDecoder(limitConfiguration: limits)
    }

    /// Is told of the end of a request that ``NIOHTTP1/HTTPRequestHead/stopsDecoder``, while that is being decoded.
    func noteStop() {
        hasStopped = true
    }

    func decoderAdded(context: ChannelHandlerContext) {
        decoder.decoderAdded(context: context)
    }

    func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        _ = try decoder.decode(context: context, buffer: &buffer)
        guard hasStopped else { return .needMoreData }
        hasStopped = false
        decoder.decoderRemoved(context: context)
        decoder = Self.makeDecoder()
        decoder.decoderAdded(context: context)
        return .continue
    }

    func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        while buffer.readableBytes > 0, case .continue = try decode(context: context, buffer: &buffer) {}
        return try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
    }
}

extension HTTPRequestHead {
    /// Whether NIO's decoder stops behind this request: exactly as its parser, llhttp, judges.
    var stopsDecoder: Bool {
        if method == .CONNECT { return true }
        var offersProtocol = false
        var isConnectionOption = false
        for (name, value) in headers {
            switch name.utf8.count {
            case 7 where name.lowercased() == "upgrade":
                // An empty one is none.
                if value.utf8.contains(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) {
                    offersProtocol = true
                }
            case 10 where name.lowercased() == "connection":
                if Self.namesUpgrade(value) { isConnectionOption = true }
            default: break
            }
        }
        return offersProtocol && isConnectionOption
    }

    /// Whether `upgrade` is one of the options in a `Connection` field.
    private static func namesUpgrade(_ value: String) -> Bool {
        value.utf8.split(separator: UInt8(ascii: ",")).contains { option in
            let option = option.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard option.count >= 7, option.dropFirst(7).allSatisfy({ $0 == UInt8(ascii: " ") }) else { return false }
            return Substring(option.prefix(7)).lowercased() == "upgrade"
        }
    }
}
