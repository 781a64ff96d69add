/// An answer in the cache as readers see it. It can't outlive the ``CacheReading`` in which it was found, during which
/// nobody frees it; the compiler enforces that.
struct CachedAnswer: ~Escapable {
    private let stored: StoredAnswer

    /// - Parameters:
    ///   - stored: found or made in `reading`.
    ///   - reading: the scope that it can't outlive.
    @inline(__always)
    @_lifetime(copy reading)
    init(_ stored: StoredAnswer, in reading: borrowing CacheReading) {
        self.stored = stored
    }

    var code: UInt16 { stored.code }
    var answerCount: UInt16 { stored.answerCount }
    var authorityCount: UInt16 { stored.authorityCount }
    var times: AnswerTimes { stored.times }
    /// When it came, to the second.
    var time: MonotonicTime { stored.time }
    var rotation: RotatedRecords { stored.rotation }
    /// Its place in the workers' rotation.
    var slot: UInt32 { stored.slot }

    /// QNAME in lower case.
    var name: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { stored.name }
    }

    /// The offsets of the records' TTLs in ``body``: 16-bit numbers in network order.
    var ttlOffsets: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { stored.ttlOffsets }
    }

    /// The records.
    var body: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { stored.body }
    }

    /// Whether its aliases lead to a name in one of our zones, whose records are not in it.
    var leadsToOwnName: Bool {
        @inline(__always) get { stored.leadsToOwnName }
    }

    /// Where the name of ours is in ``body``, uncompressed.
    var ownNameOffset: Int { Int(stored.ownQuery.uint16(at: 0) ?? 0) }

    /// A query for the name of ours.
    var ownQuery: RawSpan {
        @_lifetime(borrow self) get {
            let stored = stored.ownQuery
            return stored.extracting(min(AnswerContent.ownNamePlaceByteCount, stored.byteCount)...)
        }
    }

    /// Whether it was asked for before, since it was fetched.
    var wasHit: Bool { stored.has(CacheMarks.hit) }

    /// Notes that it was asked for. Writes only if the mark is new, so that hot entries are not written.
    @inline(__always)
    func noteHit() {
        let both = CacheMarks.visited | CacheMarks.hit
        if !stored.has(both) { _ = stored.set(both) }
    }

    /// Whether it is due to be fetched again, and the caller is the one to do it.
    @inline(__always)
    func claimRefresh(now: MonotonicTime) -> Bool { stored.claimRefresh(now: now) }
}
