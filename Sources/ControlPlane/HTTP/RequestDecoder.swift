import NIOCore
import NIOHTTP1

/// NIO's decoder of requests, which continues where NIO's stops, and has limits that NIO lacks.
///
/// NIO stops reading after a request that offers another protocol or asks for a tunnel, since what follows could be in
/// that protocol. This server speaks no other: it ignores the offer, and reads what follows as the next request (RFC
/// 9110 §7.8).
///
/// NIO bounds fields and targets, but skips any number of octets without meaning: chunk extensions, zeros before a
/// chunk's size, white space, empty lines before a request. Such octets are counted here (RFC 9112 §7.1.1).
final class RequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    /// The most octets kept of a head, or of a line of a chunked body, that has not arrived completely.
    static let maximumBufferedOctets = 64 * 1024

    /// More than ``maximumFramingOctets`` of octets without meaning have come.
    struct FramingTooLong: Error {}

    /// The first octets on a connection are those of a TLS handshake (RFC 8446 §5.1).
    struct SecureHello: Error {}

    /// The content type of TLS handshake messages.
    private static let handshakeRecord: UInt8 = 22

    /// How many octets without meaning may come before the next head, or end, of a request: as many as fields may have,
    /// and as many again for what surrounds them.
    static let maximumFramingOctets = 64 * 1024
    /// How many octets of framing are allowed for each octet of a body: a chunk of one octet has five.
    private static let framingForEachOctet = 8

    private var decoder = RequestDecoder.makeDecoder()
    private var hasStopped = false
    private var framingOctets = 0
    private var hasRead = false
    /// Whether the octets being decoded ended a head or a request.
    private var hasEndedPart = false
    private var bodyOctets = 0

    private static func makeDecoder() -> HTTPRequestDecoder {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 * 1024
        limits.maxHeaderListSize = 32 * 1024
        limits.maxHeaderFieldCount = 100
        return HTTPRequestDecoder(limitConfiguration: limits)
    }

    /// Whether an error means that the octets were no request that this server reads.
    static func isRefusal(_ error: any Error) -> Bool {
        error is HTTPParserError || error is ByteToMessageDecoderError.PayloadTooLargeError || error is FramingTooLong
            || error is SecureHello
    }

    /// Is called during decoding, for a head.
    func noteHead() {
        hasEndedPart = true
    }

    /// Is called during decoding, for a part of a body.
    func noteBody(octets: Int) {
        bodyOctets += octets
    }

    /// Is called during decoding, for the end of a request.
    ///
    /// - Parameter stops: whether NIO's decoder stops behind its head: ``NIOHTTP1/HTTPRequestHead/stopsDecoder``.
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
        if !hasRead, let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) {
            hasRead = true
            if first == Self.handshakeRecord { throw SecureHello() }
        }
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

    /// Counts octets that belonged neither to a body nor, in the end, to a head. Octets that arrive together are
    /// counted together, so some may count for the part before or the one after.
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
    /// Whether NIO's decoder stops behind this request. The rule is exactly that of its parser, llhttp.
    var stopsDecoder: Bool {
        if method == .CONNECT { return true }
        var offersProtocol = false
        var isConnectionOption = false
        for (name, value) in headers {
            switch name.utf8.count {
            case 7 where name.lowercased() == "upgrade":
                // An empty field offers no protocol.
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
