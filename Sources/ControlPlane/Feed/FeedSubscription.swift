/// A reader's place in a feed, which is free again when this is forgotten.
final class FeedSubscription: Sendable {
    let reader: FeedReader
    private let feed: ChangeFeed

    init(_ reader: FeedReader, of feed: ChangeFeed) {
        self.reader = reader
        self.feed = feed
    }

    deinit { feed.remove(reader) }
}
