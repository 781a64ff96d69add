"""A clean Debian 12 that systemd boots, in namespaces of its own (systemd-nspawn): for packages that are installed for real.

What is written in it is in memory, and gone when it stops. It has no network but loopback; its processes' cgroups, mounts and users are real.
"""
import glob, hashlib, os, shutil, signal, subprocess, tempfile, time

MIRROR = "http://deb.debian.org/debian"


def run(*command, **options):
    """Runs a command here, and returns what it prints; it must succeed."""
    done = subprocess.run(command, text=True, capture_output=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def clean_root(cache, package):
    """The folder of a Debian 12 with systemd, and in apt's cache what the package needs besides. It is made once for each list of dependencies."""
    needs = run("dpkg-deb", "--field", package, "Depends", "Pre-Depends")
    root = os.path.join(cache, "root-" + hashlib.sha256(needs.encode()).hexdigest()[:16])
    if os.path.isdir(root):
        return root
    for old in glob.glob(os.path.join(cache, "root-*")):
        shutil.rmtree(old)
    os.makedirs(cache, exist_ok=True)
    # With apt's lists and cache, so that `apt install` in the container finds everything without a network.
    run("mmdebstrap", "--variant=minbase", "--include=systemd", "--skip=cleanup/apt", "--dpkgopt=force-unsafe-io",
        f"--customize-hook=cp {package} $1/package.deb",
        "--customize-hook=chroot $1 apt-get install --download-only -y --no-install-recommends /package.deb",
        "--customize-hook=rm $1/package.deb $1/etc/dpkg/dpkg.cfg.d/*mmdebstrap*",
        "bookworm", root + ".new", MIRROR)
    os.rename(root + ".new", root)
    return root


class Container:
    """A running container. `packages` is a folder that it has as /packages."""

    def __init__(self, root, packages):
        self.log = tempfile.TemporaryFile(mode="w+")
        # --keep-unit, --register=no: systemd may not be in charge here. The cgroups are those that this process has.
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={root}", "--volatile=overlay", "--boot", "--private-network", "--register=no",
             "--keep-unit", "--console=pipe", "--link-journal=no", f"--bind-ro={packages}:/packages"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        self.leader = self._wait(self._find_leader, "systemd-nspawn starts its first process")
        # "degraded": some unit of Debian's does not work in a container, which is no concern of ours.
        self._wait(lambda: self.try_run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), "systemd has booted")

    def _find_leader(self):
        path = f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children"
        with open(path) as file:
            children = file.read().split()
        # It is systemd only once it has replaced nspawn's own process.
        for child in children:
            with open(f"/proc/{child}/comm") as file:
                if file.read().strip() == "systemd":
                    return int(child)
        return None

    def _wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if self.nspawn.poll() is not None or time.monotonic() > end:
                self.log.seek(0)
                raise SystemExit(f"not within {seconds} s: {what}\n{self.log.read()}")
            time.sleep(0.05)

    def try_run(self, *command, **options):
        """Runs a command in the container."""
        return subprocess.run(["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                               "--root", "--wd=/", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "HOME=/root",
                               "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *command],
                              text=True, capture_output=True, **options)

    def run(self, *command, **options):
        """Runs a command in the container, and returns what it prints; it must succeed."""
        done = self.try_run(*command, **options)
        if done.returncode != 0:
            raise SystemExit(f"in the container: {' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def outside(self, *command):
        """A command of this system with the container's network."""
        return ["nsenter", "--target", str(self.leader), "--net", *command]

    def stop(self):
        if self.nspawn.poll() is None:
            # SIGRTMIN+4 asks systemd to power off; nobody needs it to be thorough.
            self.nspawn.send_signal(signal.SIGKILL)
            try:
                os.kill(self.leader, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.nspawn.wait()
