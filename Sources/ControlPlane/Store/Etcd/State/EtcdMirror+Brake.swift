import Synchronization

/// The brake on mass expiry, where leases in etcd decide what expires.
///
/// Each node sees which leases end, and holds the instances of a service of which most have ended: for the time being
/// they count as alive. As all that are alive, they are written again, on a lease of one more ttl, with the remark that
/// they are held. The first node to do so decides for all: what is in etcd holds everywhere. When the lease has ended
/// too, they are gone.
extension EtcdMirror {
    /// Holds some of these instances, whose leases have ended and which nobody has heard from.
    ///
    /// - Returns: the others.
    func braked(_ silent: [String], _ replica: EtcdReplica, _ now: Moment) -> [String] {
        let brake = view.brake
        if silent.isEmpty || !brake.isOn { return silent }
        // Those whose leases have ended just now count, too.
        var counts: [String: Int] = [:]
        for id in replica.orphans.keys where !isAlive(id, now) {
            guard let instance = instance(id)?.instance, !instance.isHeld, !instance.isDraining else { continue }
            counts[instance.name, default: 0] += 1
        }
        return view.withTable { table in
            let services = counts.filter { name, count in
                brake.holds(silent: count + (table.held[name]?.count ?? 0), of: table.presentCount(ofService: name))
            }
            return silent.filter { id in
                guard let instance = table.instance(id: id)?.instance, services[instance.name] != nil,
                    !instance.isHeld, !instance.isDraining
                else { return true }
                table.hold(id, now: now)
                return false
            }
        }
    }

    /// The writes that tell other nodes of instances which etcd has as held, and which were heard from here.
    func revival(limit: Int) -> Restoration {
        replica.withLock { replica in
            var writes: [EtcdWrite] = []
            for id in replica.held where writes.count < limit {
                guard let known = replica.entry(id: id), let instance = instance(id)?.instance, !instance.isHeld
                else { continue }
                writes.append(
                    EtcdWrite(
                        id: id, known: known, instance: instance, lease: known.lease,
                        origin: StoredOrigin(asOf: max(replica.seen, known.knownUpTo))))
            }
            writes.sort { $0.id < $1.id }
            return Restoration(writes: writes, history: replica.history, seen: replica.seen)
        }
    }
}
