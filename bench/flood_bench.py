"""How long our own names take while names outside are flooded and the upstream does its worst, or while one network asks
for a single name of ours, as those do who want the answers sent to a victim."""

import contextlib
import json
import os
import pathlib
import statistics
import time

import zone
from ours import batch_bodies, register_all, start_ours
from processes import LOAD_CORE, BenchmarkError, Process, compile_c, free_port, run_load, tasks
from report import table

# What the upstream does; `dead`: nobody listens at its port. See hostile_upstream.c.
KINDS = ("answering", "silent", "garbage", "lying", "large", "fragments", "dead")
# A flood of one own name, which the response rate limit meets.
REFLECTION = "reflection"
FLOOD_PER_SECOND = 5_000
REFLECTION_PER_SECOND = 50_000
REFLECTED_NAME = f"{zone.service_name(0)}.{zone.DOMAIN}"
REFLECTION_LIMIT = 200
# Another /24 than the prober's.
REFLECTION_SOURCE = "127.9.0.1"
PROBES_PER_SECOND = 2_500
PROBE_SECONDS = 1.6
# A flood goes on for so long before probes begin. Where it is not answered, that is longer than dns.upstream.timeout,
# so that it has reached what it comes to.
WARM_UP_SECONDS = 0.5
UNANSWERED_WARM_UP_SECONDS = 1.7
UNANSWERED = ("silent", "garbage")
SERVICES = 1_000
# A percentile of one in a hundred feels what an average does not: less may be disturbed than elsewhere.
DISTURBED_SHARE = 0.02
SATURATED_SHARE = 0.9
ATTEMPTS = 3
SETTLE_SECONDS = 0.1
SETTLED_SHARE = 0.02


def compile_probe():
    return compile_c("probe", libraries=["-lm"])


def put_first(process):
    """The server before whatever else runs on its core, where that is permitted: it is not what is measured."""
    with contextlib.suppress(PermissionError):
        for task in tasks(process.process_id):
            os.sched_setscheduler(task, os.SCHED_FIFO, os.sched_param(1))


def start_upstream(stack, directory, kind, port):
    """The scripted upstream, on the load's core."""
    if kind == "dead":
        return
    command = [compile_c("hostile_upstream"), "-p", port, "-k", kind]
    process = stack.enter_context(Process(command, directory, f"upstream-{kind}", LOAD_CORE))
    process.wait_until(lambda: process.log.read_text() == "ready\n")


def start_server(stack, directory, binary, upstream, limit=0):
    """A server with the registered names, one worker, that upstream, and a limit of equal responses (0: none)."""
    settings = {
        "KONG_DISCOVERY_DNS_UPSTREAM_SERVERS": f"127.0.0.1:{upstream}",
        "KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": str(limit),
    }
    server = start_ours(stack, directory, binary, settings)
    with server.client() as client:
        register_all(client, batch_bodies(zone.registrations(SERVICES * zone.INSTANCES_PER_SERVICE)))
    put_first(server.process)
    return server


def counters(server):
    """What the server has counted of names outside so far."""
    with server.client() as client:
        return json.loads(client.expect({200}, "GET", "/api/v1/status"))["forwarding"]


def probe(server, queries, seconds):
    """One run of bench/probe.c; its JSON, with the server's share of its core."""
    command = [compile_probe(), "-p", server.ports["A"], "-d", queries, "-l", seconds, "-r", PROBES_PER_SECOND]
    server.check_running()
    before, waited_before = server.cpu_nanoseconds(), server.waited_nanoseconds()
    start = time.monotonic()
    run = json.loads(run_load(command, seconds + 20))
    elapsed = time.monotonic() - start
    run["server_busy"] = (server.cpu_nanoseconds() - before) / 1e9 / elapsed
    run["disturbed"] = (server.waited_nanoseconds() - waited_before) / 1e9 / elapsed
    server.check_running()
    if run["wrong"]:
        raise BenchmarkError(f"{server.process.name}: wrong answers: {run}")
    return run


def settle(server, seconds=10):
    """Waits until the server is through with what the flood has left behind."""
    for _ in range(int(seconds / SETTLE_SECONDS)):
        before = server.cpu_nanoseconds()
        time.sleep(SETTLE_SECONDS)
        if (server.cpu_nanoseconds() - before) / 1e9 / SETTLE_SECONDS < SETTLED_SHARE:
            return
    raise BenchmarkError(f"{server.process.name} is busy {seconds} s after a flood")


def flooded(server, kind, queries, seconds, directory):
    """Like `probe`, while names outside are flooded; with the flood's own figures and the server's counters."""
    before = counters(server)
    command = [compile_probe(), "-f", "-p", server.ports["A"]]
    if kind == REFLECTION:
        command += ["-r", REFLECTION_PER_SECOND, "-n", REFLECTED_NAME, "-a", REFLECTION_SOURCE]
    else:
        command += ["-r", FLOOD_PER_SECOND]
    with Process(command, directory, "flood", LOAD_CORE) as flood:
        time.sleep(UNANSWERED_WARM_UP_SECONDS if kind in UNANSWERED else WARM_UP_SECONDS)
        run = probe(server, queries, seconds)
        flood.check_running()
    run["flood"] = json.loads(flood.log.read_text())
    if kind == REFLECTION and run["flood"]["answered"] > 0.6 * run["flood"]["queries"]:
        raise BenchmarkError(f"{server.process.name}: its responses are not limited: {run}")
    settle(server)
    after = counters(server)
    run["counters"] = {key: after[key] - before[key] for key in after if key != "in_flight"}
    return run


def undisturbed(measure):
    """A run in which the server had its core; the least disturbed one of a few where it never had. One that has taken
    all of it counts as it is: the kernel leaves others 5 % of what comes before everything else."""
    runs = []
    while len(runs) < ATTEMPTS and (not runs or runs[-1]["disturbed"] > DISTURBED_SHARE):
        runs.append(measure())
        if runs[-1]["server_busy"] > SATURATED_SHARE:
            break
    return min(runs, key=lambda run: run["disturbed"]) | {"repeated": len(runs) - 1}


def median_of_runs(runs):
    """The median of each figure; lost probes and repeated runs are added up, nested figures are the last run's."""
    result = {key: runs[-1][key] for key in ("flood", "counters") if key in runs[-1]}
    for key in runs[0]:
        if key not in result:
            result[key] = statistics.median(run[key] for run in runs)
    result["lost"] = sum(run["lost"] for run in runs)
    result["repeated"] = sum(run["repeated"] for run in runs)
    result["disturbed"] = max(run["disturbed"] for run in runs)
    result["each_p99_microseconds"] = [run["p99_microseconds"] for run in runs]
    return result


def run(directory, binary, rounds, seconds, log=print):
    """All figures: medians by kind, and those of an idle server."""
    directory = pathlib.Path(directory) / "flood"
    directory.mkdir()
    seconds = min(seconds, PROBE_SECONDS)
    queries = directory / "queries"
    queries.write_text(zone.query_file(SERVICES, "A"))
    kinds = [kind for kind in (*KINDS, REFLECTION) if kind != "fragments" or os.geteuid() == 0]
    if "fragments" not in kinds:
        log("fragments: left out, only root may make them")
    runs = {kind: [] for kind in ["idle", *kinds]}
    with contextlib.ExitStack() as stack:
        upstreams = {kind: free_port() for kind in kinds}
        for kind, port in upstreams.items():
            if kind != REFLECTION:
                start_upstream(stack, directory, kind, port)
        # One each, so that what a flood leaves behind is nobody else's.
        servers = {
            kind: start_server(stack, directory, binary, port, REFLECTION_LIMIT if kind == REFLECTION else 0)
            for kind, port in upstreams.items()
        }
        servers["idle"] = start_server(stack, directory, binary, upstreams[kinds[0]])
        for server in servers.values():
            if probe(server, queries, min(seconds, 0.5))["answers"] == 0:
                raise BenchmarkError(f"{server.process.name} answers nothing")
        for number in range(rounds):
            # Idle comes twice, so that a slow minute meets it as often; the kinds begin with another one each round.
            shift = number % len(kinds)
            order = kinds[shift:] + kinds[:shift]
            for kind in ["idle", *order[: len(order) // 2], "idle", *order[len(order) // 2 :]]:
                if kind == "idle":
                    runs[kind].append(undisturbed(lambda: probe(servers["idle"], queries, seconds)))
                else:
                    runs[kind].append(undisturbed(lambda: flooded(servers[kind], kind, queries, seconds, directory)))
            last = ", ".join(f"{kind} {each[-1]['p99_microseconds']:.0f}" for kind, each in runs.items())
            log(f"round {number + 1}, p99 us: {last}")
    figures = {kind: median_of_runs(each) for kind, each in runs.items()}
    return {"figures": figures}


def ratios(results):
    """p99 of each kind by that of an idle server: 1 is no harm, 2 is what is allowed."""
    figures = results["figures"]
    idle = figures["idle"]["p99_microseconds"]
    return {kind: median["p99_microseconds"] / idle for kind, median in figures.items() if kind != "idle"}


def text(results):
    """The figures as a table."""
    rows = [["our own names while others are flooded", "p50 us", "p99 us", "p99.9 us", "p99/idle", "lost", "busy"]]
    rows[0] += ["flood/s", "upstream queries/s", "wrong/s", "SERVFAIL"]
    found = ratios(results)
    for kind, median in results["figures"].items():
        row = [
            kind,
            f"{median['p50_microseconds']:.1f}",
            f"{median['p99_microseconds']:.1f}",
            f"{median['p999_microseconds']:.1f}",
            f"{found.get(kind, 1):.2f}",
            f"{median['lost']:.0f}",
            f"{median['server_busy']:.0%}",
        ]
        if "flood" in median:
            flood, counted = median["flood"], median["counters"]
            seconds = flood["queries"] / flood["queries_per_second"]
            row += [
                f"{flood['queries_per_second']:,.0f}",
                f"{counted['udp_queries'] / seconds:,.0f}",
                f"{counted['wrong_answers'] / seconds:,.0f}",
                f"{flood['failed'] / flood['queries']:.0%}",
            ]
        rows.append(row + [""] * (len(rows[0]) - len(row)))
    parts = [table(rows, "")]
    repeated = sum(median["repeated"] for median in results["figures"].values())
    if repeated:
        parts.append(f"  {repeated:.0f} disturbed runs were made again")
    disturbed = {k: m["disturbed"] for k, m in results["figures"].items() if m["disturbed"] > DISTURBED_SHARE}
    if disturbed:
        shares = ", ".join(f"{kind} {share:.1%}" for kind, share in disturbed.items())
        parts.append(f"  WARNING: still disturbed; something else had the server's core for part of a run: {shares}")
    return "\n".join(parts)
