"""Our own server as one of the peers, and a small client of its REST API."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import ssl
import threading
import time

import zone
from peers import Peer
from processes import BENCH, SERVER_CORE, BenchmarkError, Process, free_port

BINARY = BENCH.parent / ".build" / "release" / "kong-discovery"
BATCH_ITEMS = 10_000


class Ours(Peer):
    """kong-discovery with one DNS worker and an empty registry in memory."""

    def __init__(self, process, dns_port, http_port, tls=None):
        super().__init__("ours", [process], {"A": dns_port, "SRV": dns_port})
        self.process = process
        self.http_port = http_port
        # The bearer token of all requests; None: the server has none.
        self.token = None
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{http_port}"

    def client(self):
        """A client with a connection of its own; a context manager."""
        return contextlib.closing(Client(self.http_port, token=self.token, tls=self.tls))


def start_ours(
    stack, directory, binary=BINARY, settings=None, certificate=None, configuration=None, under=(), core=SERVER_CORE
):
    """Starts the server on free ports and waits until it is ready. `settings`: more variables of its environment;
    `certificate`: the paths of a certificate and its key, with which REST speaks TLS; `configuration`: a file's text;
    `under`: the command that runs it."""
    if not binary.exists():
        raise BenchmarkError(f"{binary} is not there: build it with `make build`")
    dns_port, http_port = free_port(), free_port()
    environment = {
        "KONG_DISCOVERY_SERVER_LISTEN": f"127.0.0.1:{http_port}",
        "KONG_DISCOVERY_DNS_LISTEN": f"127.0.0.1:{dns_port}",
        "KONG_DISCOVERY_DNS_WORKERS": "1",
        "KONG_DISCOVERY_DNS_DOMAIN": zone.DOMAIN,
        "KONG_DISCOVERY_DNS_TTL": f"{zone.TTL_SECONDS}s",
        "KONG_DISCOVERY_STORAGE_TYPE": "memory",
        "KONG_DISCOVERY_LOG_LEVEL": "warning",
        **(settings or {}),
    }
    tls = None
    if certificate:
        environment["KONG_DISCOVERY_SERVER_TLS_CERTIFICATE"], environment["KONG_DISCOVERY_SERVER_TLS_KEY"] = map(
            str, certificate
        )
        tls = ssl.create_default_context(cafile=certificate[0])
    name = f"kong-discovery-{http_port}"
    command = [*under, binary, "serve"]
    if configuration:
        file = pathlib.Path(directory) / f"{name}.yaml"
        file.write_text(configuration)
        command += ["--config", file]
    process = stack.enter_context(Process(command, directory, name, core, environment))
    ours = Ours(process, dns_port, http_port, tls)
    process.wait_until(lambda: _is_ready(ours), timeout_seconds=300 if under else 20)
    return ours


def _is_ready(ours):
    try:
        with ours.client() as client:
            return client.call("GET", "/ready")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def register_all_at_once(ours, bodies, connections=4):
    """Sends batch bodies over several connections, each taking the next one, so that the server never waits for a
    client. Returns the seconds from the first call to the last answer; the results are read afterwards."""

    def work(_):
        contents = []
        with ours.client() as client:
            while (body := next_body()) is not None:
                contents.append(client.expect({200}, "POST", "/api/v1/services/batch", body))
        return contents

    waiting, lock = list(reversed(bodies)), threading.Lock()

    def next_body():
        with lock:
            return waiting.pop() if waiting else None

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        contents = [content for part in pool.map(work, range(connections)) for content in part]
    seconds = time.monotonic() - start
    for content in contents:
        bad = [result for result in json.loads(content)["results"] if result["status"] not in (200, 201)]
        if bad:
            raise BenchmarkError(f"a batch registration was refused: {bad[0]}")
    return seconds


class Client:
    """One keep-alive connection to the REST API."""

    def __init__(self, port, timeout_seconds=120, token=None, tls=None):
        self.token = token
        if tls:
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout_seconds, context=tls)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)

    def call(self, method, path, body=None):
        """Sends a request (`body` is JSON octets or None) and returns its status and its response's octets."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def expect(self, statuses, method, path, body=None):
        """Like `call`, but any other status is an error. Returns the response's octets."""
        status, content = self.call(method, path, body)
        if status not in statuses:
            raise BenchmarkError(f"{method} {path}: {status} {content[:500]!r}")
        return content

    def close(self):
        """Closes the connection."""
        self.connection.close()


def batch_bodies(instances, items=BATCH_ITEMS):
    """The bodies that register the instances, `items` a body, as a generator."""
    chunk = []
    for instance in instances:
        chunk.append(instance)
        if len(chunk) == items:
            yield json.dumps({"register": chunk}).encode()
            chunk = []
    if chunk:
        yield json.dumps({"register": chunk}).encode()


def register_all(client, bodies):
    """Sends batch bodies one after the other; every instance must be taken. Returns the seconds spent in the calls
    (without making the bodies and reading the results)."""
    seconds = 0.0
    for body in bodies:
        start = time.monotonic()
        content = client.expect({200}, "POST", "/api/v1/services/batch", body)
        seconds += time.monotonic() - start
        bad = [result for result in json.loads(content)["results"] if result["status"] not in (200, 201)]
        if bad:
            raise BenchmarkError(f"a batch registration was refused: {bad[0]}")
    return seconds
