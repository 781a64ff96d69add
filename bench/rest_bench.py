"""The REST figures: registrations, heartbeats, batches, and what they cost DNS and each other."""

import contextlib
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

import zone
from dns_bench import closed_loop
from ours import batch_bodies, register_all, register_all_at_once, start_ours
from peers import check_answers, find_program
from processes import (
    BENCH,
    LOAD_CORE,
    SERVER_CORE,
    BenchmarkError,
    move_to_core,
    on_core,
    resident_mebibytes,
    run_load,
    task_cpu_nanoseconds,
    tasks,
)
from registrar import Connection, encode_request

CONNECTIONS = 64
CHANGES_PER_SECOND = 2000
BEATING = 100_000
UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}


def wrk(server, script, seconds, argument):
    """One run of wrk; every response must be a 2xx."""
    before = server.cpu_nanoseconds()
    command = [find_program("wrk"), "-t", 1, "-c", CONNECTIONS, "-d", f"{seconds}s", "--latency", "-s", BENCH / script]
    arguments = [argument, *([server.token] if server.token else [])]
    output = run_load([*command, server.url, "--", *arguments], seconds + 30)
    cpu_nanoseconds = server.cpu_nanoseconds() - before
    server.check_running()
    requests = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    if requests is None or rate is None or int(requests[1]) == 0 or "Non-2xx" in output or "Socket errors" in output:
        raise BenchmarkError(f"{script}: not every request succeeded:\n{output}")
    result = {
        "requests_per_second": float(rate[1]),
        "requests": int(requests[1]),
        "server_cpu_microseconds_per_request": cpu_nanoseconds / 1e3 / int(requests[1]),
    }
    for percent in (50, 99):
        value, unit = re.search(rf"\b{percent}%\s+([0-9.]+)(us|ms|s|m)", output).groups()
        result[f"p{percent}_microseconds"] = float(value) * UNITS[unit]
    return result


def medians(runs):
    """The median of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def registrations(server, rounds, seconds):
    """(a) New instances one by one over 64 connections."""
    runs, first = [], 0
    for _ in range(rounds):
        runs.append(wrk(server, "register.lua", seconds, first))
        first += 2 * runs[-1]["requests"]  # wrk formats a few more than it counts
    return medians(runs)


def heartbeats(server, rounds, seconds, instances):
    """(b) Heartbeats of instances that exist, over 64 connections."""
    with server.client() as client:
        register_all(client, batch_bodies(zone.registrations(instances, ttl_seconds=3600)))
    return medians([wrk(server, "heartbeat.lua", seconds, instances) for _ in range(rounds)])


def batch_heartbeats(server, instances=BEATING, every_seconds=10, rounds=3):
    """What `instances` that beat every `every_seconds` through POST /api/v1/heartbeats take of a core."""
    with server.client() as client:
        register_all(client, batch_bodies(zone.registrations(instances, ttl_seconds=3600)))
        ids = [item["id"] for item in zone.registrations(instances)]
        bodies = [json.dumps({"ids": ids[first : first + 10_000]}).encode() for first in range(0, instances, 10_000)]
        shares = []
        for _ in range(rounds):
            before = server.cpu_nanoseconds()
            for body in bodies:
                renewed = json.loads(client.expect({200}, "POST", "/api/v1/heartbeats", body))
                if renewed["unknown"]:
                    raise BenchmarkError(f"unknown: {renewed['unknown'][:3]}")
            shares.append((server.cpu_nanoseconds() - before) / 1e9 / every_seconds)
    return {"instances": instances, "core_share": statistics.median(shares)}


def batches(server, instances):
    """(c) Instances a second through batch, with 1,000 and 10,000 in a call, over four connections."""
    result = {}
    everything = zone.registrations(2 * instances)
    for items in (1000, 10_000):
        bodies = list(batch_bodies((next(everything) for _ in range(instances)), items))
        before = server.cpu_nanoseconds()
        seconds = register_all_at_once(server, bodies)
        cpu_nanoseconds = server.cpu_nanoseconds() - before
        result[str(items)] = {
            "instances_per_second": instances / seconds,
            "server_cpu_microseconds_per_instance": cpu_nanoseconds / 1e3 / instances,
        }
    return result


class Registrar:
    """registrar.py as a process on the load core, for as long as the context lasts; then `figures` has its JSON."""

    def __init__(self, port, services, maximum_seconds):
        arguments = [port, CHANGES_PER_SECOND, services, maximum_seconds]
        self.command = on_core(LOAD_CORE, [sys.executable, BENCH / "registrar.py", *arguments])
        self.figures = None

    def __enter__(self):
        self.popen = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        if self.popen.stdout.readline().strip() != "started":
            self.popen.kill()
            self.popen.wait()
            raise BenchmarkError("the registrar did not start")
        return self

    def __exit__(self, *_):
        self.popen.terminate()
        try:
            output, _ = self.popen.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.communicate()
            raise BenchmarkError("the registrar did not stop") from None
        self.figures = json.loads(output)
        if self.figures["other_statuses"] or self.figures["registrations"] == 0:
            raise BenchmarkError(f"registrations failed: {self.figures}")


def keep_dns_alone(server):
    """Leaves the DNS worker on the server core and moves the server's other threads to the load core. Returns the
    worker's thread id."""
    process_id = server.process.process_id
    workers = [task for task, name in tasks(process_id).items() if name.startswith("dns-")]
    if len(workers) != 1:
        raise BenchmarkError(f"one thread named dns-0 expected: {sorted(tasks(process_id).values())}")
    for task in tasks(process_id):
        move_to_core(task, SERVER_CORE if task == workers[0] else LOAD_CORE)
    return workers[0]


def while_changing(server, twin, directory, rounds, seconds, services):
    """(d) What 2,000 registrations a second cost the DNS worker.

    With two cores the generator, the registrar and the server's control plane share one, so answers/s fall because
    the generator gets less of it. So the same registrations also go to a twin whose DNS nobody asks: `control` has
    the crowded core without a changing zone. CPU time per answer also depends on how many queries come at once, and so
    on how much of its core the generator gets; what the changes themselves cost the worker is measured without any
    query: `share_of_worker` is the part of its core that 2,000 changes a second take, each of which wakes it up then."""
    queries = pathlib.Path(directory) / "queries-changing"
    queries.write_text(zone.query_file(services, "A"))
    for each in (server, twin):
        with each.client() as client:
            instances = zone.registrations(services * zone.INSTANCES_PER_SERVICE)
            register_all(client, batch_bodies(instances))
    check_answers(server, services)
    for task in tasks(twin.process.process_id):
        move_to_core(task, LOAD_CORE)
    runs = {"idle": [], "control": [], "changing": []}
    for _ in range(rounds):
        for kind, changed in (("idle", None), ("control", twin), ("changing", server)):
            worker = keep_dns_alone(server)
            registrar = Registrar(changed.http_port, services, seconds + 60) if changed else None
            with registrar or contextlib.nullcontext():
                before = task_cpu_nanoseconds(server.process.process_id, worker)
                run = closed_loop(server.ports["A"], queries, seconds)
                cpu_nanoseconds = task_cpu_nanoseconds(server.process.process_id, worker) - before
            if run["wrong"]:
                raise BenchmarkError(f"wrong answers while {kind}: {run}")
            runs[kind].append(
                {
                    "answers_per_second": run["answers_per_second"],
                    "lost": run["lost"],
                    "p99_microseconds": run["p99_microseconds"],
                    "worker_cpu_microseconds_per_answer": cpu_nanoseconds / 1e3 / run["answers"],
                    "registrations_per_second": registrar.figures["registrations_per_second"] if registrar else 0,
                }
            )
    result = {kind: medians(kind_runs) for kind, kind_runs in runs.items()}
    result["share_of_worker"] = statistics.median(
        _share_of_worker(server, seconds, services) for _ in range(rounds)
    )
    return result


def _share_of_worker(server, seconds, services):
    """The part of its time that the DNS worker spends on 2,000 changes a second and nothing else."""
    worker = keep_dns_alone(server)
    with Registrar(server.http_port, services, seconds + 60):
        start, before = time.monotonic(), task_cpu_nanoseconds(server.process.process_id, worker)
        time.sleep(seconds)
        cpu_nanoseconds = task_cpu_nanoseconds(server.process.process_id, worker) - before
        return cpu_nanoseconds / 1e9 / (time.monotonic() - start)


def publication(server, small, large, requests):
    """(e) One registration after the other over one connection, with few and with many instances loaded. Each adds
    an instance to a service that has four already, a different service each time as long as there are some."""
    result = {}
    everything = zone.registrations(large)
    loaded = 0
    with server.client() as client:
        for instances in (small, large):
            count = instances - loaded
            seconds = register_all(client, batch_bodies(next(everything) for _ in range(count)))
            loaded = instances
            network = 11 if instances == small else 12
            durations, cpu_nanoseconds = _one_by_one(server, instances, requests, network)
            result["small" if instances == small else "large"] = {
                "instances": instances,
                "median_microseconds": statistics.median(durations) * 1e6,
                "p99_microseconds": sorted(durations)[int(len(durations) * 0.99)] * 1e6,
                "server_cpu_microseconds_per_registration": cpu_nanoseconds / 1e3 / requests,
                "loaded_per_second": count / seconds,
                "server_resident_mebibytes": resident_mebibytes(server.process.process_id),
            }
    return result


def _one_by_one(server, instances, requests, network):
    services = instances // zone.INSTANCES_PER_SERVICE
    step = max(1, services // requests)
    connection = Connection(server.http_port)
    durations = []
    with contextlib.closing(connection.socket):
        before = server.cpu_nanoseconds()
        for number in range(requests):
            body = {
                "name": zone.service_name(number * step % services),
                "ip": f"{network}.0.{number >> 8 & 255}.{number & 255}",
                "port": zone.PORT,
                "ttl": 0,
            }
            request = encode_request(json.dumps(body).encode())
            start = time.monotonic()
            status = connection.call(request)
            durations.append(time.monotonic() - start)
            if status != 201:
                raise BenchmarkError(f"POST /api/v1/services: {status} {connection.received[:500]!r}")
        return durations, server.cpu_nanoseconds() - before


def run(directory, binary, rounds, seconds, services, batch_instances, large, requests, log=print):
    """All REST figures. Each part has a fresh server."""
    directory = pathlib.Path(directory) / "rest"
    directory.mkdir()
    results = {}
    seconds = max(1, round(seconds))  # wrk takes whole seconds

    def part(name, measure, servers=1):
        with contextlib.ExitStack() as stack:
            results[name] = measure(*[start_ours(stack, directory, binary) for _ in range(servers)])
        log(f"rest {name}: {json.dumps(results[name], default=str)}")

    part("registrations", lambda server: registrations(server, rounds, seconds))
    part("heartbeats", lambda server: heartbeats(server, rounds, seconds, services * zone.INSTANCES_PER_SERVICE))
    part("batch_heartbeats", batch_heartbeats)
    part("batch", lambda server: batches(server, batch_instances))
    part(
        "while_changing",
        lambda server, twin: while_changing(server, twin, directory, rounds, seconds, services),
        servers=2,
    )
    part("publication", lambda server: publication(server, 1000, large, requests))
    return results
