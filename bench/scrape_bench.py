"""What a scrape of GET /metrics takes with many instances, and what registrations feel of it."""

import contextlib
import json
import pathlib
import statistics
import time

import rest_bench
import zone
from ours import batch_bodies, register_all_at_once, start_ours
from report import table

# Prometheus scrapes every 15 s or so.
SCRAPES_PER_SECOND = 10
KINDS = {"without": "false", "with": "true"}


def scrapes(client, seconds):
    """Milliseconds from each request to the end of its answer, and the octets of the last one."""
    durations, octets = [], 0
    end = time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        octets = len(client.expect({200}, "GET", "/metrics"))
        durations.append((time.monotonic() - start) * 1e3)
        time.sleep(max(0, start + 1 / SCRAPES_PER_SECOND - time.monotonic()))
    return sorted(durations), octets


def summary(durations):
    return {
        "scrapes": len(durations),
        "median_milliseconds": statistics.median(durations),
        "p95_milliseconds": durations[int(len(durations) * 0.95)],
        "worst_milliseconds": durations[-1],
    }


def measure(server, rounds, seconds, instances, changed):
    """Loads the instances, and scrapes: while nothing else happens, and during 2,000 registrations a second."""
    register_all_at_once(server, list(batch_bodies(zone.registrations(instances))))
    with server.client() as client:
        scrapes(client, 0.5)
        idle, octets = scrapes(client, seconds)
        loaded, quiet_p99, scraped_p99 = [], [], []
        for _ in range(rounds):
            with rest_bench.Registrar(server.http_port, changed, 2 * seconds + 60) as quiet:
                time.sleep(seconds)
            with rest_bench.Registrar(server.http_port, changed, 2 * seconds + 60) as scraped:
                loaded += scrapes(client, seconds)[0]
            quiet_p99.append(quiet.figures["p99_microseconds"])
            scraped_p99.append(scraped.figures["p99_microseconds"])
    return {
        "instances": instances,
        "octets": octets,
        "idle": summary(idle),
        "loaded": summary(sorted(loaded)),
        "registrations_p99_microseconds": {
            "quiet": statistics.median(quiet_p99),
            "scraped": statistics.median(scraped_p99),
        },
    }


def run(directory, binary, rounds, seconds, services, instances, log=print):
    """A server with the figures of each service, and one without."""
    directory = pathlib.Path(directory) / "scrape"
    directory.mkdir()
    results = {}
    for kind, value in KINDS.items():
        with contextlib.ExitStack() as stack:
            server = start_ours(stack, directory, binary, {"KONG_DISCOVERY_METRICS_PER_SERVICE": value})
            results[kind] = measure(server, rounds, seconds, instances, services)
        log(f"scrape {kind}: {json.dumps(results[kind])}")
    return results


def text(results):
    """The figures as a table."""
    rows = [["GET /metrics", "octets", "idle ms", "loaded ms", "p95 ms", "worst ms", "reg. p99 us", "scraped"]]
    for kind, part in results.items():
        idle, loaded, p99 = part["idle"], part["loaded"], part["registrations_p99_microseconds"]
        rows.append(
            [
                f"{kind} figures of services, {part['instances']:,} instances",
                f"{part['octets']:,}",
                *(f"{value:.1f}" for value in (idle["median_milliseconds"], loaded["median_milliseconds"])),
                *(f"{loaded[key]:.1f}" for key in ("p95_milliseconds", "worst_milliseconds")),
                *(f"{p99[key]:,.0f}" for key in ("quiet", "scraped")),
            ]
        )
    return table(rows, "")
