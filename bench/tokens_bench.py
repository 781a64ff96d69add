"""What tokens cost the REST API: two servers, one with tokens and one without, in turns."""

import contextlib
import hashlib
import json
import pathlib
import secrets
import statistics

import rest_bench
import zone
from ours import batch_bodies, register_all, start_ours
from report import table

NAMES = ("without", "with")
# Each of them is compared with what a request presents.
TOKENS = 100


def tokens_file(path):
    """Writes a tokens file and returns one of its tokens, which may change all services that are measured."""
    token = secrets.token_urlsafe(32)
    lines = [
        f"- {{name: t{number}, sha256: {hashlib.sha256(text.encode()).hexdigest()}, role: write, "
        "services: ['svc*', 'reg*', other]}\n"
        for number, text in enumerate([secrets.token_urlsafe(32) for _ in range(TOKENS - 1)] + [token])
    ]
    path.write_text("".join(lines))
    path.chmod(0o600)
    return token


def run(directory, binary, rounds, seconds, services, log=print):
    """Registrations and heartbeats over 64 connections: the medians of both, and of the ratios round by round."""
    directory = pathlib.Path(directory) / "tokens"
    directory.mkdir()
    seconds = max(1, round(seconds))  # wrk takes whole seconds
    instances = services * zone.INSTANCES_PER_SERVICE
    results = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for name in NAMES:
            (directory / name).mkdir()
            token = tokens_file(directory / "tokens.yaml") if name == "with" else None
            settings = {"KONG_DISCOVERY_SERVER_TOKENS_FILE": str(directory / "tokens.yaml")} if token else None
            servers[name] = start_ours(stack, directory / name, binary, settings)
            servers[name].token = token
        first = dict.fromkeys(NAMES, 0)

        def register(name):
            result = rest_bench.wrk(servers[name], "register.lua", seconds, first[name])
            first[name] += 2 * result["requests"]
            return result

        def heartbeat(name):
            return rest_bench.wrk(servers[name], "heartbeat.lua", seconds, instances)

        for figure, once in (("registrations", register), ("heartbeats", heartbeat)):
            if figure == "heartbeats":
                for server in servers.values():
                    with server.client() as client:
                        register_all(client, batch_bodies(zone.registrations(instances, ttl_seconds=3600)))
            runs = {name: [] for name in NAMES}
            for number in range(rounds):
                for name in NAMES if number % 2 == 0 else reversed(NAMES):
                    runs[name].append(once(name))
            results[figure] = {name: rest_bench.medians(runs[name]) for name in NAMES}
            results[figure]["ratio"] = statistics.median(
                locked["requests_per_second"] / open_["requests_per_second"]
                for locked, open_ in zip(runs["with"], runs["without"])
            )
            log(f"tokens {figure}: {json.dumps(results[figure])}")
    return results


def text(results):
    """The figures as a table."""
    rows = [["REST with 100 tokens", "without/s", "with/s", "ratio", "CPU us without", "CPU us with"]]
    for figure, part in results.items():
        rows.append(
            [
                figure,
                *(f"{part[name]['requests_per_second']:,.0f}" for name in NAMES),
                f"{part['ratio']:.3f}",
                *(f"{part[name]['server_cpu_microseconds_per_request']:.1f}" for name in NAMES),
            ]
        )
    return table(rows, "")
