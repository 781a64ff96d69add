"""Allocations, reference counting and locks per answer, counted while a program answers queries in-process.

The program is built with the project and runs under bench/alloc_count.c. It takes the number of queries as its
argument, finds `bench_counters` by dlsym, reads the counters before and after that many calls of the function from
packet to answer (after a warm-up, all on one thread), and prints one JSON line: {"scenarios": {"A": {"answers": n,
"nanoseconds": n, "counters": {the fields of struct bench_counters, as differences}}, "SRV": …}}."""

import json
import subprocess

from processes import BENCH, BenchmarkError, compile_c, on_core, SERVER_CORE

PROGRAM = BENCH.parent / ".build-count" / "release" / "answer-count"
ALLOCATIONS = ("malloc_calls", "calloc_calls", "realloc_calls", "aligned_calls")
LDNS_ALLOCATIONS = ("ldns_malloc_calls", "ldns_calloc_calls", "ldns_realloc_calls")
REFERENCE_COUNTS = (
    "swift_retain_calls",
    "swift_retain_n_calls",
    "swift_release_calls",
    "swift_release_n_calls",
    "swift_allocate_calls",
)


def _run_counted(command):
    library = compile_c("alloc_count", shared=True, libraries=["-ldl"])
    command = on_core(SERVER_CORE, ["env", f"LD_PRELOAD={library}", *command])
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} failed ({result.returncode}):\n{result.stdout}{result.stderr}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def ldns_question(count):
    """What ldns's parse of a question costs by itself; raises where the counting can't be trusted."""
    figures = _run_counted([compile_c("ldns_question", libraries=["-lldns"]), count])
    # The program makes one allocation of its own for each question.
    if figures["other_allocations"] != 1 or figures["other_frees"] != 1 or figures["ldns_allocations"] < 1:
        raise BenchmarkError(f"alloc_count.so does not tell ldns's allocations from others: {figures}")
    return figures


def per_answer(scenario):
    """The counters of one scenario, for each answer."""
    counters, answers = scenario["counters"], scenario["answers"]
    if answers <= 0 or not counters["swift_is_counted"]:
        raise BenchmarkError(f"nothing was answered, or the Swift runtime's calls were not counted: {scenario}")

    def total(names):
        return sum(counters[name] for name in names) / answers

    return {
        "nanoseconds": scenario["nanoseconds"] / answers,
        "allocations": total(ALLOCATIONS),
        "frees": counters["free_calls"] / answers,
        "ldns_allocations": total(LDNS_ALLOCATIONS),
        "ldns_frees": counters["ldns_free_calls"] / answers,
        "reference_counts": total(REFERENCE_COUNTS),
        "locks": counters["mutex_lock_calls"] / answers,
    }


def run(count, program=PROGRAM, log=print):
    """All figures; the worst scenario's under `worst`."""
    results = {"ldns_question": ldns_question(count)}
    log(f"ldns's parse of one question: {json.dumps(results['ldns_question'])}")
    if not program.exists():
        raise BenchmarkError(f"{program} is not there: build it with `make build`")
    scenarios = _run_counted([program, str(count)])["scenarios"]
    results["scenarios"] = {name: per_answer(scenario) for name, scenario in scenarios.items()}
    for name, figures in results["scenarios"].items():
        log(f"hot path {name}, per answer: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    names = next(iter(results["scenarios"].values()))
    results["worst"] = {name: max(each[name] for each in results["scenarios"].values()) for name in names}
    return results
