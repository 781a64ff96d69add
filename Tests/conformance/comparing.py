"""Compares three replies field by field, and looks differences up in differences.toml."""

import collections
import fnmatch
import pathlib
import struct
import tomllib

import message
from asking import CLOSED, SILENCE

RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 9: "NOTAUTH",
    16: "BADVERS", 23: "BADCOOKIE",
}
TYPES = {1: "A", 2: "NS", 6: "SOA", 13: "HINFO", 16: "TXT", 28: "AAAA", 33: "SRV", 250: "TSIG"}
SECTIONS = ("answer", "authority", "additional", "ttl")
EDNS_FIELDS = ("size", "version", "do", "flags", "options")
# A field differs only if ours is like neither of these.
PEERS = ("nsd", "knot")


class Rules:
    """The differences that are known, each with its reason."""

    def __init__(self):
        path = pathlib.Path(__file__).with_name("differences.toml")
        self.rules = tomllib.loads(path.read_text())["difference"]
        for rule in self.rules:
            if not rule.get("rfc") or not rule.get("reason"):
                raise ValueError(f"{path}: a difference needs an RFC and a reason: {rule}")
        self.counts = collections.Counter()
        self._known = {}

    def find(self, field, values, features):
        """The index of the rule that explains a difference, or `None`. `values`: ours and the peers', as text."""
        key = field, tuple(values.items()), tuple(features.items())
        if key not in self._known:
            self._known[key] = next(
                (index for index, rule in enumerate(self.rules) if self._matches(rule, field, values, features)), None
            )
        return self._known[key]

    @staticmethod
    def _matches(rule, field, values, features):
        if field not in rule["field"].split("|"):
            return False
        wanted = {name: rule[name] for name in ("ours", *PEERS) if name in rule}
        return all(is_like(values[name], pattern) for name, pattern in wanted.items()) and all(
            is_like(features.get(name, "-"), pattern) for name, pattern in rule.get("query", {}).items()
        )


def is_like(text, pattern):
    """Whether a text is like one of the patterns between bars; `!` in front: like none of them."""
    if pattern.startswith("!"):
        return not is_like(text, pattern[1:])
    return any(fnmatch.fnmatchcase(text, part) for part in pattern.split("|"))


def text_of(field, value, query):
    """A field's value as rules and people see it."""
    if field == "rcode":
        return RCODES.get(value, str(value))
    if field == "question":
        return "none" if not value else "same" if value == query.question else "other"
    if field in SECTIONS:
        types = {row[2] if field == "ttl" else row[1] for row in value}
        return " ".join(sorted(TYPES.get(number, str(number)) for number in types))
    if field == "options":
        return " ".join(map(str, value))
    return str(value)


def formatted_by_nsd(octets):
    """FORMERR as NSD writes it: the header with RD and the opcode."""
    return struct.pack("!2sH8x", octets[:2], 0x8001 | int.from_bytes(octets[2:4]) & 0x7900)


def read(name, replies, octets):
    """What came from a server as replies to one query, as a table of fields; raises ``message.Malformed``."""
    if name == "nsd" and replies in ([], SILENCE, CLOSED) and len(octets) >= 12 and octets[2] < 0x80:
        # NSD sends only some hundred FORMERR a second; beyond, it drops the query.
        replies = [formatted_by_nsd(octets)]
    if replies == CLOSED:
        return {"reply": CLOSED}
    if not replies or replies == SILENCE:
        return {"reply": SILENCE}
    if len(replies) > 1:
        raise message.Malformed(f"{len(replies)} replies to one query")
    try:
        return message.read_reply(replies[0])
    except (IndexError, ValueError) as error:
        raise message.Malformed(str(error)) from error


def compare(fields, query):
    """The differences between our reply and the peers': (field, texts of all three)."""
    ours = fields["ours"]
    others = [fields[name] for name in PEERS]
    for field in message.FIELDS:
        if field in SECTIONS and ours["tc"] and any(other["tc"] for other in others):
            # What is left in a truncated reply is anybody's choice, and clients don't use it (RFC 2181 section 9).
            continue
        if field in EDNS_FIELDS and not (ours["opt"] and any(other["opt"] for other in others)):
            # `opt` says so already.
            continue
        if field == "ttl" and not any(all(ours[name] == other[name] for name in SECTIONS[:3]) for other in others):
            continue
        if all(other.get(field) != ours.get(field) for other in others):
            values = {
                name: text_of(field, fields[name][field], query) if field in fields[name] else fields[name]["reply"]
                for name in ("ours", *PEERS)
            }
            yield field, values
            if field in ("reply", "rcode"):
                return
        if field in ("reply", "rcode"):
            # The rest is compared with those that give the same kind of answer.
            others = [other for other in others if other.get(field) == ours.get(field)]
            if ours["reply"] != "answer":
                return
