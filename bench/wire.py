"""Just enough DNS to ask one question over UDP and count what the answer carries."""

import dataclasses
import socket
import struct

TYPES = {"A": 1, "NS": 2, "SOA": 6, "AAAA": 28, "SRV": 33}


@dataclasses.dataclass
class Answer:
    """What a response carries. `records` are the answer section's: (type, RDATA octets with names expanded)."""

    size: int
    response_code: int
    authoritative: bool
    truncated: bool
    records: list
    authority_count: int
    additional_count: int


def encode_query(name, type_name, query_id=0x4b44):
    """A query without EDNS and without RD, as the load generators send it."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", query_id, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", TYPES[type_name], 1)


def read_name(message, position):
    """The name at `position` as text, and the position after it."""
    labels, after = [], None
    for _ in range(128):
        length = message[position]
        if length & 0xC0 == 0xC0:
            after = after or position + 2
            position = (length & 0x3F) << 8 | message[position + 1]
        elif length == 0:
            return ".".join(labels), after or position + 1
        else:
            labels.append(message[position + 1 : position + 1 + length].decode())
            position += 1 + length
    raise ValueError("a name without an end")


def decode(message):
    """Parses a whole response; raises ValueError, IndexError or struct.error where it is malformed."""
    _, flags, questions, answers, authorities, additionals = struct.unpack_from("!6H", message)
    position = 12
    for _ in range(questions):
        position = read_name(message, position)[1] + 4
    records = []
    for number in range(answers + authorities + additionals):
        _, position = read_name(message, position)
        record_type, _, _, length = struct.unpack_from("!2HIH", message, position)
        position += 10
        data = message[position : position + length]
        if len(data) != length:
            raise ValueError("a record beyond the message's end")
        if record_type == TYPES["SRV"]:
            data = data[:6] + read_name(message, position + 6)[0].encode()
        position += length
        if number < answers:
            records.append((record_type, data))
    if position != len(message):
        raise ValueError(f"{len(message) - position} octets after the last record")
    return Answer(
        len(message), flags & 15, bool(flags & 0x400), bool(flags & 0x200), records, authorities, additionals
    )


def ask(port, name, type_name, timeout_seconds=1.0):
    """Asks 127.0.0.1:PORT one question over UDP. Raises OSError (a timeout too) where there is no answer."""
    query = encode_query(name, type_name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.settimeout(timeout_seconds)
        datagram.connect(("127.0.0.1", port))
        datagram.send(query)
        message = datagram.recv(65535)
    if message[:2] != query[:2] or message[12 : len(query)] != query[12:]:
        raise ValueError("the response doesn't echo ID and question")
    return decode(message)
