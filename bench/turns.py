"""Servers of ours that differ in their settings, asked in turns, and held against the first of them."""

import contextlib
import json
import statistics

import dns_bench
import zone
from ours import batch_bodies, register_all, start_ours
from report import table

TOOLS = ("closed_loop", "dnsperf")
FIGURES = ("answers_per_second", "server_cpu_microseconds_per_answer")


def start(stack, directory, binary, settings, configurations, services, under=()):
    """Starts a server for each kind in `settings`, with the same services; some have a configuration file. `under`: the
    command that runs it."""
    servers = {}
    for kind, environment in settings.items():
        (directory / kind).mkdir(exist_ok=True)
        servers[kind] = start_ours(
            stack, directory / kind, binary, environment, configuration=configurations.get(kind), under=under
        )
        with servers[kind].client() as client:
            register_all(client, batch_bodies(zone.registrations(services * zone.INSTANCES_PER_SERVICE)))
    return servers


def run(directory, name, binary, settings, rounds, seconds, services, log, meanwhile=None, configurations={}):
    """Queries for addresses over UDP: the medians of each kind, and of the ratios to the first one round by round.

    Each round has servers of its own: two processes of one program can differ by a tenth for as long as they run, by
    where the system has put them. `meanwhile(kind, server)` makes a context in which a kind is measured."""
    directory = directory / name
    directory.mkdir()
    queries = directory / "queries"
    queries.write_text(zone.query_file(services, "A"))
    kinds = tuple(settings)
    runs = {tool: {kind: [] for kind in kinds} for tool in TOOLS}
    for number in range(rounds):
        with contextlib.ExitStack() as stack:
            servers = start(stack, directory, binary, settings, configurations, services)
            for tool in TOOLS:
                for kind in kinds if number % 2 == 0 else reversed(kinds):
                    with meanwhile(kind, servers[kind]) if meanwhile else contextlib.nullcontext():
                        runs[tool][kind].append(
                            dns_bench.measure_undisturbed(servers[kind], "A", tool, queries, seconds)
                        )
    results = {tool: _medians(runs[tool], kinds) for tool in TOOLS}
    for tool in TOOLS:
        log(f"{name} by {tool}: {json.dumps(results[tool])}")
    return results


def _medians(runs, kinds):
    """The medians of each kind, and of its ratios to the first kind."""
    medians = {kind: {key: statistics.median(each[key] for each in runs[kind]) for key in FIGURES} for kind in kinds}
    for kind in kinds[1:]:
        ratios = [
            other["answers_per_second"] / first["answers_per_second"]
            for first, other in zip(runs[kinds[0]], runs[kind])
        ]
        medians[kind]["ratio"] = statistics.median(ratios)
        medians[kind]["ratios"] = ratios
    return medians


def text(title, labels, results):
    """The figures as a table. `labels` says what each kind is called."""
    kinds = tuple(labels)
    rows = [[title, *(f"{label}/s" for label in labels.values()), *kinds[1:], *(f"CPU us {kind}" for kind in kinds)]]
    for tool, part in results.items():
        rows.append(
            [
                f"by {tool}",
                *(f"{part[kind]['answers_per_second']:,.0f}" for kind in kinds),
                *(f"{part[kind]['ratio']:.3f}" for kind in kinds[1:]),
                *(f"{part[kind]['server_cpu_microseconds_per_answer']:.3f}" for kind in kinds),
            ]
        )
    return table(rows, "")
