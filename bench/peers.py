"""NSD, Knot DNS and the floor: what our server is compared with. Installed when missing, each a process of this run."""

import os
import pathlib
import shutil
import subprocess

import wire
import zone
from processes import BenchmarkError, Process, compile_c, free_port

# Program: Debian package.
PROGRAMS = {
    "nsd": "nsd",
    "knotd": "knot",
    "dnsperf": "dnsperf",
    "wrk": "wrk",
    "etcd": "etcd-server",
    "unbound": "unbound",
    "dnsdist": "dnsdist",
    "valgrind": "valgrind",
}
# Package: what it would start.
SYSTEM_SERVICES = {
    "nsd": "nsd.service",
    "knot": "knot.service",
    "etcd-server": "etcd.service",
    "unbound": "unbound.service",
    "dnsdist": "dnsdist.service",
}
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")

# See ``configured``.
NSD_CONFIGURATION = """\
server:
{more}\
  server-count: 1
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  xfrdir: "{directory}"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: {domain}
  zonefile: zone
"""

KNOT_CONFIGURATION = """\
server:
{more}\
  rundir: {directory}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: warning
database:
  storage: {directory}
zone:
  - domain: {domain}
    storage: {directory}
    file: zone
    zonefile-sync: -1
    journal-content: none
"""


def find_program(name):
    """The path of a program, also where it is only on root's path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")


def install(programs=tuple(PROGRAMS)):
    """Installs the Debian packages of the programs that are missing, without leaving services of theirs running."""
    missing = sorted({PROGRAMS[program] for program in programs if find_program(program) is None})
    if not missing:
        return
    print(f"installing {', '.join(missing)}", flush=True)
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    # Debian starts a service as soon as its package is installed, unless policy-rc.d says no (exit code 101).
    # Our own goes away again; a machine's own stays and decides as it did, and what it let start is stopped below.
    made_policy = not POLICY.exists()
    if made_policy:
        script = f"printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}"
        subprocess.run([*as_root, "sh", "-c", script], check=True)
    try:
        command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-install-recommends"]
        if subprocess.run([*as_root, *command, *missing], stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run([*as_root, "apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run([*as_root, *command, *missing], check=True, stdout=subprocess.DEVNULL)
    finally:
        if made_policy:
            subprocess.run([*as_root, "rm", "-f", str(POLICY)], check=True)
        for package in missing:
            if package in SYSTEM_SERVICES and shutil.which("systemctl") is not None:
                _disable(SYSTEM_SERVICES[package], as_root)


def _disable(service, as_root):
    """Keeps a freshly installed service from starting with the machine, and stops it where systemd runs."""
    now = ["--now"] if pathlib.Path("/run/systemd/system").exists() else []
    subprocess.run([*as_root, "systemctl", "disable", *now, service], check=True, capture_output=True)


class Peer:
    """A server of the comparison. `ports` gives the port for each query type."""

    def __init__(self, name, processes, ports):
        self.name = name
        self.processes = processes
        self.ports = ports

    def cpu_nanoseconds(self):
        """The CPU time of all its processes so far."""
        return sum(process.cpu_nanoseconds() for process in self.processes)

    def waited_nanoseconds(self):
        """The time that its threads wanted the core so far while something else had it."""
        return sum(process.waited_nanoseconds() for process in self.processes)

    def check_running(self):
        """Raises where one of its processes has ended."""
        for process in self.processes:
            process.check_running()


def answers(port, name, type_name):
    """Whether there is an answer to a query now."""
    try:
        return wire.ask(port, name, type_name, timeout_seconds=0.2).response_code == 0
    except (OSError, ValueError):
        return False


def configured(template, directory, port, domain, more=()):
    """A configuration of a server on `port` of 127.0.0.1, with the file `zone` in `directory`, and `more` settings."""
    lines = "".join(f"  {line}\n" for line in more)
    return template.format(more=lines, port=port, directory=directory, domain=domain)


def _start(stack, directory, name, program, template, services, arguments, more=()):
    directory = pathlib.Path(directory) / name
    directory.mkdir()
    port = free_port()
    (directory / "zone").write_text(zone.zone_file(services))
    path = directory / "configuration"
    path.write_text(configured(template, directory, port, zone.DOMAIN, more))
    process = stack.enter_context(Process([program, *arguments, path], directory, name))
    process.wait_until(lambda: answers(port, f"{zone.service_name(0)}.{zone.DOMAIN}", "A"))
    return process, port


def start_nsd(stack, directory, services):
    """NSD with one server process. It needs one configuration for each type: with minimal-responses it leaves out
    ADDITIONAL of SRV answers too, and without it adds NS records to every answer, A answers included."""
    program = find_program("nsd")
    processes, ports = [], {}
    for type_name, minimal in (("A", "yes"), ("SRV", "no")):
        more = [f"minimal-responses: {minimal}"]
        process, port = _start(
            stack, directory, f"nsd-{type_name}", program, NSD_CONFIGURATION, services, ["-d", "-c"], more
        )
        processes.append(process)
        ports[type_name] = port
    return Peer("nsd", processes, ports)


def start_knot(stack, directory, services):
    """Knot DNS with one UDP worker; its answers have the same sections as ours without further settings."""
    program = find_program("knotd")
    process, port = _start(stack, directory, "knot", program, KNOT_CONFIGURATION, services, ["-c"])
    return Peer("knot", [process], {"A": port, "SRV": port})


def start_floors(stack, directory, sizes, count=zone.INSTANCES_PER_SERVICE):
    """The bare responder, once as it is and once with answers sent in segments; `sizes` are the answers' octets for
    each type, `count` their records."""
    return {
        name: _start_floor(stack, directory, name, options, sizes, count)
        for name, options in (("floor", []), ("floor-segments", ["-g"]))
    }


def _start_floor(stack, directory, name, options, sizes, count):
    kinds = [f"1:{sizes['A']}:{count}:0", f"33:{sizes['SRV']}:{count}:{count}"]
    port = free_port()
    process = stack.enter_context(
        Process([compile_c("floor"), *options, "127.0.0.1", str(port), *kinds], directory, name)
    )
    process.wait_until(lambda: _floor_answers(port))
    return Peer(name, [process], {"A": port, "SRV": port})


def _floor_answers(port):
    # Its canned octets are no well-formed records beyond the counts, so the answer's header has to do.
    try:
        wire.ask(port, f"{zone.service_name(0)}.{zone.DOMAIN}", "A", timeout_seconds=0.2)
    except (ValueError, IndexError):
        return True
    except OSError:
        return False
    return True


def check_answers(peer, services):
    """Asks the first and the last service of each type: four records each with the right data, and for SRV
    ADDITIONAL too. Returns the answers' sizes for each type."""
    sizes = {}
    for type_name, port in peer.ports.items():
        for number in (0, services - 1):
            name = f"{zone.service_name(number)}.{zone.DOMAIN}"
            answer = wire.ask(port, name, type_name)
            addresses = [zone.address(number, instance) for instance in range(zone.INSTANCES_PER_SERVICE)]
            if type_name == "A":
                expected = {bytes(int(part) for part in ip.split(".")) for ip in addresses}
            else:
                fixed = (0).to_bytes(2) + (1).to_bytes(2) + zone.PORT.to_bytes(2)
                expected = {fixed + zone.target(ip).encode() for ip in addresses}
            data = {data for record_type, data in answer.records if record_type == wire.TYPES[type_name]}
            additional = 0 if type_name == "A" else len(addresses)
            sound = answer.response_code == 0 and answer.authoritative and not answer.truncated
            if not sound or data != expected or len(answer.records) != len(expected):
                raise BenchmarkError(f"{peer.name}: wrong answer to {name} {type_name}: {answer}")
            if answer.additional_count < additional or (type_name == "A" and answer.additional_count != 0):
                count = answer.additional_count
                raise BenchmarkError(f"{peer.name}: {count} additional records for {name} {type_name}")
            sizes[type_name] = answer.size
    return sizes
