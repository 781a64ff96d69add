"""The world that the dashboard shows: a real server, what registers there, an upstream, and clients that ask."""

import contextlib
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request


class Server:
    """A running server, and its API."""

    def __init__(self, url: str, dns_port: int, token: str | None):
        self.url = url
        self.dns_port = dns_port
        self.token = token

    def call(self, method: str, path: str, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            octets = answer.read()
        return json.loads(octets) if octets else None

    def register(self, *instances: dict) -> None:
        for start in range(0, len(instances), 10_000):
            results = self.call(
                "POST", "/api/v1/services/batch", {"register": instances[start:start + 10_000]})["results"]
            bad = [result for result in results if result["status"] not in (200, 201)]
            assert not bad, bad[:3]

    def report(self, instance: str, check: str, status: str, output: str) -> None:
        self.call("PUT", f"/api/v1/services/{instance}/checks/{check}", {"status": status, "output": output})


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            port = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


@contextlib.contextmanager
def serving(
        program: str, folder: pathlib.Path, roles: list[str] = (), upstream: int | None = None,
        port: int | None = None):
    """Runs a server; with roles it needs tokens, one of each. Gives it with the first token, and all tokens."""
    api_port, dns_port = port or free_port(), free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KONG_DISCOVERY_")}
    environment |= {
        "KONG_DISCOVERY_SERVER_LISTEN": f"127.0.0.1:{api_port}",
        "KONG_DISCOVERY_DNS_LISTEN": f"127.0.0.1:{dns_port}",
        "KONG_DISCOVERY_STORAGE_TYPE": "memory",
        "KONG_DISCOVERY_LOG_LEVEL": "warning",
    }
    if upstream:
        environment["KONG_DISCOVERY_DNS_UPSTREAM_SERVERS"] = f"127.0.0.1:{upstream}"
    tokens, lines = [], []
    for role in roles:
        made = subprocess.run(
            [program, "token", "--name", role, "--role", role], check=True, capture_output=True, text=True)
        token, line = made.stdout.splitlines()
        tokens.append(token)
        lines.append(line)
    if tokens:
        file = folder / "tokens.yaml"
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n")
        environment["KONG_DISCOVERY_SERVER_TOKENS_FILE"] = str(file)
    with open(folder / "log", "w+") as log:
        process = subprocess.Popen([program, "serve"], env=environment, cwd=folder, stderr=log)
        server = Server(f"http://127.0.0.1:{api_port}", dns_port, tokens[0] if tokens else None)
        try:
            wait_until_ready(server.url, process)
            yield server, tokens
        finally:
            process.terminate()
            status = process.wait(timeout=20)
            log.seek(0)
            bad = [line for line in log if " error " in line or " critical " in line or "Fatal" in line]
            if status != 0 or bad:
                raise SystemExit(f"the server ended with {status}; it had logged: {''.join(bad)}")


def wait_until_ready(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{url}/ready"):
                return
        except (urllib.error.URLError, ConnectionError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server is not ready: {error}") from None
            time.sleep(0.05)


def instance(name: str, number: int, network: str, port: int, **fields) -> dict:
    return {
        "id": f"{name}-{number}", "name": name, "ip": f"{network}.{number}", "port": port, "ttl": 0, **fields,
    }


def check(name: str = "http") -> dict:
    """A check whose results are reported: nothing here connects to an address."""
    return {"name": name, "type": "ttl", "ttl": "1h"}


# Services that a shop might have: name, instances, network, port, tags.
SHOP = [
    ("billing", 3, "10.20.4", 8443, ["v2"]), ("cart", 6, "10.20.2", 8080, ["v3"]),
    ("catalog", 5, "10.20.1", 8080, ["v7"]),
    ("emails", 2, "10.20.8", 8025, ["v1"]), ("gateway", 3, "10.20.0", 8000, ["edge"]),
    ("inventory", 4, "10.20.6", 9090, ["v4"]), ("invoices", 2, "10.20.4", 8444, ["v2"]),
    ("orders", 5, "10.20.3", 8080, ["v12"]), ("payments", 4, "10.20.5", 8443, ["v5", "pci"]),
    ("search", 3, "10.20.9", 9200, ["v8"]), ("shipping", 3, "10.20.7", 8080, ["v2"]),
    ("users", 4, "10.20.10", 8080, ["v9"]),
]


def fill_shop(server: Server) -> None:
    """Registers the shop, of which some things do not work."""
    server.register(*(
        instance(
            name, number, network, port, tags=tags, checks=[check()],
            metadata={"team": name, "zone": f"eu-{number % 3 + 1}"})
        for name, length, network, port, tags in SHOP for number in range(1, length + 1)))
    for name, length, *_ in SHOP:
        for number in range(1, length + 1):
            server.report(f"{name}-{number}", "http", "passing", "200 OK in 3 ms")
    server.report("payments-3", "http", "critical", "503 Service Unavailable from /healthz")
    server.report("search-2", "http", "warning", "disk is 91 % full")
    server.report("inventory-4", "http", "critical", "connection refused")
    server.call("PATCH", "/api/v1/services/orders-5", {"draining": True})
    server.call("PATCH", "/api/v1/services/cart-1", {"draining": True})


def busy_day(server: Server):
    """What happens in the shop while somebody looks, one after the other."""
    yield lambda: server.report("emails-2", "http", "critical", "timeout after 2 s")
    yield lambda: server.report("emails-2", "http", "passing", "200 OK in 5 ms")
    yield lambda: server.register(instance("shipping", 4, "10.20.7", 8080, tags=["v3"], checks=[check()]))
    yield lambda: server.call("DELETE", "/api/v1/services/shipping-1")
    yield lambda: server.call("PATCH", "/api/v1/services/cart-1", {"draining": False})
    yield lambda: server.report("payments-3", "http", "critical", "503 Service Unavailable from /healthz")


def query(name: str, kind: int, number: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


@contextlib.contextmanager
def upstream():
    """A DNS server on a port of its own that knows every name but those that begin with "missing"."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def run():
        while True:
            try:
                data, client = sock.recvfrom(4096)
            except OSError:
                return
            end = 12
            while end < len(data) and data[end]:
                end += data[end] + 1
            question = data[12:end + 5]
            if len(question) < 5:
                continue
            is_missing = data[13:20].lower() == b"missing"
            kind = struct.unpack("!H", question[-4:-2])[0]
            has_answer = kind == 1 and not is_missing
            head = data[:2] + struct.pack("!5H", 0x8583 if is_missing else 0x8580, 1, has_answer, 0, 0)
            record = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 60, 4) + bytes([203, 0, 113, 7]) if has_answer else b""
            with contextlib.suppress(OSError):
                sock.sendto(head + question + record, client)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        # A closed socket alone does not wake a thread that reads from it.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


class Load:
    """Clients that ask for the shop's names, a few hundred times a second."""

    def __init__(self, port: int, rate: int = 400):
        self.port = port
        self.rate = rate
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def run(self):
        chance = random.Random(1)
        names = [f"{name}.service.kong" for name, length, *_ in SHOP for _ in range(length)]
        outside = [f"{name}.example.com" for name in ["www", "api", "cdn", "mail", "auth", "static"]]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", self.port))
        sock.setblocking(False)
        number = 0
        while not self.is_over.wait(0.02):
            # It comes and goes, as clients do.
            wave = 1 + 0.35 * (time.monotonic() * 0.35 % 2 - 1) ** 2 + chance.uniform(-0.1, 0.1)
            for _ in range(int(self.rate * wave * 0.02)):
                number = (number + 1) % 65536
                draw = chance.random()
                if draw < 0.03:
                    message = query(chance.choice(["oders", "user", "legacy-api"]) + ".service.kong", 1, number)
                elif draw < 0.2:
                    message = query(chance.choice(outside), 1, number)
                elif draw < 0.203:
                    message = query(f"missing-{chance.randrange(4)}.example.com", 1, number)
                else:
                    message = query(chance.choice(names), 33 if draw < 0.7 else 1, number)
                with contextlib.suppress(OSError):
                    sock.send(message)
            with contextlib.suppress(OSError):
                while True:
                    sock.recv(4096)
