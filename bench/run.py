#!/usr/bin/env python3
"""The benchmarks: what `make bench` runs. See README.md beside this file.

    run.py [all]      everything, printed as tables with pass or MISS for each threshold
    run.py dns        DNS against the floor, Knot DNS and NSD
    run.py observing  DNS with the query log, or scraped once a second, and without
    run.py defence    DNS with a rate limit, or 50,000 networks in dns.allow, and without
    run.py rest       the REST API
    run.py tokens     the REST API with tokens and without
    run.py scrape     GET /metrics with a million instances
    run.py change     a change of one instance, by how many its service has
    run.py events     readers of the events
    run.py checks     health checks
    run.py storage    SQLite and etcd
    run.py backup     backup, restore into each storage, and whether that is the same
    run.py forward    names outside: cached answers and misses against Unbound and dnsdist
    run.py flood      our own names while names outside are flooded and the upstream does its worst
    run.py soak       memory over 50 million queries and 2 million changes
    run.py hot-path   allocations, reference counting and locks per answer
    run.py peers      the floor, Knot DNS and NSD alone, without our server
    run.py before     our server against the one that --before names, an earlier release binary
    run.py smoke      everything with tiny numbers: fails when something is broken, not when it is slow

Exit codes: 0; 1 where a threshold is missed under --strict; 2 where something is broken.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import signal
import sys
import tempfile
import time

import backup_bench
import before_bench
import change_bench
import checks_bench
import defence_bench
import dns_bench
import events_bench
import flood_bench
import forward_bench
import hot_path
import observing_bench
import ours
import peers
import report
import rest_bench
import scrape_bench
import soak_bench
import storage_bench
import tls_bench
import tokens_bench
from processes import BENCH, LOAD_CORE, BenchmarkError

RESULTS = BENCH / "results.json"
EVERYTHING = (
    *("dns", "observing", "defence", "forward", "flood", "hot_path", "rest", "tls", "tokens"),
    *("scrape", "change", "events", "checks", "storage", "backup"),
)
PARTS = {
    "all": EVERYTHING,
    # Too long for all of it.
    "smoke": (*EVERYTHING, "soak"),
    "dns": ("dns",),
    "observing": ("observing",),
    "defence": ("defence",),
    "forward": ("forward",),
    "flood": ("flood",),
    "soak": ("soak",),
    "rest": ("rest",),
    "tls": ("tls",),
    "tokens": ("tokens",),
    "scrape": ("scrape",),
    "change": ("change",),
    "events": ("events",),
    "checks": ("checks",),
    "storage": ("storage",),
    "backup": ("backup",),
    "hot-path": ("hot_path",),
    "peers": ("dns",),
    "before": ("before",),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="rounds for each server and tool (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds a round (default 4)")
    parser.add_argument("--services", type=int, default=1000, help="services of 4 instances (default 1000)")
    parser.add_argument("--instances", type=int, default=1_000_000, help="instances loaded for publication")
    parser.add_argument("--binary", type=pathlib.Path, default=ours.BINARY, help="our server")
    parser.add_argument("--before", type=pathlib.Path, help="an earlier server of ours, for `run.py before`")
    parser.add_argument("--hot-path-program", type=pathlib.Path, default=hot_path.PROGRAM)
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a threshold is missed")
    arguments = parser.parse_args()
    arguments.batch_instances, arguments.requests, arguments.count = 200_000, 2000, 1_000_000
    arguments.queries, arguments.changes = 50_000_000, 2_000_000
    if arguments.what == "smoke":
        arguments.rounds, arguments.seconds, arguments.services = 1, 0.5, 50
        arguments.instances, arguments.batch_instances = 20_000, 10_000
        arguments.requests, arguments.count = 200, 10_000
        arguments.queries, arguments.changes = 50_000, 2_000
    if not 1 <= arguments.services <= 10_000:
        parser.error("--services must be from 1 to 10,000")
    if arguments.what == "before" and arguments.before is None:
        parser.error("which server was before? Name its binary with --before")
    return arguments


def say(text):
    print(text, flush=True)


def measure(arguments, directory):
    """Runs the parts that were asked for."""
    results = {"machine": {"cores": os.cpu_count(), "kernel": platform.release(), "architecture": platform.machine()}}
    parts = PARTS[arguments.what]
    common = (directory, arguments.binary, arguments.rounds, arguments.seconds)
    if "dns" in parts:
        results["dns"] = dns_bench.run(
            *common, arguments.services, with_ours=arguments.what != "peers", log=say
        )
    if "observing" in parts:
        results["observing"] = observing_bench.run(*common, arguments.services, log=say)
    if "defence" in parts:
        results["defence"] = defence_bench.run(
            *common, arguments.services, log=say, smoke=arguments.what == "smoke"
        )
    if "forward" in parts:
        names = 100_000 if arguments.what == "smoke" else forward_bench.NAMES
        results["forward"] = forward_bench.run(*common, names, log=say)
    if "flood" in parts:
        results["flood"] = flood_bench.run(*common, log=say)
    if "soak" in parts:
        results["soak"] = soak_bench.run(
            directory, arguments.binary, arguments.queries, arguments.changes, arguments.services, log=say
        )
    if "hot_path" in parts:
        results["hot_path"] = hot_path.run(arguments.count, arguments.hot_path_program, log=say)
    if "rest" in parts:
        results["rest"] = rest_bench.run(
            *common, arguments.services, arguments.batch_instances, arguments.instances, arguments.requests, log=say
        )
    if "tls" in parts:
        results["tls"] = tls_bench.run(*common, arguments.services, log=say)
    if "tokens" in parts:
        results["tokens"] = tokens_bench.run(*common, arguments.services, log=say)
    if "scrape" in parts:
        results["scrape"] = scrape_bench.run(*common, arguments.services, arguments.instances, log=say)
    if "change" in parts:
        results["change"] = change_bench.run(
            directory, arguments.binary, 10 * arguments.rounds, log=say, smoke=arguments.what == "smoke"
        )
    if "events" in parts:
        results["events"] = events_bench.run(
            directory, arguments.binary, arguments.seconds, log=say, smoke=arguments.what == "smoke"
        )
    if "checks" in parts:
        results["checks"] = checks_bench.run(
            directory, arguments.binary, arguments.seconds, log=say, smoke=arguments.what == "smoke"
        )
    if "before" in parts:
        binaries = {"before": arguments.before.resolve(), "now": arguments.binary.resolve()}
        results["before"] = before_bench.run(
            directory, binaries, arguments.rounds, arguments.seconds, arguments.services, forward_bench.NAMES, log=say
        )
    if "storage" in parts:
        results["storage"] = storage_bench.run(
            *common, arguments.services, arguments.batch_instances, arguments.instances, log=say
        )
    if "backup" in parts:
        results["backup"] = backup_bench.run(directory, arguments.binary, arguments.instances, log=say)
    return results


def run(arguments):
    if os.cpu_count() < 2:
        raise BenchmarkError("two cores are needed: one for the server, one for the load")
    peers.install()
    # This program's own work, such as making JSON, stays off the servers' core.
    os.sched_setaffinity(0, {LOAD_CORE})
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kong-discovery-bench-") as directory:
        results = measure(arguments, directory)
    found = report.figures(results)
    results["figures"] = found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if "dns" in results:
        say("\n" + report.dns_text(results["dns"]))
    if "observing" in results:
        say("\n" + observing_bench.text(results["observing"]))
    if "defence" in results:
        say("\n" + defence_bench.text(results["defence"]))
    if "forward" in results:
        say("\n" + forward_bench.text(results["forward"]))
    if "flood" in results:
        say("\n" + flood_bench.text(results["flood"]))
    if "soak" in results:
        say("\n" + soak_bench.text(results["soak"]))
    if "rest" in results:
        say("\n" + report.rest_text(results["rest"]))
    if "tls" in results:
        say("\n" + tls_bench.text(results["tls"]))
    if "tokens" in results:
        say("\n" + tokens_bench.text(results["tokens"]))
    if "scrape" in results:
        say("\n" + scrape_bench.text(results["scrape"]))
    if "change" in results:
        say("\n" + change_bench.text(results["change"]))
    if "events" in results:
        say("\n" + events_bench.text(results["events"]))
    if "checks" in results:
        say("\n" + checks_bench.text(results["checks"]))
    if "storage" in results:
        say("\n" + report.storage_text(results["storage"]))
    if "backup" in results:
        say("\n" + backup_bench.text(results["backup"]))
    if "before" in results:
        say("\n" + before_bench.text(results["before"]))
    missed = 0
    if arguments.what == "smoke":
        say(f"\nsmoke: everything works ({time.monotonic() - start:.0f} s); figures this small say nothing of speed")
    elif found:
        text, missed = report.check_thresholds(found)
        say("\n" + text)
    return 1 if missed and arguments.strict else 0


def main():
    # So that `finally` and `with` stop what was started also when make or a shell ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(KeyboardInterrupt):
        try:
            sys.exit(run(parse_arguments()))
        except BenchmarkError as error:
            print(f"bench: {error}", file=sys.stderr)
            sys.exit(2)
    sys.exit(130)


if __name__ == "__main__":
    main()
