"""Names outside: answers from the cache and misses, ours against Unbound and dnsdist, with NSD as everybody's upstream."""

import contextlib
import json
import pathlib
import random

import zone
from dns_bench import MANY_SOCKETS, OUTSTANDING, SOCKETS, medians_of
from ours import batch_bodies, register_all, start_ours
from peers import NSD_CONFIGURATION, Peer, answers, configured, find_program, start_floors
from processes import LOAD_CORE, BenchmarkError, Process, compile_c, free_port, run_load
from report import table

DOMAIN = "forward.bench"
CACHED = (1_000, 100_000)
# What a figure's name says of the ports that clients ask from, and how many.
PORTS = {"": SOCKETS, "-many-ports": MANY_SOCKETS}
# Each round of misses has names of its own, more than anybody answers in its time, so that none comes twice.
NAMES = 900_000
MISS_ROUNDS = 3
MISSES_PER_SECOND_AT_MOST = 200_000
# Header, question and one A record.
CACHED_ANSWER_OCTETS = 12 + len(f"n000000.{DOMAIN}") + 2 + 4 + 16

UNBOUND_CONFIGURATION = """\
server:
  interface: 127.0.0.1@{port}
  num-threads: 1
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  rrset-roundrobin: yes
  msg-cache-size: 256m
  rrset-cache-size: 256m
  outgoing-range: 4096
  num-queries-per-thread: 4096
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{upstream}
"""

DNSDIST_CONFIGURATION = """\
setLocal("127.0.0.1:{port}")
newServer({address="127.0.0.1:{upstream}", checkInterval=60})
getPool(""):setCache(newPacketCache(1000000))
setSecurityPollSuffix("")
"""


def name(number):
    return f"n{number:06d}"


def write_queries(path, numbers, seed):
    numbers = list(numbers)
    random.Random(seed).shuffle(numbers)
    path.write_text("".join(f"{name(number)}.{DOMAIN} A\n" for number in numbers))
    return path


def start_upstream(stack, directory, names):
    """NSD with one address for each name, on the load's core."""
    lines = [f"$ORIGIN {DOMAIN}.", "$TTL 3600", "@ SOA ns hostmaster 1 3600 600 86400 60", "@ NS ns", "ns A 127.0.0.1"]
    lines += [f"{name(number)} A 192.0.{number >> 8 & 255}.{number & 255}" for number in range(names)]
    (directory / "zone").write_text("\n".join(lines) + "\n")
    port = free_port()
    path = directory / "nsd.conf"
    path.write_text(configured(NSD_CONFIGURATION, directory, port, DOMAIN, ["minimal-responses: yes"]))
    process = stack.enter_context(Process([find_program("nsd"), "-d", "-c", path], directory, "nsd", LOAD_CORE))
    process.wait_until(lambda: answers(port, f"{name(0)}.{DOMAIN}", "A"))
    return port


def start_peer(stack, directory, peer, configuration, arguments, upstream):
    port = free_port()
    path = directory / f"{peer}.conf"
    path.write_text(configuration.replace("{port}", str(port)).replace("{directory}", str(directory))
                    .replace("{upstream}", str(upstream)))
    process = stack.enter_context(Process([find_program(peer), *arguments, path], directory, peer))
    process.wait_until(lambda: load(port, directory / "ready", 0.1, allows_failure=True) is not None)
    return Peer(peer, [process], {"A": port})


def load(port, queries, seconds, sockets=SOCKETS, allows_failure=False):
    """One run of closed_loop with RD; its JSON."""
    command = [compile_c("closed_loop"), "-s", "127.0.0.1", "-p", port, "-d", queries, "-l", seconds]
    try:
        return json.loads(run_load([*command, "-k", OUTSTANDING, "-n", sockets, "-r"], seconds + 20))
    except BenchmarkError:
        if allows_failure:
            return None
        raise


def measure(server, queries, seconds, sockets=SOCKETS):
    server.check_running()
    before = server.cpu_nanoseconds()
    run = load(server.ports["A"], queries, seconds, sockets)
    if run["wrong"] or run["answers"] == 0:
        raise BenchmarkError(f"{server.name}: wrong answers: {run}")
    run["server_cpu_microseconds_per_answer"] = (server.cpu_nanoseconds() - before) / 1e3 / run["answers"]
    return run | {"repeated": 0, "disturbed": run["generator_waited_seconds"] / seconds}


def run(directory, binary, rounds, seconds, names, log=print):
    """All figures: medians by kind and server."""
    directory = pathlib.Path(directory) / "forward"
    directory.mkdir()
    cached = [min(count, names) for count in CACHED]
    write_queries(directory / "ready", range(1), 0)
    queries = {count: write_queries(directory / f"cached-{count}", range(count), count) for count in cached}
    share = names // (MISS_ROUNDS * len(PORTS))
    missed = [
        write_queries(directory / f"missed-{part}", range(part * share, (part + 1) * share), part)
        for part in range(MISS_ROUNDS * len(PORTS))
    ]
    (directory / "registered").write_text(zone.query_file(1000, "A"))
    with contextlib.ExitStack() as stack:
        upstream = start_upstream(stack, directory, names)
        settings = {
            "KONG_DISCOVERY_DNS_UPSTREAM_SERVERS": f"127.0.0.1:{upstream}",
            "KONG_DISCOVERY_DNS_CACHE_MAX_ENTRIES": str(names),
        }
        ours = start_ours(stack, directory, binary, settings)
        with ours.client() as client:
            register_all(client, batch_bodies(zone.registration(number, 0) for number in range(1000)))
        servers = {
            "ours": ours,
            "unbound": start_peer(stack, directory, "unbound", UNBOUND_CONFIGURATION, ["-d", "-c"], upstream),
            "dnsdist": start_peer(stack, directory, "dnsdist", DNSDIST_CONFIGURATION, ["--supervised", "-C"], upstream),
        }
        floors = start_floors(stack, directory, {"A": CACHED_ANSWER_OCTETS, "SRV": CACHED_ANSWER_OCTETS}, count=1)
        figures = {}
        for number, path in enumerate(missed):
            ports, sockets = list(PORTS.items())[number % len(PORTS)]
            kind = f"misses{ports}"
            # Another server goes first each round: for the others the upstream has the names in its processor's cache.
            keys = list(servers)
            shift = number // len(PORTS) % len(keys)
            for key in keys[shift:] + keys[:shift]:
                run = measure(servers[key], path, min(seconds, share / MISSES_PER_SECOND_AT_MOST), sockets)
                if run["answers"] > share:
                    raise BenchmarkError(f"{key} answered {run['answers']} queries, but there are {share} names")
                figures.setdefault(kind, {}).setdefault(key, []).append(run)
        for count, path in queries.items():
            for server in servers.values():
                load(server.ports["A"], path, max(seconds, count / 20_000))
            if count == cached[-1]:
                with ours.client() as client:
                    client.expect({200}, "DELETE", f"/api/v1/cache?name={DOMAIN}&subtree=true")
                load(ours.ports["A"], path, max(seconds, count / 20_000))
                with ours.client() as client:
                    cache = json.loads(client.expect({200}, "GET", "/api/v1/status"))["cache"]
            for _ in range(rounds):
                for ports, sockets in PORTS.items():
                    runs = figures.setdefault(f"cached-{count}{ports}", {})
                    for key, server in [*servers.items(), *floors.items()]:
                        runs.setdefault(key, []).append(measure(server, path, seconds, sockets))
                    run = measure(ours, directory / "registered", seconds, sockets)
                    runs.setdefault("registered", []).append(run)
        figures = {kind: medians_of(runs) for kind, runs in figures.items()}
        for kind, medians in figures.items():
            log(f"{kind}: " + ", ".join(f"{key} {m['answers_per_second']:,.0f}/s" for key, m in medians.items()))
    # What the table and the order of eviction take beside: 2 x 8, 8 and 8 octets at most.
    return {"figures": figures, "entries": cache["entries"], "bytes_per_entry": cache["bytes"] / cache["entries"] + 32}


def text(results):
    """The figures as a table."""
    rows = [["names outside, one worker", "answers/s", "CPU us/answer", "p50 us", "p99 us", "lost", "ours/theirs"]]
    for kind, medians in results["figures"].items():
        for key, median in medians.items():
            rows.append(
                [
                    f"{kind} {key}",
                    f"{median['answers_per_second']:,.0f}",
                    f"{median['server_cpu_microseconds_per_answer']:.2f}",
                    f"{median['p50_microseconds']:.0f}",
                    f"{median['p99_microseconds']:.0f}",
                    f"{median['lost']:.0f}",
                    f"{median['ours_by_theirs']['answers_per_second']:.2f}" if key != "ours" else "",
                ]
            )
    return f"{table(rows, '')}\n  {results['entries']:,} cached A answers: {results['bytes_per_entry']:.0f} octets each"
