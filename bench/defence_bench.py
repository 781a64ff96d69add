"""What its defences cost DNS: a server that limits equal responses (far above what is asked, so that each is counted and none
is dropped), and one with thousands of networks in `dns.allow`, against one without either, in turns."""

import contextlib
import json
import pathlib
import statistics

import dns_bench
import zone
from ours import batch_bodies, register_all, start_ours
from report import table

# As many as one variable of the environment holds.
NETWORKS = [f"10.{number >> 7}.{number % 128 * 2}.0/24" for number in range(7000)]
SETTINGS = {
    "off": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "0", "KONG_DISCOVERY_DNS_COOKIES": "false"},
    "limited": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "1000000"},
    "listed": {
        "KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "0",
        "KONG_DISCOVERY_DNS_ALLOW": ",".join([*NETWORKS, "127.0.0.0/8"]),
    },
}
KINDS = tuple(SETTINGS)
TOOLS = ("closed_loop", "dnsperf")
FIGURES = ("answers_per_second", "server_cpu_microseconds_per_answer")


def run(directory, binary, rounds, seconds, services, log=print):
    """Queries for addresses over UDP: the medians of each kind, and of the ratios to `off` round by round."""
    directory = pathlib.Path(directory) / "defence"
    directory.mkdir()
    queries = directory / "queries"
    queries.write_text(zone.query_file(services, "A"))
    results = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for kind, settings in SETTINGS.items():
            (directory / kind).mkdir()
            servers[kind] = start_ours(stack, directory / kind, binary, settings)
            with servers[kind].client() as client:
                register_all(client, batch_bodies(zone.registrations(services * zone.INSTANCES_PER_SERVICE)))
        for tool in TOOLS:
            runs = {kind: [] for kind in KINDS}
            for number in range(rounds):
                for kind in KINDS if number % 2 == 0 else reversed(KINDS):
                    runs[kind].append(dns_bench.measure_undisturbed(servers[kind], "A", tool, queries, seconds))
            results[tool] = {
                kind: {key: statistics.median(each[key] for each in runs[kind]) for key in FIGURES} for kind in KINDS
            }
            for kind in KINDS[1:]:
                results[tool][kind]["ratio"] = statistics.median(
                    defended["answers_per_second"] / off["answers_per_second"]
                    for off, defended in zip(runs["off"], runs[kind])
                )
            log(f"defence by {tool}: {json.dumps(results[tool])}")
    return results


def text(results):
    """The figures as a table."""
    rows = [["A, defended", *(f"{k}/s" for k in KINDS), *KINDS[1:], *(f"CPU us {k}" for k in KINDS)]]
    for tool, part in results.items():
        rows.append(
            [
                f"by {tool}",
                *(f"{part[kind]['answers_per_second']:,.0f}" for kind in KINDS),
                *(f"{part[kind]['ratio']:.3f}" for kind in KINDS[1:]),
                *(f"{part[kind]['server_cpu_microseconds_per_answer']:.3f}" for kind in KINDS),
            ]
        )
    return table(rows, "")
