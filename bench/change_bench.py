"""What a change of one instance costs, from the request to its answer, by how many instances its service has."""

import contextlib
import json
import pathlib
import statistics
import time

from ours import batch_bodies, register_all, start_ours
from processes import BenchmarkError
from registrar import Connection
from report import table

SIZES = (100, 1000, 10_000, 30_000)
SMOKE_SIZES = (100, 300)
TAG_COUNTS = (0, 64)
STORES = ("memory", "sqlite")


def service_name(size, tag_count):
    """The name of the service of that size."""
    return f"size{size}tags{tag_count}"


def instance(size, tag_count, number):
    """An instance of the service of that size; no two have one address."""
    network = 16 + SIZES.index(size) if size in SIZES else 32
    return {
        "id": f"{service_name(size, tag_count)}-{number}",
        "name": service_name(size, tag_count),
        "ip": f"{network + 64 * (tag_count > 0)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "port": 8080,
        "tags": [f"tag{tag}" for tag in range(tag_count)],
        "ttl": 0,
    }


def encode(method, path, body=None):
    """A request as it goes over the connection."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
    if body is not None:
        head += "Content-Type: application/json\r\n"
    return f"{head}\r\n".encode() + content


def changes(size, tag_count, number):
    """One change of each kind, and what takes it back: what is done, the request, the status that it must have."""
    path = f"/api/v1/services/{service_name(size, tag_count)}-{number}"
    known = instance(size, tag_count, number)
    added = instance(size, tag_count, size + 1)
    moved = known | {"ip": instance(size, tag_count, size + 2)["ip"]}

    def patch(name, **fields):
        return (f"PATCH {name}", encode("PATCH", path, fields), 200)

    return [
        ("register", encode("POST", "/api/v1/services", added), 201),
        ("deregister", encode("DELETE", f"/api/v1/services/{added['id']}"), 204),
        patch("weight", weight=150),
        patch("weight", weight=100),
        patch("priority", priority=1),
        patch("priority", priority=0),
        patch("draining", draining=True),
        patch("draining", draining=False),
        patch("tags", tags=[*known["tags"][1:], "other"]),
        patch("tags", tags=known["tags"]),
        ("replace", encode("POST", "/api/v1/services", moved), 200),
        ("replace", encode("POST", "/api/v1/services", known), 200),
    ]


def measure(server, sizes, tag_count, rounds):
    """The median duration in microseconds of each kind of change, by size; all sizes take turns."""
    for size in sizes:
        with server.client() as client:
            register_all(client, batch_bodies(instance(size, tag_count, number) for number in range(size)))
    connection = Connection(server.http_port)
    durations = {size: {} for size in sizes}
    with contextlib.closing(connection.socket):
        for round_number in range(rounds + 1):
            for size in sizes:
                # Another instance each time, all over the service.
                for kind, request, expected in changes(size, tag_count, round_number * 7919 % size):
                    start = time.perf_counter()
                    status = connection.call(request)
                    seconds = time.perf_counter() - start
                    if status != expected:
                        raise BenchmarkError(f"{kind}: {status} {connection.received[:500]!r}")
                    # The first round meets empty caches and free lists.
                    if round_number > 0:
                        durations[size].setdefault(kind, []).append(seconds * 1e6)
    return {
        size: {kind: statistics.median(each) for kind, each in kinds.items()} for size, kinds in durations.items()
    }


def run(directory, binary, rounds, log=print, smoke=False):
    """All figures; a fresh server for each store."""
    directory = pathlib.Path(directory) / "change"
    directory.mkdir()
    sizes = SMOKE_SIZES if smoke else SIZES
    results = {}
    for store in STORES:
        settings = {
            "KONG_DISCOVERY_STORAGE_TYPE": store,
            "KONG_DISCOVERY_STORAGE_SQLITE_PATH": str(directory / "registry.db"),
        }
        for tag_count in TAG_COUNTS:
            with contextlib.ExitStack() as stack:
                server = start_ours(stack, directory, binary, settings if store != "memory" else None)
                # A service of 30,000 with 64 tags each takes long to load and says nothing more.
                some = [size for size in sizes if tag_count == 0 or size <= 10_000]
                name = f"{store}-{tag_count}-tags"
                results[name] = measure(server, some, tag_count, rounds)
            for file in directory.glob("registry.db*"):
                file.unlink()
            log(f"change {name}: {json.dumps(results[name])}")
    return results


def text(results):
    """The figures as tables, in microseconds."""
    parts = []
    for name, sizes in results.items():
        rows = [["us from request to answer", *(f"{size:,} instances" for size in sizes)]]
        for kind in next(iter(sizes.values())):
            rows.append([kind, *(f"{kinds[kind]:,.0f}" for kinds in sizes.values())])
        parts.append(f"A change of one instance, {name.replace('-', ' ')}\n{table(rows)}")
    return "\n\n".join(parts)
