"""Backup and restore of many instances: whether what is restored is what was backed up, line by line, and what it takes.

The server is on one core, the command and this program on the other."""

import contextlib
import itertools
import json
import pathlib
import time

import zone
from ours import batch_bodies, register_all_at_once, start_ours
from processes import BenchmarkError, run_load
from report import table
from storage_bench import sqlite_settings

TIMEOUT_SECONDS = 1800


def peak_mebibytes(process_id):
    """The most memory that a process has held so far."""
    for line in pathlib.Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def varied(instances):
    """Registrations of many kinds: with tags, metadata, a check, a ttl, over IPv6."""
    for number, registration in enumerate(zone.registrations(instances)):
        if number % 4 == 1:
            registration |= {"tags": ["blue", f"v{number % 7}"], "metadata": {"zone": "eu \"1\"", "n": str(number)}}
        elif number % 4 == 2:
            registration |= {"ttl": 3600, "weight": number % 300, "priority": number % 3, "dns_ttl": 7}
        elif number % 400 == 3:
            registration |= {"checks": [{"name": "alive", "type": "ttl", "ttl": "24h"}]}
        elif number % 4 == 3:
            registration |= {"ip": f"2001:db8::{number >> 16:x}:{number & 65535:x}", "protocol": "udp"}
        yield registration


def timed(command):
    """The seconds that a command takes."""
    start = time.monotonic()
    run_load(command, TIMEOUT_SECONDS)
    return time.monotonic() - start


def compare(one, other):
    """Compares the lines of two backups: all but those with a time and the check sum must be the same."""
    count = 0
    with open(one, "rb") as first, open(other, "rb") as second:
        for line, pair in enumerate(itertools.zip_longest(first, second), 1):
            if pair[0] == pair[1]:
                count += 1
            elif None in pair or line > 1 and not all(each.startswith(b'{"end":') for each in pair):
                raise BenchmarkError(f"line {line} is another one after a restore: {pair}")
    return count


def drain_some(server):
    """Not all is as it was registered."""
    with server.client() as client:
        for number in range(5):
            body = json.dumps({"name": zone.service_name(number)}).encode()
            client.expect({200}, "POST", "/api/v1/services/drain", body)
            body = json.dumps({"strategy": "random", "dns_ttl": number + 1}).encode()
            client.expect({200}, "PUT", f"/api/v1/names/{zone.service_name(number)}/policy", body)


def run(directory, binary, instances, log=print):
    """Fills a server, backs it up, restores that into a fresh server of each storage, and backs up again."""
    directory = pathlib.Path(directory) / "backup"
    directory.mkdir()
    source = directory / "source.backup"
    result = {"instances": instances}
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary)
        register_all_at_once(server, batch_bodies_of(instances))
        drain_some(server)
        filled = peak_mebibytes(server.process.process_id)
        seconds = timed([binary, "backup", source, "--server", server.url])
        result["backup"] = {
            "seconds": seconds,
            "octets": source.stat().st_size,
            "registered_peak_mebibytes": filled,
            "peak_mebibytes": peak_mebibytes(server.process.process_id),
        }
    for kind, settings in (("memory", {}), ("sqlite", sqlite_settings(directory / "restored.db"))):
        with contextlib.ExitStack() as stack:
            server = start_ours(stack, directory, binary, settings)
            again = directory / f"{kind}.backup"
            restored = timed([binary, "restore", source, "--server", server.url])
            peak = peak_mebibytes(server.process.process_id)
            seconds = timed([binary, "backup", again, "--server", server.url])
            lines = compare(source, again)
            result[kind] = {"seconds": restored, "peak_mebibytes": peak, "again_seconds": seconds, "equal_lines": lines}
            again.unlink()
        log(f"backup {kind}: {json.dumps(result[kind])}")
    return result


def batch_bodies_of(instances):
    """The bodies that register all of them."""
    return list(batch_bodies(varied(instances)))


def text(result):
    """The figures as a table."""
    backup = result["backup"]
    rows = [["backup and restore", "s", "instances/s", "peak MiB", "equal lines"]]
    count = result["instances"]
    rows.append(
        [
            f"backup, {count:,} instances, {backup['octets'] / 1e6:,.0f} MB",
            f"{backup['seconds']:.1f}",
            f"{count / backup['seconds']:,.0f}",
            f"{backup['peak_mebibytes']:,.0f} ({backup['registered_peak_mebibytes']:,.0f} before)",
            "",
        ]
    )
    for kind in ("memory", "sqlite"):
        part = result[kind]
        rows.append(
            [
                f"restore into {kind}",
                f"{part['seconds']:.1f}",
                f"{count / part['seconds']:,.0f}",
                f"{part['peak_mebibytes']:,.0f}",
                f"{part['equal_lines']:,}",
            ]
        )
    return table(rows, "")
