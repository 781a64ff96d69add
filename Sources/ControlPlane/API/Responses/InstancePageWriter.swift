import HTTPTypes
import NIOCore

/// Writes a page of the list of instances, in several steps if necessary, up to a limit.
struct InstancePageWriter: Sendable {
    /// The longest page; the list continues behind it with its cursor. One instance is far shorter.
    static let maximumOctets = 1024 * 1024 - 64

    private let page: InstancePage
    private let checks: (any CheckObserver)?
    private var writer: JSONWriter
    private var writtenCount = 0

    init(_ page: InstancePage, checks: (any CheckObserver)? = nil) {
        self.page = page
        self.checks = checks
        writer = JSONWriter(capacity: 64 + min(page.instances.count * 384, Self.maximumOctets))
        writer.beginObject()
        writer.member("services")
        writer.beginArray()
    }

    /// Whether everything that the page can have is written.
    var isComplete: Bool { writtenCount == page.instances.count }

    /// Writes instances until all are written, or the next one would exceed `limit`.
    mutating func write(upTo limit: Int) {
        while writtenCount < page.instances.count {
            let octetCount = writer.octets.count
            writer.instance(page.instances[writtenCount], checks)
            if writer.octets.count > limit {
                writer.takeBack(to: octetCount)
                return
            }
            writtenCount += 1
        }
    }

    /// The page as written so far, with the cursor for the rest.
    var response: ServerResponse {
        var writer = writer
        writer.endArray()
        writer.member("next_cursor")
        if isComplete {
            if let place = page.lastSequence, !page.isLast {
                writer.string(ListQuery.cursor(after: place))
            } else {
                writer.null()
            }
        } else if writtenCount > 0 {
            writer.string(ListQuery.cursor(after: page.instances[writtenCount - 1].instance.sequence))
        } else {
            writer.null()
        }
        writer.endObject()
        return ServerResponse(status: .ok, contentType: "application/json", body: writer.line)
    }
}
