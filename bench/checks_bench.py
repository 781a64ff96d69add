"""Health checks: what 20,000 HTTP checks every 10 s take of a core, what they do to the latency of DNS, and how soon an
instance that has died is out of DNS."""

import asyncio
import contextlib
import json
import pathlib
import threading
import time

import zone
from flood_bench import probe
from ours import batch_bodies, register_all, start_ours
from processes import BenchmarkError

CHECKS = 20_000
INTERVAL_SECONDS = 10
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
TICKS_PER_SECOND = 100
# Others, without checks, whose names are asked.
SERVICES = 1_000


class Target(asyncio.Protocol):
    """Answers each request that is healthy."""

    dead = set()
    requests = 0

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")[0]

    def data_received(self, data):
        if not data.endswith(b"\r\n\r\n") or self.address in Target.dead:
            return
        Target.requests += 1
        self.transport.write(RESPONSE)
        self.transport.close()


@contextlib.contextmanager
def targets():
    """A server at every address of 127.0.0.0/8. Yields its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Target, "0.0.0.0", 0, backlog=4096))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()


def address(number):
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


def registration(number, port, name=None, interval=f"{INTERVAL_SECONDS}s", timeout="2s"):
    check = {"name": "web", "type": "http", "path": "/health", "interval": interval, "timeout": timeout}
    return {
        "id": f"c{number}",
        "name": name or f"checked-{number // 20}",
        "ip": address(number),
        "port": port,
        "ttl": 0,
        "checks": [check | ({"fall": 2, "rise": 1} if name else {})],
    }


def thread_seconds(pid, name):
    """CPU seconds of the threads with a name."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().strip() == name:
                fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_SECOND


def put_before_others(process):
    """The server before what other sessions run on its core, where that is permitted; its threads stay equal to each
    other (sched(7), autogroup)."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{process.process_id}/autogroup").write_text("-20")


def latencies(server, queries, seconds):
    """Microseconds from the query's arrival to the answer's, of single queries, by the kernel's clock."""
    run = probe(server, queries, seconds)
    return {key: run[key] for key in ("p50_microseconds", "p99_microseconds", "lost", "disturbed")}


def departure(server, port, turns):
    """Milliseconds by which an instance that answers no more leaves DNS after interval × fall + timeout have passed
    since it could first be noticed."""
    interval, timeout, fall, late = 1.0, 0.2, 2, []
    with server.client() as client:
        for number in range(3):
            body = json.dumps(registration(900_000 + number, port, "dying", "1s", "200ms")).encode()
            client.expect({201}, "POST", "/api/v1/services", body)
        time.sleep(2.5)
        victim = address(900_000)
        for _ in range(turns):
            Target.dead.add(victim)
            begun = time.monotonic()
            while b'"critical"' not in client.expect({200}, "GET", "/api/v1/services/c900000"):
                time.sleep(0.002)
                if time.monotonic() - begun > 20:
                    raise BenchmarkError("an instance that has died stays")
            late.append((time.monotonic() - begun - interval * fall - timeout) * 1000)
            Target.dead.discard(victim)
            while b'"critical"' in client.expect({200}, "GET", "/api/v1/services/c900000"):
                time.sleep(0.01)
    return {"worst_milliseconds_late": max(late), "turns": turns}


def run(directory, binary, seconds, log=print, smoke=False):
    """All figures, one after the other."""
    directory = pathlib.Path(directory) / "checks"
    directory.mkdir()
    count = 500 if smoke else CHECKS
    measured = seconds if smoke else INTERVAL_SECONDS
    results = {"checks": count}
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(targets())
        server = start_ours(stack, directory, binary, {"KONG_DISCOVERY_DNS_EMPTY_GRACE": "0s"})
        put_before_others(server.process)
        queries = directory / "queries"
        queries.write_text(zone.query_file(SERVICES, "A"))
        results["departure"] = departure(server, port, 1 if smoke else 5)
        with server.client() as client:
            plain = [registration(number, port) | {"checks": []} for number in range(count)]
            register_all(client, batch_bodies(plain))
            register_all(client, batch_bodies(zone.registrations(SERVICES * zone.INSTANCES_PER_SERVICE)))
            results["idle"] = latencies(server, queries, measured)
            register_all(client, batch_bodies(registration(number, port) for number in range(count)))
            if not smoke:
                time.sleep(INTERVAL_SECONDS + 1)
            pid, requests = server.process.popen.pid, Target.requests
            before, start = thread_seconds(pid, "checks"), time.monotonic()
            results["checking"] = latencies(server, queries, measured)
            taken = time.monotonic() - start
            results["core_share"] = (thread_seconds(pid, "checks") - before) / taken
            results["checks_per_second"] = (Target.requests - requests) / taken
            critical = json.loads(client.expect({200}, "GET", "/api/v1/status"))["instances"]["critical"]
            if critical:
                raise BenchmarkError(f"{critical} instances are critical though all answer")
    log(f"checks: {json.dumps(results)}")
    return results


def text(results):
    """The figures in words."""
    idle, checking = results["idle"], results["checking"]
    return "\n".join(
        [
            "Health checks",
            f"  {results['checks']:,} HTTP checks: {results['checks_per_second']:,.0f}/s take "
            f"{results['core_share'] * 100:.0f} % of a core",
            f"  DNS p50 {checking['p50_microseconds']:.0f} us, p99 {checking['p99_microseconds']:.0f} us; "
            f"without checks {idle['p50_microseconds']:.0f} and {idle['p99_microseconds']:.0f} us",
            f"  an instance that has died leaves DNS at most "
            f"{results['departure']['worst_milliseconds_late']:.0f} ms after interval x fall and timeout",
        ]
    )
