#!/usr/bin/env python3
"""Tests the dashboard of the real server in a real Chromium: what a person sees, types and clicks.

    Tests/dashboard/run.py [PROGRAM] [--screenshots]    # by default .build/debug/kong-discovery

axe-core, which looks for what keeps people out, comes from PyPI, into .build/dashboard. With --screenshots it leaves
pictures of the shop in docs/images besides.
"""

import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import webdriver
import world

PROJECT = pathlib.Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".build/dashboard"
# It has axe.min.js, version 4.12.1, and nothing else of it is used.
AXE = "axe-playwright-python==0.1.8"
HOSTILE = "<img src=x onerror=\"document.title='broken into'\"><script>document.title='broken into'</script>"
VIEWS = {
    "Overview": "#/", "Services": "#/services", "orders": "#/services/orders", "orders-1": "#/services/orders/orders-1",
    "Traffic": "#/traffic", "Events": "#/events", "Explain": "#/explain?name=orders.service.kong",
}


def axe() -> str:
    """The script of axe-core."""
    file = CACHE / f"{AXE}.js"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        with tempfile.TemporaryDirectory() as folder:
            if subprocess.run([*pip, "--dest", folder, AXE]).returncode != 0:
                sys.exit("axe-core can't be had from PyPI, so the dashboard is not tested")
            with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as wheel:
                file.write_bytes(wheel.read("axe_playwright_python/axe.min.js"))
    return file.read_text()


def show(browser: webdriver.Browser, title: str, address: str) -> None:
    """Goes to a view, and waits until it is there."""
    browser.run("location.hash = arguments[0]", address)
    browser.wait(title, "return document.querySelector('h1')?.innerText.startsWith(arguments[0])", title)
    browser.see_no("Loading …", "main")


def test_services(browser: webdriver.Browser, server: world.Server) -> None:
    """10,000 services are searched, filtered and turned over page by page."""
    server.register(*(
        world.instance(f"service-{number:04}", 1, f"10.{30 + number // 250}.{number % 250}", 8080)
        for number in range(10_000 - len(world.SHOP))))
    show(browser, "Services", "#/services")
    browser.see("10,000 services", "h1 + p")
    rows = "return document.querySelectorAll('tbody tr').length"
    assert browser.run(rows) == 50
    browser.click("button", "Next")
    browser.see("51–100", ".pages")
    browser.type("service-077", "#search")
    browser.see("10 of 10,000 services", "h1 + p")
    browser.wait("ten rows", rows + " === 10")
    browser.type("SERVICE-98", "#search")
    browser.see("100 of 10,000 services", "h1 + p")
    browser.type("nothing-like-it", "#search")
    browser.see("No service matches “nothing-like-it”.", "main")
    browser.run("location.hash = '#/services?filter=critical'")
    browser.type("pay", "#search")
    browser.wait("the critical one", rows + " === 1")
    browser.see("3 of 4 healthy", "tbody")
    browser.click("tbody a", "payments")
    browser.see("payments", "h1")
    browser.see("http: 503 Service Unavailable from /healthz", "tbody")


def test_service(browser: webdriver.Browser, server: world.Server) -> None:
    """What DNS says of a service, its pages, and draining it as a whole."""
    server.register(*(world.instance("fleet", number, "10.99.0", 8080, tags=["large"]) for number in range(1, 121)))
    show(browser, "fleet", "#/services/fleet")
    browser.see("fleet.service.kong", "main")
    browser.see("120 records", ".answers")
    browser.wait("fifty rows", "return document.querySelectorAll('tbody tr').length === 50")
    browser.click("button", "Next")
    browser.see("fleet-51", "tbody")
    browser.click("button", "Next")
    browser.see("fleet-120", "tbody")
    browser.click("button", "Previous")
    browser.see_no("fleet-120", "tbody")
    show(browser, "orders", "#/services/orders")
    browser.click("button", "Drain all")
    browser.see("Drain all of orders?", "dialog")
    browser.click("dialog button", "Cancel")
    assert server.call("GET", "/api/v1/services/orders-1")["status"] == "passing", "it was not meant"
    browser.click("button", "Drain all")
    browser.click("dialog button", "Drain all")
    browser.see("4 instances of orders drained", "#notice")
    browser.wait("all are draining", "return document.querySelectorAll('tbody .badge.draining').length === 5")
    browser.see("SERVFAIL", ".answers")
    browser.see("draining", "section[aria-labelledby=history]")
    browser.click("button", "Put all back")
    browser.click("dialog button", "Put all back")
    browser.see("5 instances of orders put back", "#notice")
    browser.wait("all are passing", "return document.querySelectorAll('tbody .badge.passing').length === 5")


def test_instance(browser: webdriver.Browser, server: world.Server) -> None:
    """An instance with all that is known of it, hostile texts too, is drained and deregistered."""
    server.register(world.instance(
        "orders", 9, "10.20.3", 8080, tags=["v13"], checks=[world.check()],
        metadata={"owner": HOSTILE, HOSTILE: "key", "empty": ""}))
    server.report("orders-9", "http", "critical", HOSTILE)
    show(browser, "orders-9", "#/services/orders/orders-9")
    browser.see("10.20.3.9:8080", "main")
    for place in [".verdict", "section[aria-labelledby=metadata]", "section[aria-labelledby=checks]"]:
        browser.see(HOSTILE, place)
    browser.see("left out: critical", "section[aria-labelledby=in-dns]")
    server.report("orders-9", "http", "passing", "200 OK")
    browser.see("passing", "h1")
    browser.see("check http: 200 OK", "section[aria-labelledby=history]")
    browser.see("answered", "section[aria-labelledby=in-dns]")
    browser.click("button", "Drain")
    browser.see("orders-9", "dialog")
    browser.click("dialog button", "Drain")
    browser.see("draining", "h1")
    assert server.call("GET", "/api/v1/services/orders-9")["status"] == "draining"
    browser.click("button", "Put back")
    browser.click("dialog button", "Put back")
    browser.see("passing", "h1")
    browser.click("button", "Deregister")
    browser.see("It comes back only if it registers again.", "dialog")
    browser.press("Escape")
    browser.wait("the dialog is closed", "return !document.getElementById('dialog').open")
    browser.click("button", "Deregister")
    browser.click("dialog button", "Deregister")
    browser.see("It is not registered any more.", "main")
    browser.see("deregistered", "section[aria-labelledby=history]")
    assert browser.run("return document.querySelectorAll('main img, main script').length") == 0
    assert "broken" not in browser.run("return document.title")


def test_events(browser: webdriver.Browser, server: world.Server) -> None:
    """Changes appear as they happen, and stop doing so when they are held."""
    show(browser, "Events", "#/events")
    browser.see("Live", "h1 + p")
    server.register(world.instance("news", 1, "10.88.0", 8080))
    browser.see("registered", "[role=log] li:first-child")
    browser.see("10.88.0.1:8080", "[role=log] li:first-child")
    browser.click("button", "Pause")
    browser.see("Paused", "h1 + p")
    heading = "return document.querySelector('h1 + p').innerText"
    before = browser.run(heading)
    server.call("DELETE", "/api/v1/services/news-1")
    browser.wait("it is counted", heading + " !== arguments[0]", before)
    browser.see("registered", "[role=log] li:first-child")
    browser.click("button", "Pause")
    browser.see("deregistered", "[role=log] li:first-child")
    browser.type("payments", "#search")
    browser.see_no("news", "[role=log]")
    browser.type("", "#search")


def test_explain(browser: webdriver.Browser) -> None:
    show(browser, "Explain", "#/explain")
    # What is typed and chosen stays, as the focus does, while the page is drawn anew: so it is after each look at the
    # figures.
    browser.type("payments", "#search")
    browser.press("Tab", "S")
    browser.run("performance.clearResourceTimings()")
    browser.wait("two more looks", """
        return performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/metrics")).length > 1
        """)
    assert browser.run("return [...document.querySelectorAll('#search, #type')].map(({ value }) => value)") == [
        "payments", "SRV"]
    assert browser.focused() == "Type"
    browser.press("Tab", "Enter")
    browser.see("payments.service.kong", ".explained")
    browser.see("NOERROR", "section[aria-labelledby=answer-SRV]")
    show(browser, "Explain", "#/explain?name=payments.service.kong")
    browser.see("10.20.5.1", "section[aria-labelledby=answer-A]")
    browser.wait("the list follows the address", "return document.getElementById('type').value === ''")
    browser.see("http: 503 Service Unavailable from /healthz", "section[aria-labelledby=instances]")
    show(browser, "Explain", "#/explain?name=paymentz.service.kong&type=A")
    browser.see("NXDOMAIN", "section[aria-labelledby=answer-A]")
    browser.see("payments.service.kong", "section[aria-labelledby=nearest]")
    show(browser, "Explain", "#/explain?name=" + "a" * 64 + ".example")
    browser.see("is not a domain name", "[role=alert]")


def test_figures(browser: webdriver.Browser) -> None:
    """Plots have lines, and their values are there for the arrow keys; the cache is emptied."""
    show(browser, "Overview", "#/")
    browser.wait("three plots with lines", """
        return [...document.querySelectorAll(".plot")].filter((plot) =>
          plot.querySelector(".line").getAttribute("d").includes("L")).length === 3
        """)
    number = "return Number.parseFloat(document.querySelector('.plot-number').innerText.replace(',', ''))"
    browser.wait("a rate of queries", number + " > 50")
    browser.see("503 Service Unavailable", "section[aria-labelledby=troubles]")
    browser.run("document.querySelector('.plot-area').focus()")
    browser.press("ArrowLeft", "ArrowLeft")
    browser.see("s ago", ".plot-span")
    browser.press("Escape")
    browser.see_no("s ago", ".plot-span")
    show(browser, "Traffic", "#/traffic")
    browser.see("answers", "section[aria-labelledby=upstreams]")
    browser.see("oders.service.kong", "section[aria-labelledby=failures]")
    browser.see("orders.service.kong", "section[aria-labelledby=asked]")
    browser.click("button", "Empty the cache")
    browser.click("dialog button", "Empty the cache")
    browser.see("removed from the cache", "#notice")
    browser.click("a", "REFUSED")
    browser.see("No REFUSED lately.", "section[aria-labelledby=failures]")


def test_keyboard(browser: webdriver.Browser, server: world.Server) -> None:
    """Without a mouse: from the first Tab to a drained instance."""
    show(browser, "Overview", "#/")
    browser.run("location.reload()")
    browser.see("Overview", "h1")
    browser.press("Tab")
    assert browser.focused() == "Skip to the content"
    browser.press("Enter")
    assert browser.run("return document.activeElement.id") == "main"
    browser.tab_to("Services", is_backwards=True)
    browser.press("Enter")
    browser.see("Services", "h1")
    assert browser.focused() == "Services", "a new page begins at its heading"
    browser.press("/")
    assert browser.run("return document.activeElement.id") == "search"
    browser.type("users")
    browser.wait("one row", "return document.querySelectorAll('tbody tr').length === 1")
    browser.tab_to("users")
    browser.press("Enter")
    browser.see("users-1", "tbody")
    browser.tab_to("Drain users-1")
    browser.press("Enter")
    browser.see("Drain this instance?", "dialog")
    assert browser.focused() == "Cancel", "the careful choice has the focus"
    browser.press("Tab", "Enter")
    browser.see("users-1 is draining", "#notice")
    assert server.call("GET", "/api/v1/services/users-1")["status"] == "draining"
    browser.wait("the focus is where it was", "return document.activeElement.ariaLabel === 'Put back users-1'")
    browser.press("Enter")
    browser.see("Put this instance back?", "dialog")
    browser.press("Escape")
    browser.wait("the dialog is closed", "return !document.getElementById('dialog').open")
    server.call("PATCH", "/api/v1/services/users-1", {"draining": False})


def test_looks(browser: webdriver.Browser) -> None:
    """At 360 px nothing is wider than the page, in no theme does axe-core find anything."""
    found = []
    for width in (1280, 360):
        browser.resize(width, 800)
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            for title, address in VIEWS.items():
                show(browser, title, address)
                found += flaws(browser, f"{title}, {width} px, {scheme}")
            show(browser, "orders-1", VIEWS["orders-1"])
            browser.click("button", "Deregister")
            browser.see("Deregister this instance?", "dialog")
            found += flaws(browser, f"a question, {width} px, {scheme}")
            browser.press("Escape")
    assert not found, "\n".join(found)
    browser.resize(1280, 860)
    # A choice holds over what the system prefers, and over a visit.
    color = "return getComputedStyle(document.body).color"
    dark = browser.run(color)
    browser.click("button", "Switch to the light theme")
    assert browser.run(color) != dark
    browser.run("location.reload()")
    browser.find("button", "Switch to the dark theme")
    assert browser.run(color) != dark
    browser.run("localStorage.clear()")


def flaws(browser: webdriver.Browser, what: str) -> list[str]:
    """What keeps somebody out of the view that is shown."""
    excess = browser.run("return document.documentElement.scrollWidth - innerWidth")
    wide = [f"{what}: {excess} px too wide"] if excess > 0 else []
    if not browser.run("return 'axe' in window"):
        browser.run(axe() + "\nwindow.axe = axe")
    found = browser.run("""
        return axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map((one) =>
          [one.id, ...one.nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`)].join("\\n")))
        """)
    return wide + [f"{what}: {one}" for one in found]


def test_tokens(browser: webdriver.Browser, program: str) -> None:
    """A tab signs in, sees what its token may see, and forgets it."""
    with tempfile.TemporaryDirectory() as folder, \
            world.serving(program, pathlib.Path(folder), ["admin", "read"]) as (server, (admin, reader)):
        world.fill_shop(server)
        browser.open(server.url + "/#/services/orders")
        browser.see("Sign in", "h1")
        assert browser.focused() == "Token"
        assert not flaws(browser, "Sign in")
        browser.type("wrong")
        browser.press("Enter")
        browser.see("this token is unknown", "[role=alert]")
        browser.type("two words", "#token")
        browser.press("Enter")
        browser.see("a token has no spaces", "[role=alert]")
        browser.type(reader, "#token")
        browser.press("Enter")
        browser.see("orders-1", "tbody")
        browser.click("button", "Drain orders-1")
        browser.click("dialog button", "Drain")
        browser.see("has not the role write", "dialog [role=alert]")
        browser.press("Escape")
        # The tab keeps it over a visit; nothing else does.
        browser.run("location.reload()")
        browser.see("orders-1", "tbody")
        assert browser.run("return [localStorage.length, document.cookie]") == [0, ""]
        assert reader not in browser.run("return location.href")
        assert reader in browser.run("return Object.values(sessionStorage)")
        browser.click("button", "Sign out")
        browser.see("Sign in", "h1")
        assert browser.run("return sessionStorage.length") == 0
        browser.see_no("orders-1", "body")
        browser.type(admin, "#token")
        browser.press("Enter")
        browser.see("orders-1", "tbody")
        server.report("orders-2", "http", "critical", "it is told with a token too")
        browser.see("it is told with a token too", "tbody")
        browser.click("button", "Sign out")
        check_log(browser, server.url, allowed=["401", "403"])


def check_log(browser: webdriver.Browser, url: str, allowed: list[str]) -> None:
    """Nothing broke the page's policy, no script failed, and nothing was asked of anybody else."""
    browser.collect()
    bad = [entry["message"] for entry in browser.console if not any(
        f"responded with a status of {status}" in entry["message"] for status in allowed)]
    assert not bad, "\n".join(bad[:5])
    strangers = {request for request in browser.requests if not request.startswith((url + "/", "data:"))}
    assert not strangers and browser.requests, strangers
    browser.forget()


def test_outage(browser: webdriver.Browser, program: str) -> None:
    """When the server goes, the page says so, and when it comes back, it goes on."""
    port = world.free_port()
    with tempfile.TemporaryDirectory() as folder:
        with world.serving(program, pathlib.Path(folder), port=port) as (server, _):
            browser.open(server.url)
            browser.see("Nothing is registered yet.", "main")
            browser.see("Healthy", "#state")
        browser.see("Disconnected", "#state")
        with world.serving(program, pathlib.Path(folder), port=port) as (server, _):
            browser.see("Healthy", "#state")
            server.register(world.instance("late", 1, "10.77.0", 8080))
            browser.see("late", "section[aria-labelledby=changes]")


def take_screenshots(browser: webdriver.Browser, server: world.Server) -> None:
    """Leaves pictures of the shop, once its plots have something to show."""
    folder = PROJECT / "docs/images"
    folder.mkdir(parents=True, exist_ok=True)
    show(browser, "Overview", "#/")
    for change in world.busy_day(server):
        change()
        time.sleep(9)
    for name, scheme, width, height, title, address in [
        ("dashboard-light", "light", 1280, 900, "Overview", "#/"),
        ("dashboard-dark", "dark", 1280, 900, "payments-3", "#/services/payments/payments-3"),
        ("dashboard-phone", "light", 360, 780, "Services", "#/services"),
    ]:
        browser.prefer(scheme)
        browser.resize(width, height)
        show(browser, title, address)
        browser.run("document.activeElement.blur()")
        time.sleep(1)
        browser.screenshot(folder / f"{name}.png")
    browser.prefer("light")
    browser.resize(1280, 860)


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    program = str(pathlib.Path(arguments[0] if arguments else PROJECT / ".build/debug/kong-discovery").resolve())
    start = time.monotonic()

    def step(test, *parameters) -> None:
        test(*parameters)
        print(f"{time.monotonic() - start:5.1f} s  {test.__name__}", flush=True)

    with tempfile.TemporaryDirectory() as name, world.upstream() as upstream:
        folder = pathlib.Path(name)
        with webdriver.chromium(folder / "profile") as browser:
            browser.prefer("light")
            browser.resize(1280, 860)
            with world.serving(program, folder, upstream=upstream) as (server, _), world.Load(server.dns_port):
                world.fill_shop(server)
                browser.open(server.url)
                browser.see("Overview", "h1")
                if "--screenshots" in sys.argv:
                    step(take_screenshots, browser, server)
                step(test_figures, browser)
                step(test_explain, browser)
                step(test_events, browser, server)
                step(test_services, browser, server)
                step(test_service, browser, server)
                step(test_instance, browser, server)
                step(test_keyboard, browser, server)
                # axe-core does what the page's policy forbids to the page.
                step(check_log, browser, server.url, ["404", "422"])
                step(test_looks, browser)
                browser.open("about:blank")
                browser.forget()
            step(test_tokens, browser, program)
            step(test_outage, browser, program)
    print("the dashboard is as it should be")


main()
