"""Generates queries: each is some octets and a transport. The same seed gives the same queries."""

import random
import struct

import served_zone as zone

COMMON_TYPES = [1, 1, 1, 28, 28, 33, 33, 33, 2, 6, 16, 255]
# CNAME, PTR, HINFO, NULL, SIG, KEY, DS, RRSIG, NSEC, DNSKEY, NSEC3, HTTPS, OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA.
SPECIAL_TYPES = [5, 12, 13, 10, 24, 25, 43, 46, 47, 48, 50, 65, 41, 249, 250, 251, 252, 253, 254]
CLASSES = [0, 2, 3, 4, 254, 255]
# LLQ, NSID, DAU, client subnet, EXPIRE, COOKIE, TCP keepalive, padding, CHAIN, key tag, EDE, and unassigned ones.
OPTIONS = [1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 26946, 65001, 65535]
OUTSIDE = ["kong", "", "example.com", "xservice.kong", "service.kong.example", "kong.service", "se.kong", "servic.kong"]
SPECIAL_NAMES = ["localhost", "a.localhost", "invalid", "a.invalid", "resolver.arpa", "_dns.resolver.arpa"]
CHAOS_NAMES = ["version.bind", "version.server", "id.server", "hostname.bind", "authors.bind", "VERSION.bind"]


def labels_of(name):
    """The labels of a name in text form."""
    return [label.encode() for label in name.split(".")] if name else []


def wire(labels):
    """A name in wire form, whatever the lengths of its labels."""
    return b"".join(bytes([len(label) & 0xFF]) + label for label in labels) + b"\0"


class Generator:
    """Makes queries of all shapes."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = [labels_of(name) for name in zone.names()]
        self.origin = labels_of(zone.DOMAIN)

    def label(self):
        """A label that is probably no name's."""
        rng = self.random
        kind = rng.randrange(8)
        if kind == 0:
            return bytes(rng.randrange(256) for _ in range(rng.randint(1, 12)))
        if kind == 1:
            return bytes(rng.choice(b"abcxyz019-_") for _ in range(rng.choice((1, 62, 63))))
        if kind == 2:
            return rng.choice((b"*", b"_tcp", b"_udp", b"addr", b"ns", b"web", b"_web", b"v1", b"service", b"kong"))
        if kind == 3:
            return rng.choice(
                (b"0a000001", b"0a000002", b"0A000101", b"fd" + b"0" * 29 + b"6", b"0a00000", b"zz000001")
            )
        return bytes(rng.choice(b"abcdefghijklmnopqrstuvwxyz0123456789-") for _ in range(rng.randint(1, 12)))

    def name(self):
        """The labels of a name in, under, above or beside the zone."""
        rng = self.random
        kind = rng.random()
        if kind < 0.5:
            labels = list(rng.choice(self.names))
        elif kind < 0.6:
            labels = [self.label() for _ in range(rng.choice((1, 1, 1, 2, 5)))] + list(rng.choice(self.names))
        elif kind < 0.75:
            labels = [self.label() for _ in range(rng.choice((1, 1, 1, 2, 3)))] + self.origin
        elif kind < 0.8:
            labels = list(rng.choice(self.names))
            place = rng.randrange(len(labels))
            octets = bytearray(labels[place])
            octets[rng.randrange(len(octets))] = rng.randrange(256)
            labels[place] = bytes(octets)
        elif kind < 0.83:
            # A name of 250 to 258 octets, in the zone: 255 are the most (RFC 1035 section 2.3.4).
            labels = list(self.origin)
            missing = rng.randint(250, 258) - len(wire(labels))
            while missing > 0:
                length = min(missing - 1, 63) if missing != 65 else 62
                labels.insert(0, b"n" * length)
                missing -= length + 1
        elif kind < 0.85:
            labels = rng.choice(([b"service.kong"], [b"web.service", b"kong"], [b"web", b"service.kong"]))
        elif kind < 0.87:
            labels = labels_of(rng.choice(SPECIAL_NAMES))
        elif kind < 0.98:
            labels = [self.label() for _ in range(rng.choice((0, 1, 1, 2)))] + labels_of(rng.choice(OUTSIDE))
        else:
            labels = [self.label() for _ in range(rng.choice((1, 2, 60, 126, 127)))]
        if rng.random() < 0.3:
            labels = [bytes(rng.choice((c, c ^ 32)) if chr(c).isalpha() and c < 128 else c for c in x) for x in labels]
        return labels

    def question(self):
        """A question in wire form, probably a good one."""
        rng = self.random
        kind = rng.random()
        record_type = rng.choice(COMMON_TYPES)
        if kind < 0.15:
            record_type = rng.choice(SPECIAL_TYPES)
        elif kind < 0.25:
            record_type = rng.randrange(65536)
        record_class = 1
        if rng.random() < 0.06:
            record_class = rng.choice(CLASSES) if rng.random() < 0.8 else rng.randrange(65536)
        labels = self.name()
        if record_class == 3 and rng.random() < 0.7:
            labels, record_type = labels_of(rng.choice(CHAOS_NAMES)), rng.choice((16, 16, 255, 1))
        name = wire(labels)
        odd = rng.random()
        if odd < 0.005:
            name = wire(labels)[:-1] + rng.choice((b"\xc0\x0c", b"\xc0\x00", b"\xff\xff", b"\xc0"))
        elif odd < 0.01:
            name = bytes([rng.choice((64, 65, 100, 127, 128, 191))]) + name
        return name + struct.pack("!2H", record_type, record_class)

    def option(self):
        """An option of an OPT record."""
        rng = self.random
        code = rng.choice(OPTIONS) if rng.random() < 0.7 else rng.randrange(65536)
        length = rng.choice((0, 0, 1, 2, 4, 8, 16, 24, 40, 200))
        data = bytes(rng.randrange(256) for _ in range(length))
        if code == 8 and rng.random() < 0.8:
            data = struct.pack("!HBB", 1, 24, 0) + bytes([10, 0, 0])
        return struct.pack("!2H", code, len(data)) + data

    def opt(self):
        """An OPT record, probably a good one."""
        rng = self.random
        owner = b"\0" if rng.random() < 0.98 else wire([self.label()])
        size = rng.choice((0, 1, 511, 512, 513, 1231, 1232, 1233, 1400, 4096, 65535))
        if rng.random() < 0.2:
            size = rng.randrange(65536)
        version = 0 if rng.random() < 0.93 else rng.choice((1, 2, 100, 255))
        flags = rng.choice((0, 0, 0x8000, 0x8000, 0x4000, 0x0001)) if rng.random() < 0.95 else rng.randrange(65536)
        code = 0 if rng.random() < 0.97 else rng.randrange(256)
        data = b"".join(self.option() for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 4))))
        if rng.random() < 0.02:
            data = data[:-1] if data else bytes(rng.randint(1, 3))
        return owner + struct.pack("!2HBBHH", 41, size, code, version, flags, len(data)) + data

    def record(self):
        """A record that has no business in a query, or a signature of its transaction without sense."""
        rng = self.random
        if rng.random() < 0.3:
            # TSIG (RFC 8945 section 4.2) and SIG(0) (RFC 2931): with the right shape, and a MAC of no key.
            data = wire([b"hmac-sha256"]) + bytes(6) + struct.pack("!HH", 300, 16) + bytes(16) + bytes(6)
            kind = struct.pack("!2HI", rng.choice((250, 250, 24)), 255, 0)
            return wire([b"key"]) + kind + struct.pack("!H", len(data)) + data
        owner = b"\0" if rng.random() < 0.3 else wire(self.name())
        data = bytes(rng.randrange(256) for _ in range(rng.choice((0, 4, 4, 16, 30))))
        return owner + struct.pack("!2HIH", rng.choice((1, 6, 16, 28, 999)), 1, 60, len(data)) + data

    def flags(self):
        """The second word of the header."""
        rng = self.random
        kind = rng.random()
        if kind < 0.55:
            return rng.choice((0, 0x0100))
        if kind < 0.75:
            # QUERY, with any of the bits that are not QR.
            return rng.randrange(65536) & 0x07F0
        if kind < 0.8:
            return rng.randrange(65536) & 0x07FF
        if kind < 0.98:
            return rng.randrange(16) << 11 | (rng.randrange(65536) & 0x07FF if rng.random() < 0.5 else 0)
        return rng.randrange(65536) | 0x8000

    def shaped(self):
        """A query of some shape, well-formed but for what its parts may have."""
        rng = self.random
        questions = [self.question()]
        sections = [[], [], []]
        kind = rng.random()
        if kind < 0.015:
            questions = []
        elif kind < 0.03:
            questions.append(rng.choice((questions[0], self.question(), b"\xc0\x0c" + questions[0][-4:])))
        if rng.random() < 0.5:
            sections[2].append(self.opt())
            if rng.random() < 0.03:
                sections[2].append(self.opt())
        if rng.random() < 0.06:
            rng.choice(sections).append(self.record())
        if rng.random() < 0.01:
            sections[2][:0] = [self.record() for _ in range(rng.randint(1, 12))]
        if rng.random() < 0.01:
            sections[rng.randrange(2)].append(self.opt())
        if questions and questions[0][-4:-2] == b"\0\xfb" and rng.random() < 0.7:
            # IXFR has the client's SOA in AUTHORITY (RFC 1995 section 3).
            sections[1].append(wire(self.origin) + struct.pack("!2HIH", 6, 1, 0, 22) + bytes(22))
        counts = len(questions), *map(len, sections)
        body = b"".join(questions) + b"".join(record for section in sections for record in section)
        return struct.pack("!6H", 0, self.flags(), *counts) + body

    def mutated(self, message):
        """The message with some octets changed, added or gone, but for the ID."""
        rng = self.random
        octets = bytearray(message)
        kind = rng.randrange(6)
        if kind == 0:
            return bytes(octets[: rng.randint(2, len(octets))])
        if kind == 1:
            return bytes(octets) + bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 11, 40))))
        if kind == 2:
            place = rng.randrange(4, 12)
            octets[place] = rng.choice((0, 1, 2, 3, 255))
        elif kind == 3:
            for _ in range(rng.randint(1, 3)):
                octets[rng.randrange(2, len(octets))] ^= 1 << rng.randrange(8)
        elif kind == 4:
            octets[rng.randrange(12, len(octets) + 1) : 0] = bytes([rng.randrange(256)])
        else:
            del octets[rng.randrange(min(12, len(octets) - 1), len(octets))]
        return bytes(octets)

    def query(self):
        """The octets of a query with ID 0, and whether it goes over TCP."""
        message = self.shaped()
        if self.random.random() < 0.15:
            message = self.mutated(message)
        return message, self.random.random() < 0.2
