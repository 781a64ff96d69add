"""Drives a real Chromium over WebDriver (W3C), as a person would use it: keys, clicks, and what is seen."""

import base64
import contextlib
import json
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {
    "Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Escape": "\ue00c", "ArrowLeft": "\ue012",
    "Delete": "\ue017",
}
# A page that does not show what it should by then has failed.
PATIENCE = 15


class Browser:
    """A window with one tab."""

    def __init__(self, session: str):
        self.session = session
        self.console: list[dict] = []
        self.requests: list[str] = []

    def call(self, method: str, path: str, body: dict | None = None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.session}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, url: str) -> None:
        self.call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments):
        """What a script returns; it may wait for promises."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, what: str, script: str, *arguments):
        """Waits until a script returns something true, and gives that."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.run(script, *arguments)
            if found:
                return found
            if time.monotonic() > deadline:
                shown = self.run("return document.body.innerText")
                raise AssertionError(f"{what}: not within {PATIENCE} s; the page shows:\n{shown[:1000]}")
            time.sleep(0.03)

    def see(self, text: str, within: str = "body") -> None:
        """Waits until a text can be read."""
        self.wait(f"{text!r} in {within}", """
            return [...document.querySelectorAll(arguments[0])].some((node) => node.innerText.includes(arguments[1]))
            """, within, text)

    def see_no(self, text: str, within: str = "body") -> None:
        """Waits until a text can't be read."""
        self.wait(f"no {text!r} in {within}", """
            return ![...document.querySelectorAll(arguments[0])].some((node) => node.innerText.includes(arguments[1]))
            """, within, text)

    def find(self, selector: str, text: str = "") -> dict:
        """Waits for an element that can be seen, by its selector and its whole text or label."""
        return self.wait(f"{selector} {text!r}", """
            return [...document.querySelectorAll(arguments[0])].find((node) => node.checkVisibility() && (!arguments[1]
              || node.innerText.trim() === arguments[1] || node.getAttribute("aria-label") === arguments[1]))
            """, selector, text)

    def click(self, selector: str, text: str = "") -> None:
        element = self.find(selector, text)
        self.run("arguments[0].scrollIntoView({ block: 'center' })", element)
        self.call("POST", f"/element/{element[ELEMENT]}/click")

    def type(self, text: str, selector: str = "") -> None:
        """Types where the focus is, or into a field in place of what it holds."""
        if selector:
            self.run("arguments[0].focus(); arguments[0].select()", self.find(selector))
        self.press(*(text or ["Delete"]))

    def press(self, *keys: str, shift: bool = False) -> None:
        """Presses keys one after the other."""
        actions = [{"type": "keyDown", "value": KEYS["Shift"]}] if shift else []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        if shift:
            actions.append({"type": "keyUp", "value": KEYS["Shift"]})
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def tab_to(self, label: str, most: int = 60, is_backwards: bool = False) -> None:
        """Presses Tab until something with this text or label has the focus."""
        for _ in range(most):
            self.press("Tab", shift=is_backwards)
            if self.focused() == label:
                return
        raise AssertionError(f"Tab does not lead to {label!r} in {most} steps")

    def focused(self) -> str:
        """The label or text of what has the focus."""
        return self.run("""
            const node = document.activeElement;
            const label = node.getAttribute("aria-label") ?? node.labels?.[0]?.textContent ?? node.innerText;
            return label.trim();
            """)

    def resize(self, width: int, height: int) -> None:
        """Gives the page this size in CSS pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme: str) -> None:
        """Has the system prefer light or dark."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def command(self, name: str, **parameters):
        """A command of the DevTools protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def screenshot(self, file: pathlib.Path) -> None:
        file.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def collect(self) -> None:
        """Takes what the browser has logged since the last time: messages, and requests by their URLs."""
        self.console += self.call("POST", "/se/log", {"type": "browser"})
        for entry in self.call("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] != "Network.requestWillBeSent":
                continue
            url = message["params"]["request"]["url"]
            # The page that a new tab has belongs to the browser.
            if not url.startswith("chrome"):
                self.requests.append(url)

    def forget(self) -> None:
        """Forgets what was logged."""
        self.collect()
        self.console.clear()
        self.requests.clear()


@contextlib.contextmanager
def chromium(profile: pathlib.Path):
    """Runs Chromium with a profile of its own, without a window."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    browser = None
    try:
        wait_for(base, driver)
        options = {
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--hide-scrollbars", "--window-size=1400,1000",
                "--lang=en-GB", f"--user-data-dir={profile}",
            ],
            "perfLoggingPrefs": {"enableNetwork": True, "enablePage": False},
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        root = Browser(base)
        made = root.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        browser = Browser(f"{base}/session/{made['sessionId']}")
        yield browser
    finally:
        if browser:
            with contextlib.suppress(AssertionError, OSError):
                browser.call("DELETE", "")
        driver.terminate()
        driver.wait(timeout=10)


def wait_for(base: str, driver: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{base}/status"):
                return
        except (urllib.error.URLError, ConnectionError) as error:
            if driver.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"chromedriver does not answer: {error}") from None
            time.sleep(0.05)
