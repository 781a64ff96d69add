#!/usr/bin/env python3
"""Keeps one instance registered at kong-discovery while a program runs. Needs nothing but Python 3.9.

As a command, in front of another one:

    register.py --name orders --ip 10.0.0.1 --port 8080 -- ./orders-server --listen 0.0.0.0:8080

Within a program:

    with Registration({"name": "orders", "ip": "10.0.0.1", "port": 8080, "ttl": 30}):
        serve()

The server is KONG_DISCOVERY_URL (default http://127.0.0.1:8080), the token KONG_DISCOVERY_TOKEN.
"""

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request


# No way to the server, no answer, or one that is none of its own.
FAILURES = (OSError, http.client.HTTPException, ValueError)


class Registration:
    """Registers when it is entered, sends heartbeats from a thread, and deregisters when it is left."""

    def __init__(self, instance, url=None, token=None):
        self.instance = instance
        self.url = (url or os.environ.get("KONG_DISCOVERY_URL", "http://127.0.0.1:8080")) + "/api/v1/services"
        self.token = token or os.environ.get("KONG_DISCOVERY_TOKEN")
        self.id = None
        # Three heartbeats in a ttl: two may be lost.
        self.pause = max(instance.get("ttl", 30) / 3, 0.5)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._beat()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        if self.id is not None:
            try:
                self._call("DELETE", f"/{self.id}")
            except FAILURES as error:
                self._say(f"not deregistered: {error}")

    def _run(self):
        healthy = self.id is not None
        while not self.ended.wait(self.pause if healthy else 1):
            healthy = self._beat()

    def _beat(self):
        try:
            if self.id is not None:
                try:
                    self._call("PUT", f"/{self.id}/heartbeat")
                    return True
                except urllib.error.HTTPError as error:
                    # The server does not know it any more: it expired, or was deregistered.
                    if error.code != 404:
                        raise
            self.id = self._call("POST", "", self.instance)["id"]
            self._say(f"registered as {self.id}")
            return True
        except urllib.error.HTTPError as error:
            self._say(f"not renewed: {error}: {error.read(1000).decode(errors='replace')}")
        except FAILURES as error:
            self._say(f"not renewed: {error}")
        return False

    def _call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=5) as response:
            text = response.read()
            return json.loads(text) if text else None

    @staticmethod
    def _say(text):
        print(f"register.py: {text}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description="Runs a command, which is registered while it runs.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--ip", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--ttl", type=int, default=30, help="seconds, default 30")
    parser.add_argument(
        "--linger", type=float, default=5, help="seconds in which Kong follows before the command is told to end, default 5")
    parser.add_argument("--tag", action="append", default=[], help="may be given many times")
    parser.add_argument("command", nargs="+", help="behind --")
    options = parser.parse_args()
    instance = {"name": options.name, "ip": options.ip, "port": options.port, "ttl": options.ttl, "tags": options.tag}
    # A signal is passed on to the command once DNS has no such instance any more, and gateways have followed.
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    command = subprocess.Popen(options.command)
    with Registration(instance):
        while not stopping.wait(0.2) and command.poll() is None:
            pass
    try:
        status = command.wait(options.linger)
    except subprocess.TimeoutExpired:
        command.terminate()
        status = command.wait()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
