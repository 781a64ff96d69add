"""Asks a server many queries at once, over UDP and TCP, and tells an answer that is missing from one that is late.

Behind the queries goes a fence, a query that everybody answers. A server reads what comes from one socket in order, so
once the fence is answered twice, whatever else was not answered never will be.
"""

import socket
import struct

SILENCE = "silence"
CLOSED = "closed"
PATIENCE_SECONDS = 10
# Fences have the IDs from this one on.
FIRST_FENCE = 0xF000


def fence(number):
    """The fence with this ID: . SOA IN is refused by all three, for it is in no zone of theirs."""
    return struct.pack("!6HB2H", number, 0, 1, 0, 0, 0, 0, 6, 1)


class AskingError(Exception):
    """A server does not answer at all any more."""


def ask_once(port, query, seconds=0.5):
    """The reply to one query over UDP, or `None`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(seconds)
        datagrams.connect(("127.0.0.1", port))
        try:
            datagrams.send(query)
            return datagrams.recv(65535)
        except OSError:
            return None


class Datagrams:
    """Queries over UDP, from one socket."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE_SECONDS / 5)
        self.queries = {}
        self.fence = FIRST_FENCE

    def send(self, queries):
        """Sends queries, as a table by ID; their replies are collected with ``replies``."""
        self.queries = queries
        for query in queries.values():
            self.socket.send(query)
        self._send_fence()

    def _send_fence(self):
        self.fence = self.fence + 1 if self.fence < 0xFFFF else FIRST_FENCE
        self.socket.send(fence(self.fence))

    def replies(self):
        """The replies by ID; the lists hold all that came, and are empty for a query without one."""
        found = {number: [] for number in self.queries}
        self._receive(found)
        if not all(found.values()):
            # Replies that are sent together may be overtaken by the fence's.
            self._send_fence()
            self._receive(found)
        missing = [number for number, replies in found.items() if not replies]
        if missing:
            # A datagram may be lost.
            for number in missing:
                self.socket.send(self.queries[number])
            for _ in range(2):
                self._send_fence()
                self._receive(found)
        return found

    def _receive(self, found):
        for _ in range(5):
            try:
                while True:
                    reply = self.socket.recv(65535)
                    number = reply[0] << 8 | reply[1] if len(reply) > 1 else None
                    if number == self.fence:
                        return
                    if number is not None and number >= FIRST_FENCE:
                        continue
                    if number not in found:
                        raise AskingError(f"a reply to nothing that was asked: {reply.hex()}")
                    found[number].append(reply)
            except TimeoutError:
                self._send_fence()
            except ConnectionError as error:
                raise AskingError(str(error)) from error
        raise AskingError("there is no answer to a query that everybody answers")

    def close(self):
        """Closes the socket."""
        self.socket.close()


class Stream:
    """One TCP connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.received = b""

    def send(self, queries):
        """Sends queries one behind the other (RFC 7766 section 6.2.1.1)."""
        try:
            self.socket.sendall(b"".join(struct.pack("!H", len(query)) + query for query in queries))
        except ConnectionError:
            pass

    def next(self):
        """The next reply; `None` at the end of the connection."""
        try:
            while len(self.received) < 2 or len(self.received) - 2 < int.from_bytes(self.received[:2]):
                octets = self.socket.recv(1 << 18)
                if not octets:
                    return None
                self.received += octets
        except ConnectionError:
            return None
        except TimeoutError as error:
            raise AskingError("over TCP neither an answer nor an end comes") from error
        end = 2 + int.from_bytes(self.received[:2])
        reply, self.received = self.received[2:end], self.received[end:]
        return reply

    def close(self):
        """Closes the connection."""
        self.socket.close()


class Streams:
    """Queries over TCP: many on one connection, and those that it leaves unanswered on one of their own each."""

    def __init__(self, port):
        self.port = port
        self.stream = None
        self.queries = {}

    def send(self, queries):
        """Sends queries, as a table by ID; their replies are collected with ``replies``."""
        self.queries = queries
        if self.stream is None:
            self.stream = Stream(self.port)
        # What has no reply may end the connection, so it goes alone.
        self.stream.send([query for query in queries.values() if not self._is_delicate(query)] + [fence(FIRST_FENCE)])

    @staticmethod
    def _is_delicate(query):
        return len(query) < 12 or query[2] & 0x80 != 0

    def replies(self):
        """The replies by ID, as lists; a word in place of them where there is none."""
        found = {number: [] for number in self.queries}
        while (reply := self.stream.next()) is not None:
            number = int.from_bytes(reply[:2])
            if number == FIRST_FENCE:
                break
            if number not in found:
                raise AskingError(f"a reply to nothing that was asked: {reply.hex()}")
            found[number].append(reply)
        else:
            self.close()
        return {
            number: replies or self._ask_alone(number, self.queries[number]) for number, replies in found.items()
        }

    def _ask_alone(self, number, query):
        stream = Stream(self.port)
        try:
            stream.send([query, fence(FIRST_FENCE)])
            reply = stream.next()
            if reply is None:
                return CLOSED
            return SILENCE if int.from_bytes(reply[:2]) == FIRST_FENCE else [reply]
        finally:
            stream.close()

    def close(self):
        """Closes the connection."""
        if self.stream:
            self.stream.close()
        self.stream = None
