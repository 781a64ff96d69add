"""Instructions per answer of servers of ours that differ in their settings, counted by valgrind: of the worker, and of
all threads. Timed turns can't tell a hundredth: two processes of one program differ by more.

The kernel takes most of the hot path's time, so a difference in instructions is a smaller one there, by the share of it
that is the worker's own. That is measured too."""

import contextlib
import json
import pathlib
import re
import subprocess

import dns_bench
import turns
import zone
from processes import CACHE, BenchmarkError, tasks

# The name of its thread.
WORKER = "dns-0"


def stripped(binary):
    """A copy without debug symbols, some of which Debian 12's valgrind does not understand."""
    CACHE.mkdir(exist_ok=True)
    copy = CACHE / "kong-discovery-stripped"
    subprocess.run(["strip", "--strip-debug", "-o", copy, binary], check=True)
    return copy


def run(directory, name, binary, settings, seconds, services, log, configurations={}):
    """The instructions of each kind, and what the hot path takes by them; that of the first one is 1."""
    directory = pathlib.Path(directory) / f"{name}-instructions"
    directory.mkdir()
    queries = directory / "queries"
    queries.write_text(zone.query_file(services, "A"))
    binary = stripped(binary)
    results = {}
    for kind in settings:
        part = directory / kind
        part.mkdir()
        results[kind] = _count(part, binary, kind, settings, configurations, services, queries, seconds)
    share = _own_share(directory, binary, settings, configurations, services, queries, seconds)
    first = next(iter(results.values()))
    for part in list(results.values())[1:]:
        part["hot_path_ratio"] = 1 + (part["worker"] / first["worker"] - 1) * share
    results = {"worker_own_share": share, "kinds": results}
    log(f"{name}, instructions: {json.dumps(results)}")
    return results


def _own_share(directory, binary, settings, configurations, services, queries, seconds):
    """The share of the worker's time in which it is not in the kernel."""
    kind = next(iter(settings))
    directory = directory / "untold"
    directory.mkdir()
    with contextlib.ExitStack() as stack:
        server = turns.start(stack, directory, binary, {kind: settings[kind]}, configurations, services)[kind]
        process_id = server.process.process_id
        (worker,) = [task for task, name in tasks(process_id).items() if name == WORKER]
        before = _ticks(process_id, worker)
        dns_bench.closed_loop(server.ports["A"], queries, seconds)
        user, system = [now - then for now, then in zip(_ticks(process_id, worker), before)]
    return user / (user + system)


def _ticks(process_id, task_id):
    """The time that a thread has been on a CPU so far, in its own code and in the kernel."""
    fields = pathlib.Path(f"/proc/{process_id}/task/{task_id}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]), int(fields[12])


def _count(directory, binary, kind, settings, configurations, services, queries, seconds):
    """The instructions of an answer, in the worker, which has by far the most, and in all threads."""
    counts = directory / "callgrind"
    under = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={counts}"]
    with contextlib.ExitStack() as stack:
        server = turns.start(stack, directory, binary, {kind: settings[kind]}, configurations, services, under)[kind]
        dns_bench.closed_loop(server.ports["A"], queries, 1)
        subprocess.run(["callgrind_control", "--zero", str(server.process.process_id)], check=True, capture_output=True)
        answers = dns_bench.closed_loop(server.ports["A"], queries, seconds)["answers"]
    # One file for each thread.
    found = [
        int(match[1])
        for path in directory.glob("callgrind*")
        if (match := re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.MULTILINE))
    ]
    if not found:
        raise BenchmarkError(f"valgrind has counted nothing: see {server.process.log}")
    return {"worker": max(found) / answers, "all_threads": sum(found) / answers, "answers": answers}


def text(results):
    """The figures in words."""
    lines = [f"Instructions; {results['worker_own_share']:.0%} of the worker's time is its own, the rest the kernel's"]
    for kind, part in results["kinds"].items():
        ratio = f", {part['hot_path_ratio']:.4f} of the hot path" if "hot_path_ratio" in part else ""
        all_threads = f"{part['all_threads']:,.1f} in all threads"
        lines.append(f"  {kind}: {part['worker']:,.1f} an answer in the worker{ratio}; {all_threads}")
    return "\n".join(lines)
