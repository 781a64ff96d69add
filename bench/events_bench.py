"""The readers of GET /api/v1/events: how many changes they can follow, how late they hear of one, and what an idle one
takes."""

import concurrent.futures
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
from ours import batch_bodies, register_all, register_all_at_once, start_ours
from processes import BOTH_CORES, BenchmarkError, resident_mebibytes
from registrar import Connection, encode_request

READERS = 100
IDLE_READERS = 10_000
RATE = 2000
# More than a reader may be behind.
FANOUT_CHANGES = 200_000
INSTANCES = 4000
SETTINGS = {
    "KONG_DISCOVERY_SERVER_MAX_CONNECTIONS": "14000",
    "KONG_DISCOVERY_SERVER_MAX_PER_CLIENT": "14000",
}
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


def discard(readers, ended):
    """Has the system throw away what comes for the readers, uncopied: they stand for others' machines.

    Ends when nothing has come for a while after `ended`. Returns when the last octets came, and how many there were."""
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader, selectors.EVENT_READ)
    buffer = bytearray(1 << 22)
    octets, last = 0, time.monotonic()
    while (changed := selector.select(0.5)) or not ended.is_set():
        for key, _ in changed:
            count = key.fileobj.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
            if count == 0:
                raise BenchmarkError("a reader was cut off")
            octets += count
            last = time.monotonic()
    return last, octets


def expect_next(readers, mark):
    """The next that each reader gets is an event with `mark`: it has got all those before it."""
    for reader in readers:
        found = b""
        while mark not in found:
            part = reader.recv(4096)
            found += part
            if not part or len(found) > 2000 or b"event: lagged" in found:
                raise BenchmarkError(f"a reader was late or cut off: {found[-500:]!r}")


def fanout(server, changes):
    """Changes a second that all readers have got in the end, sent as fast as the server takes them. It has both cores:
    neither the readers nor those who register take much."""
    with server.client() as client:
        register_all(client, batch_bodies(zone.registrations(INSTANCES)))
    readers = [connect(server.http_port) for _ in range(READERS)]
    bodies = []
    for first in range(0, changes, 500):
        places = [divmod((first + each) % INSTANCES, zone.INSTANCES_PER_SERVICE) for each in range(500)]
        network = 20 + first // INSTANCES % 2
        registrations = [zone.registration(*place, network=network) for place in places]
        bodies.append(json.dumps({"register": registrations}).encode())
    ended = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        start, cpu = time.monotonic(), server.process.cpu_nanoseconds()
        discarded = pool.submit(discard, readers, ended)
        try:
            register_all_at_once(server, bodies, connections=4)
            taken = time.monotonic() - start
        finally:
            ended.set()
        end, octets = discarded.result()
        cpu = server.process.cpu_nanoseconds() - cpu
    with server.client() as client:
        mark = zone.registration(0, 1) | {"metadata": {"mark": "the last one"}}
        client.expect({200, 201}, "POST", "/api/v1/services", json.dumps(mark).encode())
    expect_next(readers, b"the last one")
    for reader in readers:
        reader.close()
    return {
        "changes_per_second": changes / (end - start),
        "taken_per_second": changes / taken,
        "mebibytes_per_second": octets / (end - start) / (1 << 20),
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
        server = start_ours(stack, directory, binary, SETTINGS, core=BOTH_CORES)
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
