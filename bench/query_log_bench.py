"""What the query log costs DNS: servers that log a share of their queries to a file and one that logs none, in turns."""

import contextlib
import json
import pathlib
import statistics

import dns_bench
import zone
from ours import batch_bodies, register_all, start_ours
from report import table

SHARES = ("0", "0.01")
TOOLS = ("closed_loop", "dnsperf")
FIGURES = ("answers_per_second", "server_cpu_microseconds_per_answer")


def run(directory, binary, rounds, seconds, services, log=print):
    """Queries for addresses over UDP: the medians of each, and of the ratios round by round."""
    directory = pathlib.Path(directory) / "query-log"
    directory.mkdir()
    queries = directory / "queries"
    queries.write_text(zone.query_file(services, "A"))
    results = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for share in SHARES:
            (directory / share).mkdir()
            settings = {
                "KONG_DISCOVERY_QUERY_LOG_SAMPLE": share,
                "KONG_DISCOVERY_QUERY_LOG_FILE": str(directory / share / "queries.log"),
            }
            servers[share] = start_ours(stack, directory / share, binary, settings)
            with servers[share].client() as client:
                register_all(client, batch_bodies(zone.registrations(services * zone.INSTANCES_PER_SERVICE)))
        for tool in TOOLS:
            runs = {share: [] for share in SHARES}
            for number in range(rounds):
                for share in SHARES if number % 2 == 0 else reversed(SHARES):
                    runs[share].append(dns_bench.measure_undisturbed(servers[share], "A", tool, queries, seconds))
            results[tool] = {
                share: {key: statistics.median(each[key] for each in runs[share]) for key in FIGURES} for share in SHARES
            }
            results[tool]["ratio"] = statistics.median(
                logged["answers_per_second"] / unlogged["answers_per_second"]
                for unlogged, logged in zip(*(runs[share] for share in SHARES))
            )
            log(f"query log by {tool}: {json.dumps(results[tool])}")
    return results


def text(results):
    """The figures as a table."""
    rows = [["query log", *(f"sample {share}/s" for share in SHARES), "ratio", *(f"CPU us {share}" for share in SHARES)]]
    for tool, part in results.items():
        rows.append(
            [
                f"A by {tool}",
                *(f"{part[share]['answers_per_second']:,.0f}" for share in SHARES),
                f"{part['ratio']:.3f}",
                *(f"{part[share]['server_cpu_microseconds_per_answer']:.3f}" for share in SHARES),
            ]
        )
    return table(rows, "")
