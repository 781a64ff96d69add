"""What it costs DNS that somebody looks: a server that logs a share of its queries to a file, and one that is scraped once
a second, against one of which nobody wants to know anything, in turns."""

import contextlib
import json
import pathlib
import statistics
import threading

import dns_bench
import zone
from ours import batch_bodies, register_all, start_ours
from report import table

SHARE = "0.01"
# Prometheus scrapes every 15 s or so.
SCRAPES_PER_SECOND = 1
KINDS = ("plain", "logged", "scraped")
TOOLS = ("closed_loop", "dnsperf")
FIGURES = ("answers_per_second", "server_cpu_microseconds_per_answer")


@contextlib.contextmanager
def scraping(server):
    """Meanwhile `GET /metrics` is asked for again and again."""
    ended = threading.Event()

    def scrape():
        with server.client() as client:
            while not ended.wait(1 / SCRAPES_PER_SECOND):
                client.expect({200}, "GET", "/metrics")

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def run(directory, binary, rounds, seconds, services, log=print):
    """Queries for addresses over UDP: the medians of each kind, and of the ratios to `plain` round by round."""
    directory = pathlib.Path(directory) / "observing"
    directory.mkdir()
    queries = directory / "queries"
    queries.write_text(zone.query_file(services, "A"))
    results = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for kind in KINDS:
            (directory / kind).mkdir()
            settings = {
                "KONG_DISCOVERY_QUERY_LOG_SAMPLE": SHARE if kind == "logged" else "0",
                "KONG_DISCOVERY_QUERY_LOG_FILE": str(directory / kind / "queries.log"),
            }
            servers[kind] = start_ours(stack, directory / kind, binary, settings)
            with servers[kind].client() as client:
                register_all(client, batch_bodies(zone.registrations(services * zone.INSTANCES_PER_SERVICE)))
        for tool in TOOLS:
            runs = {kind: [] for kind in KINDS}
            for number in range(rounds):
                for kind in KINDS if number % 2 == 0 else reversed(KINDS):
                    with scraping(servers[kind]) if kind == "scraped" else contextlib.nullcontext():
                        runs[kind].append(dns_bench.measure_undisturbed(servers[kind], "A", tool, queries, seconds))
            results[tool] = {
                kind: {key: statistics.median(each[key] for each in runs[kind]) for key in FIGURES} for kind in KINDS
            }
            for kind in KINDS[1:]:
                results[tool][kind]["ratio"] = statistics.median(
                    observed["answers_per_second"] / plain["answers_per_second"]
                    for plain, observed in zip(runs["plain"], runs[kind])
                )
            log(f"observing by {tool}: {json.dumps(results[tool])}")
    return results


def text(results):
    """The figures as a table."""
    rows = [["A, observed", "plain/s", "logged 1 %/s", "scraped/s", "logged", "scraped", *(f"CPU us {k}" for k in KINDS)]]
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
