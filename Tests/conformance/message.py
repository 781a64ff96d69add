"""Reads DNS messages: replies as values to compare, and queries as an RFC describes them."""

import dataclasses
import struct

HEADER_OCTETS = 12
OPT = 41
TSIG = 250
COOKIE = 10
KEEPALIVE = 11
# Types whose data hold a name, and the octets in front of it (RFC 1035 section 3.3, RFC 2782).
NAMES_IN_DATA = {2: 0, 5: 0, 12: 0, 33: 6}
SOA = 6
# The fields of replies that are compared, in this order: where one of the first two differs, the others say nothing.
FIELDS = (
    "reply", "rcode", "opcode", "aa", "tc", "rd", "ra", "z", "ad", "cd", "question", "answer", "authority",
    "additional", "ttl", "opt", "size", "version", "do", "flags", "options",
)


class Malformed(Exception):
    """The octets are no such thing as was looked for; the text says why."""


def read_name(message, position, may_point=True):
    """The labels of the name at `position`, and the position behind it."""
    labels, after, length_of_all, bound = [], None, 0, position
    while True:
        if position >= len(message):
            raise Malformed("cut")
        length = message[position]
        if length >= 0xC0:
            if not may_point:
                raise Malformed("pointer")
            if position + 1 >= len(message):
                raise Malformed("cut")
            after = after or position + 2
            position = (length & 0x3F) << 8 | message[position + 1]
            if position >= bound:
                raise Malformed("forward pointer")
            bound = position
            continue
        if length >= 0x40:
            raise Malformed("label type")
        length_of_all += length + 1
        if length_of_all > 255:
            raise Malformed("long name")
        position += 1 + length
        if position > len(message):
            raise Malformed("cut")
        if length == 0:
            return tuple(labels), after or position
        labels.append(bytes(message[position - length : position]))


def read_record(message, position):
    """The record at `position` as (owner, type, class, TTL, start of data, end of data)."""
    owner, position = read_name(message, position)
    if position + 10 > len(message):
        raise Malformed("cut")
    record_type, record_class, ttl, length = struct.unpack_from("!2HIH", message, position)
    end = position + 10 + length
    if end > len(message):
        raise Malformed("cut")
    return owner, record_type, record_class, ttl, position + 10, end


def read_options(data):
    """The options of an OPT record: (code, data)."""
    options, position = [], 0
    while position < len(data):
        if position + 4 > len(data):
            raise Malformed("option")
        code, length = struct.unpack_from("!2H", data, position)
        if position + 4 + length > len(data):
            raise Malformed("option")
        options.append((code, data[position + 4 : position + 4 + length]))
        position += 4 + length
    return options


def lower(labels):
    """The labels in lower case, which is how names are compared (RFC 4343 section 3)."""
    return tuple(label.lower() for label in labels)


def expanded(message, record_type, start, end):
    """A record's data without compression."""
    if record_type in NAMES_IN_DATA:
        place = start + NAMES_IN_DATA[record_type]
        return bytes(message[start:place]), lower(read_name(message, place)[0])
    if record_type == SOA:
        server, place = read_name(message, start)
        mailbox, place = read_name(message, place)
        return lower(server), lower(mailbox), bytes(message[place:end])
    return bytes(message[start:end])


def read_reply(message):
    """A reply as a table of FIELDS. Records are compared as sets: their order is free (RFC 2181 section 5)."""
    _, flags, questions, *counts = struct.unpack_from("!6H", message)
    fields = {
        "reply": "answer", "opcode": flags >> 11 & 15, "aa": flags >> 10 & 1, "tc": flags >> 9 & 1,
        "rd": flags >> 8 & 1, "ra": flags >> 7 & 1, "z": flags >> 6 & 1, "ad": flags >> 5 & 1, "cd": flags >> 4 & 1,
        "opt": 0, "size": None, "version": None, "do": None, "flags": None, "options": (),
    }
    rcode = flags & 15
    position = HEADER_OCTETS
    for _ in range(questions):
        position = read_name(message, position)[1] + 4
    fields["question"] = bytes(message[HEADER_OCTETS:position])
    ttls = set()
    for section, count in zip(("answer", "authority", "additional"), counts):
        found = []
        for _ in range(count):
            owner, record_type, record_class, ttl, start, end = read_record(message, position)
            position = end
            if record_type == OPT and section == "additional":
                rcode |= ttl >> 24 << 4
                fields |= {"opt": fields["opt"] + 1, "size": record_class, "version": ttl >> 16 & 255}
                fields |= {"do": ttl >> 15 & 1, "flags": ttl & 0x7FFF}
                fields["options"] = tuple(sorted(code for code, _ in read_options(message[start:end])))
                continue
            key = lower(owner), record_type, record_class
            found.append((*key, expanded(message, record_type, start, end)))
            ttls.add((section, *key, ttl))
        fields[section] = tuple(sorted(set(found), key=repr))
        fields["doubled"] = fields.get("doubled", 0) + len(found) - len(set(found))
    if position != len(message):
        raise Malformed(f"{len(message) - position} octets behind the last record")
    fields["rcode"] = rcode
    fields["ttl"] = tuple(sorted(ttls, key=repr))
    return fields


@dataclasses.dataclass
class Query:
    """What an RFC sees in the octets of a query. `features` is what the rules in differences.toml go by."""

    features: dict
    # Of a question that can be read, else None.
    name: tuple | None = None
    question: bytes = b""

    @property
    def key(self):
        """The features that a reader wants to see first."""
        return tuple(sorted(self.features.items()))


def zone_place(labels, origin):
    """Where a name is: `in` the zone, `above` it, or `beside` it."""
    labels = lower(labels)
    if labels[len(labels) - len(origin) :] == origin:
        return "in"
    return "above" if origin[len(origin) - len(labels) :] == labels else "beside"


def read_query(message, origin, is_tcp):
    """Describes a query, whatever its octets are."""
    features = {"transport": "tcp" if is_tcp else "udp", "length": "short" if len(message) < HEADER_OCTETS else "whole"}
    query = Query(features)
    if len(message) < HEADER_OCTETS:
        return query
    _, flags, *counts = struct.unpack_from("!6H", message)
    features |= {
        "qr": str(flags >> 15), "opcode": str(flags >> 11 & 15), "tc": str(flags >> 9 & 1), "rcode": str(flags & 15),
        "questions": str(min(counts[0], 2)), "sections": "".join(str(min(count, 1)) for count in counts[1:]),
    }
    position = HEADER_OCTETS
    try:
        for number in range(counts[0]):
            labels, end = read_name(message, position, may_point=False)
            if end + 4 > len(message):
                raise Malformed("cut")
            if number == 0:
                record_type, record_class = struct.unpack_from("!2H", message, end)
                features |= {"type": str(record_type), "class": str(record_class), "name": zone_place(labels, origin)}
                query.name, query.question = lower(labels), message[HEADER_OCTETS : end + 4]
            position = end + 4
        features["question"] = "good" if counts[0] else "none"
    except Malformed as error:
        features["question"] = str(error)
        return query
    features |= {"rest": "good", "opt": "0", "tsig": "0", "others": "0"}
    try:
        for section, count in zip(("answer", "authority", "additional"), counts[1:]):
            for _ in range(count):
                owner, record_type, record_class, ttl, start, end = read_record(message, position)
                position = end
                if record_type == TSIG and section == "additional":
                    features["tsig"] = "1"
                if record_type not in (OPT, TSIG):
                    features["others"] = "1"
                if record_type != OPT:
                    continue
                features["opt"] = str(min(int(features["opt"]) + 1, 2))
                features |= {"version": str(ttl >> 16 & 255), "opt_section": section}
                features["size"] = "low" if record_class < 512 else "good"
                features["opt_owner"] = "root" if not owner else "name"
                try:
                    options = read_options(message[start:end])
                    codes = sorted({code for code, _ in options})
                    features["options"] = ",".join(map(str, codes)) if len(codes) < 3 else "many"
                    cookies = [len(data) for code, data in options if code == COOKIE]
                    if cookies:
                        # All but the first are ignored (RFC 7873 section 5.2).
                        is_good = cookies[0] == 8 or 16 <= cookies[0] <= 40
                        features["cookie"] = "good" if is_good else "malformed"
                    if KEEPALIVE in codes:
                        features["keepalive"] = "1"
                except Malformed:
                    features["options"] = "malformed"
        if position != len(message):
            features["rest"] = "trailing"
    except Malformed as error:
        features["rest"] = str(error)
    return query
