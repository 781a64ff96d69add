"""Changes the zone at a fixed rate through the REST API: registers known instances again, each time with the other
of two addresses, so that the zone changes and its size does not.

    registrar.py PORT RATE SERVICES MAXIMUM_SECONDS

Prints "started" after the first answer, and one JSON line when it gets SIGTERM or the time is over.
"""

import json
import random
import selectors
import signal
import socket
import statistics
import sys
import time

import zone

CONNECTIONS = 16


def encode_request(body):
    """A registration as it goes over the connection."""
    head = (
        "POST /api/v1/services HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def response_length(received):
    """The length of the complete response that `received` starts with, or 0 where it is not complete yet."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    if received[9:12] == b"204":
        return end + 4  # RFC 9112 section 6.3: never has a body
    for line in received[:end].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = end + 4 + int(value)
            return length if len(received) >= length else 0
    raise ValueError(f"a response without Content-Length: {received[:200]!r}")


class Connection:
    """A keep-alive connection with at most one request under way."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request):
        """Sends one request; it is small enough to fit the socket's buffer."""
        self.received = b""
        self.sent_at = time.monotonic()
        self.socket.sendall(request)

    def receive(self):
        """Reads what is there; the status once the response is complete, else None."""
        octets = self.socket.recv(65536)
        if not octets:
            raise ConnectionError("the server closed the connection")
        self.received += octets
        return int(self.received[9:12]) if response_length(self.received) else None

    def call(self, request):
        """Sends a request and waits for its status."""
        self.send(request)
        while (status := self.receive()) is None:
            pass
        return status


def change_requests(services, count, seed=3):
    """Requests that each give an instance its other address."""
    networks = {}
    generator = random.Random(seed)
    requests = []
    for _ in range(count):
        key = (generator.randrange(services), generator.randrange(zone.INSTANCES_PER_SERVICE))
        networks[key] = 21 - networks.get(key, 10)
        requests.append(encode_request(json.dumps(zone.registration(*key, network=networks[key])).encode()))
    return requests


def run(port, rate, services, maximum_seconds):
    """Sends at `rate` a second until stopped."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    requests = change_requests(services, rate)
    selector = selectors.DefaultSelector()
    idle = [Connection(port) for _ in range(CONNECTIONS)]
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    statuses, latencies, sent = {}, [], 0
    start = time.monotonic()
    while not stopping and time.monotonic() - start < maximum_seconds:
        due = int((time.monotonic() - start) * rate) + 1
        while sent < due and idle:
            idle.pop().send(requests[sent % len(requests)])
            sent += 1
        for key, _ in selector.select(0.001):
            status = key.data.receive()
            if status is None:
                continue
            if not statuses:
                print("started", flush=True)
            statuses[status] = statuses.get(status, 0) + 1
            latencies.append(time.monotonic() - key.data.sent_at)
            idle.append(key.data)
    seconds = time.monotonic() - start
    done = statuses.get(200, 0)
    print(
        json.dumps(
            {
                "registrations_per_second": done / seconds,
                "registrations": done,
                "other_statuses": {status: count for status, count in statuses.items() if status != 200},
                "p50_microseconds": statistics.median(latencies) * 1e6 if latencies else 0,
                "p99_microseconds": sorted(latencies)[int(len(latencies) * 0.99)] * 1e6 if latencies else 0,
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
