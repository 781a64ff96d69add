"""The DNS comparison: interleaved rounds of dnsperf and of the closed-loop generator over all servers."""

import contextlib
import json
import pathlib
import re
import statistics

import zone
from ours import batch_bodies, register_all, start_ours
from peers import check_answers, find_program, start_floors, start_knot, start_nsd
from processes import BenchmarkError, compile_c, run_load

TOOLS = {"A": ("closed_loop", "many_ports", "dnsperf"), "SRV": ("closed_loop", "dnsperf")}
TYPES = tuple(TOOLS)
# Enough to keep a server busy all the time; more would overflow the socket buffer that Linux gives by default,
# which all servers here have.
OUTSTANDING = 128
SOCKETS = 4
# As from clients that ask each query from a port of its own: no two replies go to the same.
MANY_SOCKETS = OUTSTANDING
# dnsperf is fastest with one socket and more queries under way; the answers to more than 160 would overflow its buffer.
DNSPERF_OUTSTANDING = 150
DNSPERF_CLIENTS = 1
# A round counts as disturbed when something else had a core for more than this share of it.
DISTURBED_SHARE = 0.05
COMPARED = ("answers_per_second", "server_cpu_microseconds_per_answer", "p99_microseconds")


def closed_loop(port, queries, seconds, sockets=SOCKETS):
    """One run of bench/closed_loop.c; its JSON."""
    command = [compile_c("closed_loop"), "-s", "127.0.0.1", "-p", port, "-d", queries, "-l", seconds]
    return json.loads(run_load([*command, "-k", OUTSTANDING, "-n", sockets], seconds + 20))


def many_ports(port, queries, seconds):
    """The same with a port for each query under way."""
    return closed_loop(port, queries, seconds, MANY_SOCKETS)


def dnsperf(port, queries, seconds):
    """One run of dnsperf, in the same words as closed_loop's. It prints no percentiles, only an average."""
    command = [find_program("dnsperf"), "-s", "127.0.0.1", "-p", port, "-d", queries, "-l", seconds]
    output = run_load([*command, "-c", DNSPERF_CLIENTS, "-q", DNSPERF_OUTSTANDING, "-T", 1], seconds + 30)

    def number(label):
        match = re.search(label + r":\s+([0-9.]+)", output)
        if match is None:
            raise BenchmarkError(f"dnsperf printed no {label!r}:\n{output}")
        return float(match[1])

    codes = re.search(r"Response codes:\s+(.*)", output)
    answers = int(number("Queries completed"))
    if codes is None or not codes[1].startswith("NOERROR") or "," in codes[1]:
        raise BenchmarkError(f"dnsperf got other answers than NOERROR:\n{output}")
    return {
        "answers_per_second": number("Queries per second"),
        "answers": answers,
        "lost": int(number("Queries lost")),
        "wrong": 0,
        "average_microseconds": number(r"Average Latency \(s\)") * 1e6,
    }


def measure(server, type_name, tool, queries, seconds):
    """One round: load on one server; adds the server's CPU time for each answer."""
    server.check_running()
    before, waited_before = server.cpu_nanoseconds(), server.waited_nanoseconds()
    run = {"closed_loop": closed_loop, "many_ports": many_ports, "dnsperf": dnsperf}[tool](
        server.ports[type_name], queries, seconds
    )
    cpu_nanoseconds = server.cpu_nanoseconds() - before
    server.check_running()
    if run["wrong"] or run["answers"] == 0:
        raise BenchmarkError(f"{server.name}, {type_name}, {tool}: wrong answers: {run}")
    run["server_cpu_microseconds_per_answer"] = cpu_nanoseconds / 1e3 / run["answers"]
    # The share of the time that the server was on the CPU: below 1, it waited for the generator.
    run["server_busy"] = cpu_nanoseconds / 1e9 / seconds
    # The share in which the server or the generator wanted its core and something else had it. (dnsperf's two
    # threads share a core and so wait for each other: that says nothing.)
    server_waited = (server.waited_nanoseconds() - waited_before) / 1e9
    run["disturbed"] = max(server_waited, run.get("generator_waited_seconds", 0)) / seconds
    return run


def measure_undisturbed(server, type_name, tool, queries, seconds, attempts=3):
    """Like `measure`, but a round that something else on the machine disturbed is run again; the least disturbed of
    all attempts counts, whatever its speed."""
    runs = []
    while len(runs) < attempts and (not runs or runs[-1]["disturbed"] > DISTURBED_SHARE):
        runs.append(measure(server, type_name, tool, queries, seconds))
    best = min(runs, key=lambda run: run["disturbed"])
    best["repeated"] = len(runs) - 1
    return best


def median_of_runs(runs):
    """The median of each figure; lost queries are added up."""
    result = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    result["lost"] = sum(run["lost"] for run in runs)
    result["repeated"] = sum(run["repeated"] for run in runs)
    result["disturbed"] = max(run["disturbed"] for run in runs)
    rates = [run["answers_per_second"] for run in runs]
    result["spread"] = (max(rates) - min(rates)) / result["answers_per_second"]
    return result


def medians_of(runs):
    """The medians of each server's runs, by name; and of the ratios of ours to each other server's, round by round: the
    machine is faster in some seconds than in others, and a round takes few."""
    medians = {name: median_of_runs(each) for name, each in runs.items()}
    for name in runs if "ours" in runs else ():
        if name == "ours":
            continue
        medians[name]["ours_by_theirs"] = {
            key: statistics.median(ours[key] / theirs[key] for ours, theirs in zip(runs["ours"], runs[name]))
            for key in COMPARED
            if key in runs[name][0]
        }
    return medians


def start_servers(stack, directory, services, binary, with_ours=True):
    """Starts all servers with the same zone; returns them by name, with their answers' sizes."""
    servers = {}
    if with_ours:
        servers["ours"] = ours = start_ours(stack, directory, binary)
        with ours.client() as client:
            instances = zone.registrations(services * zone.INSTANCES_PER_SERVICE)
            register_all(client, batch_bodies(instances))
    servers["knot"] = start_knot(stack, directory, services)
    servers["nsd"] = start_nsd(stack, directory, services)
    sizes = {name: check_answers(server, services) for name, server in servers.items()}
    # The floors answer with as many octets as we do.
    floor_sizes = sizes["ours" if with_ours else "knot"]
    floors = start_floors(stack, directory, floor_sizes)
    servers |= floors
    sizes |= dict.fromkeys(floors, floor_sizes)
    order = [name for name in ("ours", *floors, "knot", "nsd") if name in servers]
    return {name: servers[name] for name in order}, sizes


def run(directory, binary, rounds, seconds, services, with_ours=True, log=print):
    """The whole comparison: medians by type, tool and server."""
    directory = pathlib.Path(directory) / "dns"
    directory.mkdir()
    queries = {}
    for type_name in TYPES:
        queries[type_name] = directory / f"queries-{type_name}"
        queries[type_name].write_text(zone.query_file(services, type_name))
    runs = {type_name: {tool: {} for tool in TOOLS[type_name]} for type_name in TYPES}
    for number in range(rounds):
        # Servers of its own: two processes of one program can differ by a tenth for as long as they run, by where the
        # system has put them.
        part = directory / str(number)
        part.mkdir()
        with contextlib.ExitStack() as stack:
            servers, sizes = start_servers(stack, part, services, binary, with_ours)
            # Another server goes first each round, so that none is always the one after a pause.
            names = list(servers)
            shift = number % len(names)
            for type_name in TYPES:
                if number == 0:
                    octets = ", ".join(f"{name} {sizes[name][type_name]}" for name in names)
                    log(f"{type_name} answers, octets: {octets}")
                for tool, found in runs[type_name].items():
                    for name in names[shift:] + names[:shift]:
                        run = measure_undisturbed(servers[name], type_name, tool, queries[type_name], seconds)
                        found.setdefault(name, []).append(run)
    figures = {}
    for type_name in TYPES:
        for tool, found in runs[type_name].items():
            figures.setdefault(type_name, {})[tool] = medians_of({name: found[name] for name in names})
            log_rates(log, type_name, tool, figures[type_name][tool])
    return {"rounds": rounds, "seconds": seconds, "services": services, "sizes": sizes, "figures": figures}


def log_rates(log, type_name, tool, medians):
    """One line as soon as a tool is through."""
    rates = ", ".join(f"{name} {median['answers_per_second']:,.0f}/s" for name, median in medians.items())
    log(f"{type_name} by {tool}: {rates}")
