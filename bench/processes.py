"""Starting, pinning, measuring and stopping processes. Every process started here is stopped by its id."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

BENCH = pathlib.Path(__file__).resolve().parent
CACHE = BENCH / ".cache"
SERVER_CORE = 0
LOAD_CORE = 1
BOTH_CORES = f"{SERVER_CORE},{LOAD_CORE}"


class BenchmarkError(Exception):
    """Something that makes the figures wrong or impossible: the run stops with exit code 2."""


def compile_c(name, shared=False, libraries=()):
    """Compiles bench/NAME.c where it is newer than what was made of it, and returns the result's path."""
    source = BENCH / f"{name}.c"
    target = CACHE / (f"{name}.so" if shared else name)
    newest = max(path.stat().st_mtime for path in [source, *BENCH.glob("*.h")])
    if target.exists() and target.stat().st_mtime > newest:
        return target
    CACHE.mkdir(exist_ok=True)
    # -fno-builtin: a compiler that knows malloc may turn our malloc and memset into a call of our own calloc.
    how = ["-shared", "-fPIC", "-fno-builtin"] if shared else []
    command = ["cc", "-O2", "-Wall", "-Wextra", *how, "-o", str(target), str(source), *libraries]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)}:\n{result.stderr}")
    return target


def free_port():
    """A port of 127.0.0.1 that is free for both UDP and TCP now."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind(("127.0.0.1", 0))
            port = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                try:
                    datagram.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
    raise BenchmarkError("no port of 127.0.0.1 is free for both UDP and TCP")


def on_core(core, command):
    """The command, run on this core only, or on those of a list."""
    return ["taskset", "-c", str(core), *[str(part) for part in command]]


def run_load(command, timeout_seconds, environment=None):
    """Runs a load generator on its core and returns what it printed."""
    result = subprocess.run(
        on_core(LOAD_CORE, command),
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        env={**os.environ, **(environment or {})},
    )
    if result.returncode != 0:
        raise BenchmarkError(f"{command[0]} failed ({result.returncode}):\n{result.stdout}{result.stderr}")
    return result.stdout


def schedstat(process_id, task_id):
    """The nanoseconds that a thread has been on a CPU so far, and those that it waited for one."""
    with open(f"/proc/{process_id}/task/{task_id}/schedstat") as file:
        running, waiting, _ = file.read().split()
        return int(running), int(waiting)


def task_cpu_nanoseconds(process_id, task_id):
    """The time that a thread has been on a CPU so far."""
    return schedstat(process_id, task_id)[0]


def tasks(process_id):
    """The threads of a process: their ids and names."""
    names = {}
    for task in os.listdir(f"/proc/{process_id}/task"):
        try:
            names[int(task)] = pathlib.Path(f"/proc/{process_id}/task/{task}/comm").read_text().strip()
        except OSError:  # ended in between
            continue
    return names


def resident_mebibytes(process_id):
    """The memory that a process holds."""
    for line in pathlib.Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def move_to_core(task_id, core):
    """Pins a running thread."""
    os.sched_setaffinity(task_id, {core})


class Process:
    """A server process with its children, pinned to a core, with its output in a file."""

    def __init__(self, command, directory, name, core=SERVER_CORE, environment=None):
        self.name = name
        self.log = pathlib.Path(directory) / f"{name}.log"
        if shutil.which(str(command[0])) is None:
            raise BenchmarkError(f"{name}: {command[0]} is not there")
        with open(self.log, "wb") as output:
            self.popen = subprocess.Popen(
                on_core(core, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.process_id = self.popen.pid

    def process_ids(self):
        """The process and all its descendants."""
        found = [self.process_id]
        for process_id in found:
            for task in tasks(process_id):
                try:
                    children = pathlib.Path(f"/proc/{process_id}/task/{task}/children").read_text()
                except OSError:
                    continue
                found.extend(int(child) for child in children.split())
        return found

    def cpu_nanoseconds(self):
        """The CPU time of all threads of the process and its descendants so far."""
        return self._schedstat_total(0)

    def waited_nanoseconds(self):
        """The time that its threads were ready to run so far, but something else had the core."""
        return self._schedstat_total(1)

    def _schedstat_total(self, field):
        total = 0
        for process_id in self.process_ids():
            for task in tasks(process_id):
                try:
                    total += schedstat(process_id, task)[field]
                except OSError:
                    continue
        return total

    def check_running(self):
        """Raises with the end of the log where the process has ended."""
        if self.popen.poll() is not None:
            log = self.log.read_text(errors="replace")[-2000:]
            raise BenchmarkError(f"{self.name} ended with exit code {self.popen.returncode}:\n{log}")

    def wait_until(self, ready, timeout_seconds=20):
        """Waits until `ready()` is true; raises where the process ends before, or time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            self.check_running()
            if time.monotonic() > deadline:
                log = self.log.read_text(errors="replace")[-2000:]
                raise BenchmarkError(f"{self.name} was not ready after {timeout_seconds} s:\n{log}")
            time.sleep(0.02)

    def stop(self):
        """SIGTERM to the process; SIGKILL to what is left of it and its children after 10 s."""
        try:
            children = self.process_ids()[1:] if self.popen.poll() is None else []
        except OSError:
            children = []
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for child in children:
            deadline = time.monotonic() + 2
            while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:
                time.sleep(0.02)
            try:
                # Only where the id is still of our session: it may be another's by now.
                if os.getsid(child) == self.process_id:
                    os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
