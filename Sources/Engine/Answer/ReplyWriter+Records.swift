/// The packed records of an RRset, as ``ReplyWriter`` copies them: beginning with the one whose turn it is.
protocol RecordSource {
    /// The rotation weights of the records; empty unless its strategy goes by them.
    var weights: Span<UInt32> { @_lifetime(borrow self) get }

    /// Writes all records.
    ///
    /// - Parameter first: the index of the record that comes first.
    func writeAll(from first: Int, to reply: inout OutputRawSpan)

    /// Writes as many whole records as there is room for, at most 65,535.
    ///
    /// - Returns: the number of records written.
    func writeSome(from first: Int, to reply: inout OutputRawSpan, limit: Int) -> UInt16

    /// Writes the addresses of an SRV RRset's targets, as many as there is room for. The address of each target is a
    /// whole RRset.
    ///
    /// - Parameters:
    ///   - first: the index of the record that comes first.
    ///   - start: the offset of the SRV records in this reply, which contains all of them.
    /// - Returns: the number of records written.
    func writeAdditional(
        from first: Int, answeredAt start: Int, to reply: inout OutputRawSpan, limit: Int
    ) -> UInt16
}

extension ReplyWriter {
    /// Writes the whole ANSWER: an RRset's records in rotation. For SRV it also writes the whole ADDITIONAL: the
    /// targets' addresses.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(_ records: ZoneRecords, in rotation: inout WorkerRotation) {
        let rrset = records.rrset
        if rrset.list > 0 || !hasRoom(for: rrset) {
            self = appending(records, in: &rotation)
        } else {
            append(rrset, from: ShardRecords(records), in: &rotation)
        }
    }

    /// Whether there is room for all records of an RRset.
    @inline(__always)
    private func hasRoom(for rrset: PackedRRset) -> Bool {
        octets.byteCount &+ Int(rrset.answerByteCount) <= limit && rrset.count <= UInt32(UInt16.max)
    }

    /// Writes all records.
    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func append(
        _ rrset: PackedRRset, from source: some RecordSource, in rotation: inout WorkerRotation
    ) {
        let start = octets.byteCount
        let first = rrset.count > 1 ? rotation.first(of: rrset.rotated, weights: source.weights) : 0
        source.writeAll(from: first, to: &octets)
        set(answerCount: UInt16(truncatingIfNeeded: rrset.count))
        if rrset.additionalByteCount > 0 {
            let count = source.writeAdditional(from: first, answeredAt: start, to: &octets, limit: limit)
            set(additionalCount: count)
        }
    }

    /// Writes an RRset that has many records, or for which there is not enough room.
    @inline(never)
    @_lifetime(copy self)
    private consuming func appending(_ records: ZoneRecords, in rotation: inout WorkerRotation) -> ReplyWriter {
        let rrset = records.rrset
        let list = records.shard.list(of: rrset)
        if hasRoom(for: rrset), let list {
            append(rrset, from: list, in: &rotation)
            return self
        }
        let rotated = rrset.rotated
        let isStream = transport == .tcp
        // Over TCP, there are more records than a message can hold. As many as fit are sent, and the next answer
        // continues behind them. TC is not set: it could only send the client to the transport that it already uses.
        let first = isStream ? rotation.firstOfSome(of: rotated) : 0
        let count =
            if let list {
                list.writeSome(from: first, to: &octets, limit: limit)
            } else {
                ShardRecords(records).writeSome(from: first, to: &octets, limit: limit)
            }
        set(answerCount: count)
        if isStream {
            rotation.note(sent: Int(count), from: first, of: rotated)
        } else {
            // RFC 2181 §9: TC is set, since a required RRset is cut. The rotation does not move, because the client
            // asks again.
            setTruncated()
        }
        return self
    }
}

extension OutputRawSpan {
    /// Writes a record into ADDITIONAL whose owner is elsewhere in the reply.
    ///
    /// - Parameters:
    ///   - record: a packed record with a compression pointer as its owner.
    ///   - target: the offset of the owner's name, within ``PackedRecord/pointerReach``.
    ///   - limit: the most octets of the reply.
    /// - Returns: `false` if there is no room for it.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(additional record: RawSpan, ownedAt target: Int, limit: Int) -> Bool {
        let position = byteCount
        guard position &+ record.byteCount <= limit else { return false }
        append(octets: record)
        replace(at: position, bigEndian: 0xC000 | UInt16(truncatingIfNeeded: target))
        return true
    }

    /// Writes a record into ADDITIONAL whose owner is out of a pointer's reach.
    ///
    /// - Parameters:
    ///   - record: a packed record with a compression pointer as its owner.
    ///   - name: the owner, in wire form.
    ///   - limit: the most octets of the reply.
    /// - Returns: `false` if there is no room for it.
    @_lifetime(self: copy self)
    mutating func append(additional record: RawSpan, ownedBy name: RawSpan, limit: Int) -> Bool {
        guard byteCount &+ name.byteCount &+ record.byteCount &- 2 <= limit else { return false }
        append(octets: name)
        append(octets: record.extracting(2..<record.byteCount))
        return true
    }
}
