/// An answer of the cache, as one who reads is shown it: it can't outlive the ``CacheReading`` that it was found in, in
/// which nobody frees it. The compiler sees to that.
struct CachedAnswer: ~Escapable {
    private let stored: StoredAnswer

    /// - Parameters:
    ///   - stored: found, or made, in `reading`.
    ///   - reading: what it can't outlive.
    @inline(__always)
    @_lifetime(copy reading)
    init(_ stored: StoredAnswer, in reading: borrowing CacheReading) {
        self.stored = stored
    }

    var code: UInt16 { stored.code }
    var answerCount: UInt16 { stored.answerCount }
    var authorityCount: UInt16 { stored.authorityCount }
    var times: AnswerTimes { stored.times }
    var rotation: RotatedRecords { stored.rotation }
    /// Its place in the workers' rotation.
    var slot: UInt32 { stored.slot }

    /// QNAME in lower case.
    var name: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { stored.name }
    }

    /// Where the records' TTLs are in ``body``: 16-bit numbers in network order.
    var ttlOffsets: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { stored.ttlOffsets }
    }

    /// The records.
    var body: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { stored.body }
    }

    /// Whether its aliases lead to a name of a zone of ours, whose records are not in it.
    var leadsToOwnName: Bool {
        @inline(__always) get { stored.leadsToOwnName }
    }

    /// Where the name of ours stands in ``body``, uncompressed.
    var ownNameOffset: Int { Int(stored.ownQuery.uint16(at: 0) ?? 0) }

    /// A query for the name of ours.
    var ownQuery: RawSpan {
        @_lifetime(borrow self) get {
            let stored = stored.ownQuery
            return stored.extracting(min(AnswerContent.ownNamePlaceByteCount, stored.byteCount)...)
        }
    }

    /// Whether it was asked for before since it was fetched.
    var isPopular: Bool { stored.has(CacheMarks.popular) }

    /// Notes that it was asked for; writes only if that is news, so that hot entries are not written.
    @inline(__always)
    func noteAsked() {
        let both = CacheMarks.asked | CacheMarks.popular
        if !stored.has(both) { _ = stored.set(both) }
    }

    /// Whether it is time to ask for it again, and the caller is the one to do it.
    @inline(__always)
    func claimRefresh(now: MonotonicTime) -> Bool { stored.claimRefresh(now: now) }
}
