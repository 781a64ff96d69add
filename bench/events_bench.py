"""The readers of GET /api/v1/events: how many changes they can follow, how late they hear of one, and what an idle one
takes."""

import contextlib
import json
import pathlib
import re
import resource
import selectors
import socket
import statistics
import threading
import time

import zone
from ours import Client, batch_bodies, register_all, register_all_at_once, start_ours
from processes import BenchmarkError, resident_mebibytes
from registrar import Connection, encode_request

READERS = 100
IDLE_READERS = 10_000
RATE = 2000
# More than a reader may be behind.
FANOUT_CHANGES = 200_000
INSTANCES = 10_000
SETTINGS = {
    "KONG_DISCOVERY_SERVER_MAX_CONNECTIONS": "14000",
    "KONG_DISCOVERY_SERVER_MAX_PER_CLIENT": "14000",
}
# Octets that have at least one whole event.
TAIL = 8192
REQUEST = b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def connect(port):
    """A reader whose stream has begun."""
    reader = socket.create_connection(("127.0.0.1", port))
    reader.sendall(REQUEST)
    head = b""
    while b"\n\n" not in head:
        part = reader.recv(4096)
        if not part:
            raise BenchmarkError(f"no events: {head!r}")
        head += part
    if b" 200 " not in head:
        raise BenchmarkError(f"no events: {head!r}")
    return reader


def last_index(octets):
    """The index of the last event that is whole but for its data."""
    found = re.findall(rb"\nid: [0-9a-f]{16}-([0-9]+)\nevent", octets)
    return int(found[-1]) if found else 0


def drain(readers, target, done):
    """Reads everything until each reader has the change with the index `target`, which is set once it is known."""
    selector = selectors.DefaultSelector()
    tails = {}
    for reader in readers:
        selector.register(reader, selectors.EVENT_READ)
        tails[reader] = b""
    buffer = bytearray(1 << 18)
    octets, end = 0, time.monotonic()
    while tails:
        changed = selector.select(0.05)
        for key, _ in changed:
            count = key.fileobj.recv_into(buffer)
            octets += count
            end = time.monotonic()
            tail = tails[key.fileobj] = (tails[key.fileobj] + buffer[max(0, count - TAIL) : count])[-TAIL:]
            if count == 0 or b"event: lagged" in tail:
                raise BenchmarkError(f"a reader was cut off: {tail[-500:]!r}")
        # Whoever has nothing more to read may have everything.
        for reader in [] if changed or not target else list(tails):
            if last_index(tails[reader]) >= target[0]:
                selector.unregister(reader)
                del tails[reader]
    done.append((end, octets))


def fanout(server, changes):
    """Changes a second that all readers have got in the end, sent as fast as the server takes them."""
    with server.client() as client:
        register_all(client, batch_bodies(zone.registration(number, 0) for number in range(INSTANCES)))
    readers = [connect(server.http_port) for _ in range(READERS)]
    bodies = []
    for first in range(0, changes, 500):
        numbers = [(first + each) % INSTANCES for each in range(500)]
        network = 20 + first // INSTANCES % 2
        registrations = [zone.registration(each, 0, network=network) for each in numbers]
        bodies.append(json.dumps({"register": registrations}).encode())
    target, done = [], []
    thread = threading.Thread(target=drain, args=(readers, target, done), daemon=True)
    thread.start()
    start, cpu = time.monotonic(), server.process.cpu_nanoseconds()
    register_all_at_once(server, bodies, connections=2)
    taken = time.monotonic() - start
    client = Client(server.http_port)
    client.connection.request("GET", "/api/v1/names?limit=1")
    target.append(int(client.connection.getresponse().headers["X-Registry-Index"]))
    client.close()
    thread.join(300)
    if not done:
        raise BenchmarkError("readers were cut off, or have not got everything within 300 s")
    seconds, octets = done[0][0] - start, done[0][1]
    cpu = server.process.cpu_nanoseconds() - cpu
    for reader in readers:
        reader.close()
    return {
        "changes_per_second": changes / seconds,
        "taken_per_second": changes / taken,
        "mebibytes_per_second": octets / seconds / (1 << 20),
        "server_cpu_microseconds_per_change": cpu / 1000 / changes,
    }


def latency(server, seconds):
    """Milliseconds from sending a change to having read its event, at a fixed rate."""
    reader = connect(server.http_port)
    reader.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(reader, selectors.EVENT_READ, None)
    idle = [Connection(server.http_port) for _ in range(16)]
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    count = int(RATE * seconds)
    requests = []
    for number in range(count):
        instance = zone.registration(number % 500, 1, network=22 + number // 500 % 2)
        requests.append(encode_request(json.dumps(instance | {"metadata": {"n": f"n{number}"}}).encode()))
    sent_at, latencies, rest, sent = {}, {}, b"", 0
    start = time.monotonic()
    while len(latencies) < count and time.monotonic() - start < seconds + 30:
        due = min(count, int((time.monotonic() - start) * RATE) + 1)
        while sent < due and idle:
            sent_at[sent] = time.monotonic()
            idle.pop().send(requests[sent])
            sent += 1
        for key, _ in selector.select(0.0005):
            if key.data is not None:
                if key.data.receive() is not None:
                    idle.append(key.data)
                continue
            octets = rest + reader.recv(1 << 18)
            now = time.monotonic()
            end = octets.rfind(b"\n\n") + 1
            for number in re.findall(rb'"n":"n([0-9]+)"', octets[:end]):
                latencies[int(number)] = now - sent_at[int(number)]
            rest = octets[end:]
    if len(latencies) < count:
        raise BenchmarkError(f"only {len(latencies)} of {count} events have come")
    reader.close()
    ordered = sorted(latencies.values())
    return {
        "p50_milliseconds": statistics.median(ordered) * 1000,
        "p99_milliseconds": ordered[int(len(ordered) * 0.99)] * 1000,
        "changes_per_second": count / (max(sent_at.values()) - start),
    }


def memory(server, count):
    """KiB that the server takes for each reader that waits."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    before = resident_mebibytes(server.process.popen.pid)
    readers = [connect(server.http_port) for _ in range(count)]
    after = resident_mebibytes(server.process.popen.pid)
    for reader in readers:
        reader.close()
    return {"readers": count, "kibibytes_per_reader": (after - before) * 1024 / count}


def run(directory, binary, seconds, log=print, smoke=False):
    """All figures, one after the other."""
    directory = pathlib.Path(directory) / "events"
    directory.mkdir()
    results = {}
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, SETTINGS)
        results["latency"] = latency(server, seconds)
        log(f"events latency: {json.dumps(results['latency'])}")
        results["idle"] = memory(server, 500 if smoke else IDLE_READERS)
        log(f"events idle: {json.dumps(results['idle'])}")
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, SETTINGS)
        results["fanout"] = fanout(server, 5000 if smoke else FANOUT_CHANGES)
        log(f"events fanout: {json.dumps(results['fanout'])}")
    return results


def text(results):
    """The figures in words."""
    latency, idle, fanout = results["latency"], results["idle"], results["fanout"]
    return "\n".join(
        [
            "Events",
            f"  {latency['changes_per_second']:,.0f} changes/s: from sending one to reading its event "
            f"{latency['p50_milliseconds']:.1f} ms, p99 {latency['p99_milliseconds']:.1f} ms",
            f"  {READERS} readers: {fanout['changes_per_second']:,.0f} changes/s, "
            f"{fanout['mebibytes_per_second']:,.0f} MiB/s, "
            f"{fanout['server_cpu_microseconds_per_change']:.0f} us CPU each",
            f"  {idle['readers']:,} idle readers: {idle['kibibytes_per_reader']:.1f} KiB each",
        ]
    )
