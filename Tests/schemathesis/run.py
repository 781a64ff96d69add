#!/usr/bin/env python3
"""Tests the REST API of the real server by its description, GET /openapi.yaml, with tokens off and on.

- schemathesis sends what the description allows and what it does not, and checks all answers against it.
- A client that openapi-python-client makes of the description registers, lists and deregisters.

    Tests/schemathesis/run.py [PROGRAM]    # by default .build/debug/kong-discovery

It installs both programs from PyPI into .build/schemathesis, in the versions of requirements.txt. SEED and EXAMPLES
(cases for each operation and phase) in the environment replace those that every run has.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / ".build"
REQUIREMENTS = HERE / "requirements.txt"
SEED = os.environ.get("SEED", "1")
EXAMPLES = os.environ.get("EXAMPLES", "15")
# It has no end, so only requests that must be refused can be sent to it.
ENDLESS = "/api/v1/events"


def installed() -> pathlib.Path:
    """The folder of the programs, which are installed if they are not there in these versions."""
    folder = BUILD / "schemathesis"
    mark = folder / "installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)
        except subprocess.CalledProcessError as error:
            sys.exit(f"schemathesis can't be installed from PyPI, so the API is not tested: {error}")
        mark.write_text(wanted)
    return folder / "bin"


@contextlib.contextmanager
def serving(program: str, folder: pathlib.Path, has_tokens: bool):
    """Runs a server; gives its URL and an admin's token, or no token."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KONG_DISCOVERY_")}
    environment |= {
        "KONG_DISCOVERY_SERVER_LISTEN": address,
        "KONG_DISCOVERY_DNS_LISTEN": "127.0.0.1:0",
        "KONG_DISCOVERY_STORAGE_TYPE": "memory",
        "KONG_DISCOVERY_LOG_LEVEL": "warning",
    }
    token = None
    if has_tokens:
        made = subprocess.run(
            [program, "token", "--name", "admin", "--role", "admin"], check=True, capture_output=True, text=True)
        token, line = made.stdout.splitlines()
        file = folder / "tokens.yaml"
        file.touch(mode=0o600)
        file.write_text(line + "\n")
        environment["KONG_DISCOVERY_SERVER_TOKENS_FILE"] = str(file)
    with open(folder / "log", "w+") as log:
        server = subprocess.Popen([program, "serve"], env=environment, cwd=folder, stderr=log)
        try:
            wait_until_ready(f"http://{address}", server)
            yield f"http://{address}", token
            if server.poll() is not None:
                sys.exit(f"the server has ended with {server.returncode}")
        finally:
            server.terminate()
            status = server.wait(timeout=20)
            log.seek(0)
            bad = [line for line in log if " error " in line or " critical " in line or "Fatal" in line]
            if status != 0 or bad:
                sys.exit(f"the server ended with {status}; it had logged: {''.join(bad)}")


def wait_until_ready(url: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{url}/ready"):
                return
        except (urllib.error.URLError, ConnectionError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server is not ready: {error}")
            time.sleep(0.05)


def test_by_description(programs: pathlib.Path, url: str, token: str | None, folder: pathlib.Path) -> None:
    """Has schemathesis test everything; without a finding this returns."""
    common = [
        programs / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", f"{url}/openapi.yaml",
        "--seed", SEED, "--workers", "1", "--request-timeout", "20", "--continue-on-failure", "--no-color",
    ]
    if token:
        common += ["--header", f"Authorization: Bearer {token}"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "PYTHONDONTWRITEBYTECODE": "1"}
    for options in [
        ["--exclude-path", ENDLESS, "--max-examples", EXAMPLES],
        ["--include-path", ENDLESS, "--mode", "negative", "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES],
    ]:
        # In a folder of its own it finds nothing that an earlier run has left, so that the seed decides.
        if subprocess.run(common + options, cwd=folder, env=environment).returncode != 0:
            sys.exit("schemathesis has found something, see above; the seed repeats it")


def test_generated_client(programs: pathlib.Path, url: str, token: str | None, folder: pathlib.Path) -> None:
    """Makes a client of the description, and uses it."""
    description = folder / "openapi.yaml"
    with urllib.request.urlopen(f"{url}/openapi.yaml") as answer:
        description.write_bytes(answer.read())
    # It formats what it makes with ruff, which is beside it.
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    generated = subprocess.run(
        [
            programs / "openapi-python-client", "generate", "--path", description, "--output-path", folder / "client",
            "--meta", "none", "--overwrite",
        ],
        env=environment, capture_output=True, text=True)
    if generated.returncode != 0 or "rror" in generated.stdout + generated.stderr:
        sys.exit(f"no client can be made of the description: {generated.stdout}{generated.stderr}")
    command = [programs / "python", HERE / "use_client.py", url] + ([token] if token else [])
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": str(folder)}).returncode != 0:
        sys.exit("the client that was made of the description does not work")


def main() -> None:
    program = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else BUILD / "debug/kong-discovery").resolve())
    programs = installed()
    for has_tokens in (False, True):
        print(f"--- with tokens {'on' if has_tokens else 'off'}", flush=True)
        with tempfile.TemporaryDirectory() as name, serving(program, pathlib.Path(name), has_tokens) as (url, token):
            test_generated_client(programs, url, token, pathlib.Path(name))
            test_by_description(programs, url, token, pathlib.Path(name))


main()
