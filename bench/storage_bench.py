"""The figures of storage that survives: durable registrations, restarts, and a cluster of two nodes over etcd.

The server is on one core; etcd, where there is one, shares the other with the load."""

import contextlib
import json
import pathlib
import socket
import statistics
import time

import rest_bench
import zone
from ours import batch_bodies, register_all, start_ours
from peers import find_program
from processes import LOAD_CORE, BenchmarkError, Process, free_port, resident_mebibytes
from wire import encode_query

PROPAGATIONS = 200


def sqlite_settings(path):
    """The server's environment for a database."""
    return {"KONG_DISCOVERY_STORAGE_TYPE": "sqlite", "KONG_DISCOVERY_STORAGE_SQLITE_PATH": str(path)}


def start_etcd(stack, directory):
    """Starts one member of etcd; returns the server's environment for it."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [find_program("etcd"), "--data-dir", directory / f"etcd-{client[-5:]}", "--log-level", "error"]
    command += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
    command += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    process = stack.enter_context(Process(command, directory, f"etcd-{client[-5:]}", LOAD_CORE, {}))
    process.wait_until(lambda: _listens(int(client[-5:])))
    return {"KONG_DISCOVERY_STORAGE_TYPE": "etcd", "KONG_DISCOVERY_STORAGE_ETCD_ENDPOINTS": client}


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start_seconds(directory, binary, settings, name):
    """The time from a start until DNS answers with `name`, and the memory that the server has then."""
    with contextlib.ExitStack() as stack:
        start = time.monotonic()
        server = start_ours(stack, directory, binary, settings)
        seconds = time.monotonic() - start
        if not _addresses(server.ports["A"], name):
            raise BenchmarkError(f"{name} is not there after a restart")
        return {"seconds": seconds, "resident_mebibytes": resident_mebibytes(server.process.process_id)}


def _addresses(port, name):
    """How many records a node answers with."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.sendto(encode_query(f"{name}.{zone.DOMAIN}", "A"), ("127.0.0.1", port))
        return int.from_bytes(udp.recv(4096)[6:8], "big")


def sqlite(directory, binary, rounds, seconds, batch_instances, large):
    """Registrations one by one and by batch, and a start with many stored."""
    result = {}
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, sqlite_settings(directory / "single.db"))
        result["registrations"] = rest_bench.registrations(server, rounds, seconds)
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, sqlite_settings(directory / "batch.db"))
        result["batch"] = rest_bench.batches(server, batch_instances)
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, sqlite_settings(directory / "large.db"))
        with server.client() as client:
            register_all(client, batch_bodies(zone.registrations(large)))
    result["start"] = start_seconds(directory, binary, sqlite_settings(directory / "large.db"), zone.service_name(0))
    result["start"]["instances"] = large
    return result


def propagation(writer, reader):
    """From sending a registration to one node until the other answers with it."""
    durations = []
    with writer.client() as client:
        for number in range(PROPAGATIONS):
            name = f"new{number}"
            body = json.dumps({"name": name, "ip": "10.0.0.1", "port": 80, "ttl": 0}).encode()
            start = time.monotonic()
            client.expect({201}, "POST", "/api/v1/services", body)
            while _addresses(reader.ports["A"], name) == 0:
                if time.monotonic() - start > 5:
                    raise BenchmarkError(f"{name} does not come to the other node")
            durations.append((time.monotonic() - start) * 1e3)
    ordered = sorted(durations)
    return {
        "p50_milliseconds": statistics.median(ordered),
        "p95_milliseconds": ordered[int(len(ordered) * 0.95)],
        "maximum_milliseconds": ordered[-1],
    }


def etcd(directory, binary, rounds, seconds, services, joined):
    """Registrations, heartbeats, the way from node to node, and a node that joins."""
    result = {}
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, start_etcd(stack, directory))
        result["registrations"] = rest_bench.registrations(server, rounds, seconds)
    with contextlib.ExitStack() as stack:
        settings = start_etcd(stack, directory)
        server = start_ours(stack, directory, binary, settings)
        instances = services * zone.INSTANCES_PER_SERVICE
        result["heartbeats"] = rest_bench.heartbeats(server, rounds, seconds, instances)
    with contextlib.ExitStack() as stack:
        settings = start_etcd(stack, directory)
        nodes = [start_ours(stack, directory, binary, settings) for _ in range(2)]
        result["propagation"] = propagation(*nodes)
        with nodes[0].client() as client:
            loading = register_all(client, batch_bodies(zone.registrations(joined), 1000))
        result["join"] = start_seconds(directory, binary, settings, zone.service_name(0))
        result["join"]["instances"] = joined
        result["join"]["loaded_per_second"] = joined / loading
    return result


def run(directory, binary, rounds, seconds, services, batch_instances, large, log=print):
    """All figures of storage. Each part has a fresh server and fresh data."""
    directory = pathlib.Path(directory) / "storage"
    directory.mkdir()
    seconds = max(1, round(seconds))
    results = {"sqlite": sqlite(directory, binary, rounds, seconds, batch_instances, large)}
    log(f"storage sqlite: {json.dumps(results['sqlite'])}")
    results["etcd"] = etcd(directory, binary, rounds, seconds, services, large // 10)
    log(f"storage etcd: {json.dumps(results['etcd'])}")
    return results
