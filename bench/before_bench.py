"""Our server against an earlier one of ours: what a change costs. Rounds take turns, so that a slow minute meets both."""

import contextlib
import pathlib
import statistics

import dns_bench
import forward_bench
import rest_bench
import zone
from ours import batch_bodies, register_all, start_ours
from report import table

NAMES = ("before", "now")
MISS_ROUNDS = 3
# What a figure is called in the table, and whether more of it is better.
FIGURES = {
    "answers_per_second": True,
    "requests_per_second": True,
    "server_cpu_microseconds_per_answer": False,
    "server_cpu_microseconds_per_request": False,
    "p99_microseconds": False,
}


def in_turns(servers, rounds, once):
    """The runs of both: the one that goes first changes each round."""
    names = list(servers)
    runs = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            runs[name].append(once(name, servers[name], number))
    return runs


def start_both(stack, directory, binaries, settings=None):
    servers = {}
    for name, binary in binaries.items():
        (directory / name).mkdir()
        servers[name] = start_ours(stack, directory / name, binary, settings)
    return servers


def own_names(directory, binaries, rounds, seconds, services):
    """Registered names over UDP; each round has servers of its own, as in ``dns_bench.run``."""
    kinds = [(type_name, tool) for type_name in dns_bench.TYPES for tool in dns_bench.TOOLS[type_name]]
    runs = {kind: {name: [] for name in NAMES} for kind in kinds}
    for type_name in dns_bench.TYPES:
        (directory / f"queries-{type_name}").write_text(zone.query_file(services, type_name))
    for number in range(rounds):
        part = directory / str(number)
        part.mkdir()
        with contextlib.ExitStack() as stack:
            servers = start_both(stack, part, binaries)
            for server in servers.values():
                with server.client() as client:
                    register_all(client, batch_bodies(zone.registrations(services * zone.INSTANCES_PER_SERVICE)))
            for type_name, tool in kinds:
                for name in NAMES if number % 2 == 0 else reversed(NAMES):
                    queries = directory / f"queries-{type_name}"
                    run = dns_bench.measure_undisturbed(servers[name], type_name, tool, queries, seconds)
                    runs[type_name, tool][name].append(run)
    for (type_name, tool), found in runs.items():
        yield f"{type_name} by {tool}", found


def outside_names(directory, binaries, rounds, seconds, names):
    """Names outside: misses first, then answers from the cache."""
    with contextlib.ExitStack() as stack:
        upstream = forward_bench.start_upstream(stack, directory, names)
        settings = {
            "KONG_DISCOVERY_DNS_UPSTREAM_SERVERS": f"127.0.0.1:{upstream}",
            "KONG_DISCOVERY_DNS_CACHE_MAX_ENTRIES": str(names),
        }
        servers = start_both(stack, directory, binaries, settings)
        kinds = list(forward_bench.PORTS.items())
        share = names // (MISS_ROUNDS * len(kinds))
        for part, (ports, sockets) in enumerate(kinds):
            paths = [
                forward_bench.write_queries(directory / f"missed{ports}-{number}", range(first, first + share), first)
                for number in range(MISS_ROUNDS)
                for first in [(part * MISS_ROUNDS + number) * share]
            ]
            time = min(seconds, share / forward_bench.MISSES_PER_SECOND_AT_MOST)
            yield f"misses{ports}", in_turns(
                servers,
                MISS_ROUNDS,
                lambda _, server, number: forward_bench.measure(server, paths[number], time, sockets),
            )
        for count in (min(count, names) for count in forward_bench.CACHED):
            path = forward_bench.write_queries(directory / f"cached-{count}", range(count), count)
            for server in servers.values():
                forward_bench.load(server.ports["A"], path, max(seconds, count / 20_000))
            for ports, sockets in kinds:
                yield f"cached-{count}{ports}", in_turns(
                    servers, rounds, lambda _, server, __: forward_bench.measure(server, path, seconds, sockets)
                )


def rest(directory, binaries, rounds, seconds, services):
    """Registrations and heartbeats over 64 connections."""
    instances = services * zone.INSTANCES_PER_SERVICE
    # wrk takes whole seconds alone.
    seconds = max(1, round(seconds))
    with contextlib.ExitStack() as stack:
        servers = start_both(stack, directory, binaries)
        first = dict.fromkeys(NAMES, 0)

        def register(name, server, _):
            run = rest_bench.wrk(server, "register.lua", seconds, first[name])
            first[name] += 2 * run["requests"]
            return run

        yield "registrations", in_turns(servers, rounds, register)
        for server in servers.values():
            with server.client() as client:
                register_all(client, batch_bodies(zone.registrations(instances, ttl_seconds=3600)))
        yield "heartbeats", in_turns(
            servers, rounds, lambda _, server, __: rest_bench.wrk(server, "heartbeat.lua", seconds, instances)
        )


def compared(runs):
    """The medians of both, and of the ratios round by round: above 1 where the server of now is better."""
    result = {}
    for key, more_is_better in FIGURES.items():
        if key not in runs["now"][0]:
            continue
        pairs = [(before[key], now[key]) for before, now in zip(runs["before"], runs["now"])]
        result[key] = {
            "before": statistics.median(before for before, _ in pairs),
            "now": statistics.median(now for _, now in pairs),
            "ratio": statistics.median(now / before if more_is_better else before / now for before, now in pairs),
        }
    return result


def run(directory, binaries, rounds, seconds, services, names, log=print):
    """All figures by kind; `binaries`: the servers by the words `before` and `now`."""
    directory = pathlib.Path(directory) / "before"
    directory.mkdir()
    results = {}
    for part, function, size in (
        ("own", own_names, services),
        ("outside", outside_names, names),
        ("rest", rest, services),
    ):
        place = directory / part
        place.mkdir()
        for kind, runs in function(place, binaries, rounds, seconds, size):
            results[kind] = compared(runs)
            ratios = ", ".join(f"{key} {figure['ratio']:.3f}" for key, figure in results[kind].items())
            log(f"{kind}: {ratios}")
    return results


def text(results):
    """The figures as a table."""
    rows = [["now against before, above 1 is better", "before", "now", "now/before"]]
    for kind, figures in results.items():
        for key, figure in figures.items():
            digits = 0 if figure["now"] >= 100 else 2
            rows.append(
                [
                    f"{kind}: {key.replace('_', ' ')}",
                    f"{figure['before']:,.{digits}f}",
                    f"{figure['now']:,.{digits}f}",
                    f"{figure['ratio']:.3f}",
                ]
            )
    return table(rows, "")
