"""The REST API over TLS against the same without: registrations and heartbeats over kept connections, in turns."""

import contextlib
import json
import pathlib
import statistics
import subprocess

import rest_bench
import zone
from before_bench import in_turns
from ours import batch_bodies, register_all, start_ours
from report import table

# What the server's key is: the kind that is cheapest in a handshake, of which there is one for each connection.
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def make_certificate(directory):
    """A certificate for 127.0.0.1 that nobody else has signed, and its key."""
    certificate, key = directory / "server.pem", directory / "server.key"
    names = ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *KEY, "-days", "30", *names, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def ratios(runs):
    """The medians of both, and of the ratios round by round: 1 if TLS costs nothing."""
    figures = {}
    for key in ("requests_per_second", "server_cpu_microseconds_per_request", "p99_microseconds"):
        pairs = [(plain[key], tls[key]) for plain, tls in zip(runs["plain"], runs["tls"])]
        figures[key] = {
            "plain": statistics.median(plain for plain, _ in pairs),
            "tls": statistics.median(tls for _, tls in pairs),
            "tls/plain": statistics.median(tls / plain for plain, tls in pairs),
        }
    return figures


def run(directory, binary, rounds, seconds, services, log=print):
    """Both figures."""
    directory = pathlib.Path(directory) / "tls"
    directory.mkdir()
    certificate = make_certificate(directory)
    instances = services * zone.INSTANCES_PER_SERVICE
    seconds = max(1, round(seconds))  # wrk takes whole seconds
    results = {}
    with contextlib.ExitStack() as stack:
        servers = {
            "plain": start_ours(stack, directory, binary),
            "tls": start_ours(stack, directory, binary, certificate=certificate),
        }
        first = dict.fromkeys(servers, 0)

        def register(name, server, _):
            result = rest_bench.wrk(server, "register.lua", seconds, first[name])
            first[name] += 2 * result["requests"]
            return result

        def beat(_, server, __):
            return rest_bench.wrk(server, "heartbeat.lua", seconds, instances)

        results["registrations"] = ratios(in_turns(servers, rounds, register))
        log(f"tls registrations: {json.dumps(results['registrations'])}")
        for server in servers.values():
            with server.client() as client:
                register_all(client, batch_bodies(zone.registrations(instances, ttl_seconds=3600)))
        results["heartbeats"] = ratios(in_turns(servers, rounds, beat))
        log(f"tls heartbeats: {json.dumps(results['heartbeats'])}")
    return results


def text(results):
    """The table."""
    rows = [["REST over TLS", "plain", "TLS", "TLS/plain"]]
    for name, figures in results.items():
        for key, values in figures.items():
            words = f"{name}, {key.replace('_', ' ')}"
            rows.append([words, f"{values['plain']:.1f}", f"{values['tls']:.1f}", f"{values['tls/plain']:.2f}"])
    return table(rows, "")
