import NIOCore
import NIOHTTP1

/// NIO's decoder of requests, which goes on where NIO's stops, and has a limit where NIO has none.
///
/// NIO reads nothing after a request that offers another protocol, or asks for a tunnel, since what follows could be in
/// that protocol. Here none is spoken: the offer is ignored, and what follows is the next request (RFC 9110 §7.8).
///
/// NIO bounds fields and targets, but passes over any amount of what has no meaning: extensions of chunks, zeros before
/// a chunk's size, white space, empty lines before a request. Such octets are counted here (RFC 9112 §7.1.1).
final class RequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    /// What is kept of a head, or a line of a chunked body, that has not come in whole.
    static let maximumBufferedOctets = 64 * 1024

    /// More than that of octets that come to nothing.
    struct FramingTooLong: Error {}

    /// Octets that may come to nothing before the next head, or end, of a request: what fields may have, and as much
    /// for what is around them.
    static let maximumFramingOctets = 64 * 1024
    /// Octets of framing that each octet of a body may have: a chunk of one octet has five.
    private static let framingForEachOctet = 8

    private var decoder = RequestDecoder.makeDecoder()
    private var hasStopped = false
    private var framingOctets = 0
    /// What has come out of the octets that are being decoded.
    private var hasEndedPart = false
    private var bodyOctets = 0

    private static func makeDecoder() -> HTTPRequestDecoder {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 * 1024
        limits.maxHeaderListSize = 32 * 1024
        limits.maxHeaderFieldCount = 100
        return HTTPRequestDecoder(limitConfiguration: limits)
    }

    /// Whether an error says that what came is no request that is read here.
    static func isRefusal(_ error: any Error) -> Bool {
        error is HTTPParserError || error is ByteToMessageDecoderError.PayloadTooLargeError || error is FramingTooLong
    }

    /// Is told of a head, while it is being decoded.
    func noteHead() {
        hasEndedPart = true
    }

    /// Is told of a part of a body, while it is being decoded.
    func noteBody(octets: Int) {
        bodyOctets += octets
    }

    /// Is told of the end of a request, while it is being decoded.
    ///
    /// - Parameter stops: whether its head is one that ``NIOHTTP1/HTTPRequestHead/stopsDecoder``.
    func noteEnd(stops: Bool) {
        hasEndedPart = true
        if stops { hasStopped = true }
    }

    func decoderAdded(context: ChannelHandlerContext) {
        decoder.decoderAdded(context: context)
    }

    func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        (hasEndedPart, bodyOctets) = (false, 0)
        let readableBefore = buffer.readableBytes
        _ = try decoder.decode(context: context, buffer: &buffer)
        try countFraming(consumed: readableBefore - buffer.readableBytes)
        guard hasStopped else { return .needMoreData }
        hasStopped = false
        decoder.decoderRemoved(context: context)
        decoder = Self.makeDecoder()
        decoder.decoderAdded(context: context)
        return .continue
    }

    /// Counts octets that were neither a body nor, in the end, a head. What has come in at once is taken as one: some
    /// of it may count for the part before or the one after.
    private func countFraming(consumed: Int) throws {
        let allowed = bodyOctets * (Self.framingForEachOctet + 1)
        framingOctets = hasEndedPart ? 0 : max(0, framingOctets + consumed - allowed)
        if framingOctets > Self.maximumFramingOctets { throw FramingTooLong() }
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
