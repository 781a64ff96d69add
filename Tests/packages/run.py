#!/usr/bin/env python3
"""Installs, upgrades and purges the package in a clean Debian 12 that systemd has booted, and then the archive.

    run.py PACKAGE.deb ARCHIVE.tar.gz [--where-possible]

With --where-possible it is no failure if this machine can't boot such a system: then the packages' files are checked, and no more.
As root, on Debian 12. The container is real but for this: its kernel and clock are this machine's, and it has no network but loopback.
"""
import concurrent.futures, json, os, re, shutil, subprocess, sys, tempfile, threading, time

from container import Container, clean_root, run

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
CONFIG = "/etc/kong-discovery/config.yaml"
started = time.monotonic()


def step(text):
    print(f"--- {text} ({time.monotonic() - started:.0f} s)", flush=True)


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def eventually(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.05)


def higher_version(package, folder):
    """The same package with a higher version."""
    content = os.path.join(folder, "content")
    run("dpkg-deb", "--raw-extract", package, content)
    control = os.path.join(content, "DEBIAN", "control")
    with open(control) as file:
        text = file.read()
    with open(control, "w") as file:
        file.write(re.sub(r"(?m)^(Version: .*)$", r"\1+upgrade", text))
    # Another program too, as a real upgrade has: its octets may follow the end of the file.
    with open(os.path.join(content, "usr/bin/kong-discovery"), "ab") as file:
        file.write(b"\0")
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", content, os.path.join(folder, "upgrade.deb"))
    shutil.rmtree(content)


class Client:
    """Asks the server in the container from outside of it, over the container's network."""

    def __init__(self, container):
        self.container = container

    def resolve(self, name, kind="A", port=53, *options):
        return run(*self.container.outside("kdig", "@127.0.0.1", "-p", str(port), name, kind, "+short", "+retry=0", *options)).split()

    def call(self, method, path, body=None):
        command = ["curl", "-sS", "--fail-with-body", "-X", method, f"http://127.0.0.1:8080{path}"]
        if body is not None:
            command += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        return run(*self.container.outside(*command))


class Asker:
    """Asks without end, each query once: what is not answered within 10 s is lost."""

    def __init__(self, client, name, address):
        self.lost, self.count, self.done = [], 0, False
        self.client, self.name, self.address = client, name, address
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        while not self.done:
            command = self.client.container.outside("kdig", "@127.0.0.1", self.name, "+short", "+retry=0", "+timeout=10")
            answer = subprocess.run(command, text=True, capture_output=True)
            self.count += 1
            if answer.stdout.split() != [self.address]:
                self.lost.append(answer.stdout + answer.stderr)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.done = True
        self.thread.join()
        if error == (None, None, None):
            check(self.count > 2, f"only {self.count} queries")
            check(not self.lost, f"{len(self.lost)} of {self.count} queries lost: {self.lost[:3]}")


def mode(container, path):
    return container.run("stat", "-c", "%a %U:%G", path).strip()


def main_process(container):
    return container.run("systemctl", "show", "--value", "-p", "MainPID", "kong-discovery").strip()


def check_files_of(package, archive):
    """What can be judged without installing it."""
    step("lintian, man pages, completions, the unit")
    run("lintian", "--fail-on", "error,warning", package)
    with tempfile.TemporaryDirectory() as folder:
        run("tar", "-xzf", archive, "-C", folder, "--strip-components=1")
        for page in ("share/man/man1/kong-discovery.1", "share/man/man5/kong-discovery.yaml.5"):
            run("mandoc", "-Tlint", "-Wwarning", os.path.join(folder, page))
            text = subprocess.run(["man", "--warnings", "-l", os.path.join(folder, page)], text=True, capture_output=True)
            check(text.returncode == 0 and not text.stderr and len(text.stdout) > 2000, f"man {page}: {text.stderr}")
        run("bash", "-n", os.path.join(folder, "share/bash-completion/completions/kong-discovery"))
        run("zsh", "-n", os.path.join(folder, "share/zsh/vendor-completions/_kong-discovery"))
        run("fish", "--no-execute", os.path.join(folder, "share/fish/vendor_completions.d/kong-discovery.fish"))
        unit = os.path.join(folder, "kong-discovery.service")
        with open(os.path.join(folder, "units/kong-discovery.service")) as file:
            text = file.read().replace("@bindir@", "/bin")
        with open(unit, "w") as file:
            file.write(text)
        # The program is not installed here, which is all that it may complain of.
        complaints = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], text=True, capture_output=True).stderr.splitlines()
        check(all("is not executable" in line for line in complaints if "kong-discovery.service" in line), complaints)
        exposure = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit).splitlines()[-1]
        print(exposure)
        needed = run("ldd", os.path.join(folder, "bin/kong-discovery"))
        check("not found" not in needed and "swift" not in needed.lower(), needed)


def check_service(container, client):
    """The service as it runs: its user, rights, files, and what it may ask of the kernel."""
    process = main_process(container)
    status = container.run("cat", f"/proc/{process}/status")
    number = container.run("id", "-u", "kong-discovery").strip()
    check(int(number) < 1000, "its user is one of the system")
    check(re.search(rf"(?m)^Uid:\s{number}\s{number}\s", status), "it runs as its user")
    check(re.search(r"(?m)^CapEff:\s0000000000000400$", status), "it may open port 53, and nothing else of root's")
    check(re.search(r"(?m)^NoNewPrivs:\s1$", status) and re.search(r"(?m)^Seccomp:\s2$", status), "its system calls are filtered")
    check(mode(container, "/etc/kong-discovery") == "750 root:kong-discovery", "the configuration's folder")
    check(mode(container, CONFIG) == "640 root:kong-discovery", "the configuration")
    check(mode(container, "/var/lib/kong-discovery") == "700 kong-discovery:kong-discovery", "the data's folder")
    check(mode(container, "/var/lib/kong-discovery/data/kong-discovery.db") == "600 kong-discovery:kong-discovery", "the database")
    check(mode(container, "/var/log/kong-discovery") == "750 kong-discovery:kong-discovery", "the log's folder")
    check(container.run("systemctl", "is-enabled", "kong-discovery").strip() == "enabled", "it starts with the system")
    # The kernel grants workers short turns, if it knows them (Linux 6.12): sched_setattr passes the filter.
    for task in container.run("sh", "-c", f"grep -l '^dns-' /proc/{process}/task/*/comm").split():
        schedule = container.try_run("cat", os.path.join(os.path.dirname(task), "sched")).stdout
        turn = re.search(r"se\.slice\s*:\s*(\d+)", schedule)
        check(turn is None or turn[1] == "200000", f"turns of {turn and turn[1]} ns")
    check(client.call("GET", "/ready"), "/ready")


def install(container, client):
    step("apt install: enabled, started, answers with its defaults")
    container.run("apt-get", "install", "-y", "--no-install-recommends", "/packages/package.deb")
    eventually(lambda: container.try_run("systemctl", "is-active", "kong-discovery").stdout.strip() == "active", "the service is active")
    check_service(container, client)

    step("one line of the configuration: port 53")
    container.run("sed", "-i", r"s/^  # listen: \[127\.0\.0\.1:8600\]/  listen: [0.0.0.0:53]/", CONFIG)
    container.run("kong-discovery", "check-config", "--config", CONFIG)
    container.run("systemctl", "restart", "kong-discovery")
    made = json.loads(client.call("POST", "/api/v1/services", {"name": "orders", "ip": "10.0.0.1", "port": 8080, "ttl": 0}))
    check(client.resolve("orders.service.kong") == ["10.0.0.1"], "resolves on port 53")
    check(client.resolve("_orders._tcp.service.kong", "SRV", 53, "+tcp") == ["0", "1", "8080", "0a000001.addr.service.kong."], "SRV over TCP")
    check_service(container, client)
    container.run("systemctl", "reload", "kong-discovery")

    step("the dashboard is there, and a backup is restored")
    page = client.call("GET", "/")
    parts = re.findall(r'(?:src|href)="/?([^":]+\.(?:js|css|svg))"', page)
    check("<title>kong-discovery" in page and parts, page[:500])
    for part in parts:
        check(client.call("GET", f"/{part}"), part)
    container.run("kong-discovery", "backup", "/root/registry.backup")
    container.run("kong-discovery", "services", "deregister", made["id"])
    check(client.resolve("orders.service.kong") == [], "deregistered")
    print(container.run("kong-discovery", "restore", "/root/registry.backup").strip())
    check(client.resolve("orders.service.kong") == ["10.0.0.1"], "restored")
    # Not the package's, which a purge leaves.
    container.run("rm", "/root/registry.backup")


def restart_and_upgrade(container, client):
    step("restarts and an upgrade lose no query, and keep data and configuration")
    before = container.run("sha256sum", CONFIG)
    with Asker(client, "orders.service.kong", "10.0.0.1") as asker:
        for _ in range(3):
            old = main_process(container)
            container.run("systemctl", "restart", "kong-discovery")
            check(main_process(container) != old, "another process")
            count = asker.count
            eventually(lambda: asker.count > count + 1, "queries are answered")
        old = main_process(container)
        container.run("apt-get", "install", "-y", "--no-install-recommends", "/packages/upgrade.deb")
        check(main_process(container) != old, "the upgrade restarts it")
        count = asker.count
        eventually(lambda: asker.count > count + 1, "queries are answered")
    print(f"{asker.count} queries, none lost")
    check(container.run("dpkg-query", "-W", "-f", "${Version}", "kong-discovery").endswith("+upgrade"), "upgraded")
    check(container.run("sha256sum", CONFIG) == before, "the configuration is as it was")
    check(mode(container, CONFIG) == "640 root:kong-discovery", "with its owner and mode")
    check(client.resolve("orders.service.kong") == ["10.0.0.1"], "the registry is as it was")


def crash(container, client):
    step("killed, it is back; its sockets were kept")
    process = main_process(container)
    with Asker(client, "orders.service.kong", "10.0.0.1") as asker:
        container.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "kong-discovery")
        eventually(lambda: main_process(container) not in ("0", process), "systemd starts it again")
        count = asker.count
        eventually(lambda: asker.count > count + 1, "queries are answered")


def hang(container):
    step("hung, systemd's watchdog ends it, and it is back")
    folder = "/run/systemd/system/kong-discovery.service.d"
    container.run("sh", "-c", f"mkdir -p {folder} && printf '[Service]\\nWatchdogSec=2\\n' > {folder}/soon.conf && systemctl daemon-reload")
    container.run("systemctl", "restart", "kong-discovery")
    process = main_process(container)
    container.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "kong-discovery")
    eventually(lambda: main_process(container) not in ("0", process), "systemd starts it again")
    container.run("sh", "-c", f"rm -r {folder} && systemctl daemon-reload && systemctl restart kong-discovery")
    check("Watchdog timeout" in container.run("journalctl", "-q", "-o", "cat", "-u", "kong-discovery"), "the watchdog has ended it")


def wrong_configuration(container):
    step("a wrong configuration: the unit fails, and says why")
    container.run("sh", "-c", f"cp -p {CONFIG} /tmp/config && sed -i 's/^  # ttl: 5s/  ttl: never/' {CONFIG}")
    container.try_run("systemctl", "restart", "kong-discovery")
    state = ("systemctl", "show", "--value", "-p", "ActiveState", "kong-discovery")
    eventually(lambda: container.run(*state).strip() == "failed", "the unit has failed")
    log = container.run("journalctl", "-q", "-o", "cat", "-u", "kong-discovery")
    check(re.search(rf"(?m)^kong-discovery: error: {CONFIG}:\d+:\d+: dns\.ttl: 'never' is ", log), log[-2000:])
    container.run("sh", "-c", f"cp -p /tmp/config {CONFIG} && systemctl reset-failed kong-discovery && systemctl start kong-discovery")


def purge(container):
    step("purge: nothing of it is left but its user")
    container.run("apt-get", "purge", "-y", "kong-discovery")
    left = container.run("find", "/", "-xdev", "-name", "*kong-discovery*", "-not", "-path", "/packages/*", "-not", "-path", "/proc/*",
                         "-not", "-path", "/sys/*", "-not", "-path", "/var/lib/systemd/*").split()
    check(not left, f"left: {left}")
    check("kong-discovery" not in container.run("systemctl", "list-units", "--all", "--plain", "--no-legend"), "a unit is left")
    user = container.run("getent", "passwd", "kong-discovery")
    check(user.strip().endswith("/usr/sbin/nologin"), user)


def archive(container, client):
    step("the archive, as its INSTALL.md says")
    container.run("sh", "-c", "mkdir /tmp/archive && tar -xzf /packages/archive.tar.gz -C /tmp/archive --strip-components=1")
    note = container.run("cat", "/tmp/archive/INSTALL.md")
    commands = re.search(r"(?s)```sh\n(.*?)```", note)[1]
    container.run("sh", "-euxc", "cd /tmp/archive\n" + commands)
    version = container.run("kong-discovery", "--version").strip()
    check(client.resolve("version.service.kong", "SOA", 8600) == [], "it answers")
    check(json.loads(client.call("GET", "/api/v1/status"))["version"] == version, "the program that was installed")
    client.call("POST", "/api/v1/services", {"name": "orders", "ip": "10.0.0.1", "port": 8080, "ttl": 0})
    check(client.resolve("orders.service.kong", "A", 8600) == ["10.0.0.1"], "resolves")


def skip(reason):
    """Nothing can be booted here."""
    if "--where-possible" not in sys.argv:
        raise reason
    print(f"NOTHING WAS INSTALLED, for no system could be booted here: {reason}", flush=True)


def main():
    package, archive_file = (os.path.abspath(path) for path in sys.argv[1:3])
    with concurrent.futures.ThreadPoolExecutor() as threads:
        # It mostly waits for packages to come.
        making = threads.submit(clean_root, os.path.join(PROJECT, ".build-deb"), package)
        check_files_of(package, archive_file)
        step("a clean Debian 12")
        root = making.result()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(package, os.path.join(folder, "package.deb"))
        shutil.copy(archive_file, os.path.join(folder, "archive.tar.gz"))
        higher_version(package, folder)
        # apt reads packages as a user without rights.
        os.chmod(folder, 0o755)
        step("boots")
        try:
            container = Container(root, folder)
        except SystemExit as reason:
            return skip(reason)
        try:
            client = Client(container)
            install(container, client)
            restart_and_upgrade(container, client)
            crash(container, client)
            hang(container)
            wrong_configuration(container)
            purge(container)
            archive(container, client)
        except BaseException:
            print(container.try_run("journalctl", "-q", "-n", "40", "-u", "kong-discovery").stdout)
            raise
        finally:
            container.stop()
    step("done")


main()
