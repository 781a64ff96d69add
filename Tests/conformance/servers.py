"""Starts our server, NSD and Knot with the same zone, on free ports of 127.0.0.1."""

import http.client
import json
import pathlib
import struct
import sys

import message
import served_zone as zone

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "bench"))

from asking import ask_once  # noqa: E402
from peers import KNOT_CONFIGURATION, NSD_CONFIGURATION, configured, find_program  # noqa: E402
from processes import BenchmarkError, Process, free_port  # noqa: E402

PAYLOAD = 1232

# Nothing of its own: no version, no identity. What ours offers by default is on.
NSD = (
    "minimal-responses: yes", "refuse-any: no", "hide-version: yes", "hide-identity: yes", f"ipv4-edns-size: {PAYLOAD}",
)
KNOT = (f"udp-max-payload: {PAYLOAD}", 'identity: ""', 'version: ""', 'nsid: ""')


class Server:
    """One of the three."""

    def __init__(self, name, process, port):
        self.name = name
        self.process = process
        self.port = port

    def check(self):
        """Raises when it has ended."""
        self.process.check_running()


def soa_serial(port):
    """The serial of the zone's SOA record; `None` where there is no answer yet."""
    name = b"".join(bytes([len(label)]) + label for label in zone.DOMAIN.encode().split(b".")) + b"\0"
    reply = ask_once(port, struct.pack("!6H", 1, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 6, 1))
    if reply is None:
        return None
    answer = message.read_reply(reply)["answer"]
    return struct.unpack_from("!I", answer[0][3][2])[0] if answer else None


def start_ours(stack, directory, program):
    """Starts ours and registers the zone's instances."""
    port, http_port = free_port(), free_port()
    # With these networks only the targets' addresses have names, as in the zone file.
    networks = ",".join(f"{address}/{128 if ':' in address else 32}" for address in zone.ADDRESSES)
    environment = {
        "KONG_DISCOVERY_SERVER_LISTEN": f"127.0.0.1:{http_port}",
        "KONG_DISCOVERY_DNS_LISTEN": f"127.0.0.1:{port}",
        "KONG_DISCOVERY_DNS_WORKERS": "1",
        "KONG_DISCOVERY_DNS_DOMAIN": zone.DOMAIN,
        "KONG_DISCOVERY_DNS_TTL": f"{zone.TTL_SECONDS}s",
        "KONG_DISCOVERY_DNS_ADDR_TTL": f"{zone.ADDRESS_TTL_SECONDS}s",
        "KONG_DISCOVERY_DNS_NEGATIVE_TTL": f"{zone.NEGATIVE_TTL_SECONDS}s",
        "KONG_DISCOVERY_DNS_UDP_PAYLOAD": str(PAYLOAD),
        "KONG_DISCOVERY_REGISTRY_NETWORKS": networks,
        "KONG_DISCOVERY_STORAGE_TYPE": "memory",
        "KONG_DISCOVERY_LOG_LEVEL": "warning",
    }
    process = stack.enter_context(Process([program, "serve"], directory, "ours", environment=environment))
    process.wait_until(lambda: soa_serial(port) is not None, timeout_seconds=60)
    connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=30)
    body = json.dumps({"register": zone.INSTANCES})
    connection.request("POST", "/api/v1/services/batch", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    results = json.loads(content)["results"] if response.status == 200 else []
    if [result["status"] for result in results] != [201] * len(zone.INSTANCES):
        raise BenchmarkError(f"our server does not take the zone: {response.status} {content[:500]!r}")
    return Server("ours", process, port)


def start_peer(stack, directory, name, program, template, more, serial, arguments):
    """Starts NSD or Knot with the zone as a file."""
    path = find_program(program)
    if path is None:
        raise BenchmarkError(f"{program} is not installed")
    folder = pathlib.Path(directory) / name
    folder.mkdir()
    (folder / "zone").write_text(zone.zone_file(serial))
    port = free_port()
    (folder / "configuration").write_text(configured(template, folder, port, zone.DOMAIN, more))
    process = stack.enter_context(Process([path, *arguments, folder / "configuration"], directory, name))
    process.wait_until(lambda: soa_serial(port) == serial)
    return Server(name, process, port)


def start_all(stack, directory, program):
    """Starts the three, ours first."""
    ours = start_ours(stack, directory, program)
    serial = soa_serial(ours.port)
    return [
        ours,
        start_peer(stack, directory, "nsd", "nsd", NSD_CONFIGURATION, NSD, serial, ["-d", "-c"]),
        start_peer(stack, directory, "knot", "knotd", KNOT_CONFIGURATION, KNOT, serial, ["-c"]),
    ]
