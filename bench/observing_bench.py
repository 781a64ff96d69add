"""What it costs DNS that somebody looks: a server that logs a share of its queries to a file, and one that is scraped
once a second, against one of which nobody wants to know anything: in turns, and by instructions."""

import contextlib
import pathlib
import threading

import instructions
import turns

SHARE = "0.01"
# Prometheus scrapes every 15 s or so.
SCRAPES_PER_SECOND = 1
LABELS = {"plain": "plain", "logged": "logged 1 %", "scraped": "scraped"}


@contextlib.contextmanager
def scraping(server):
    """Meanwhile `GET /metrics` is asked for again and again."""
    ended = threading.Event()

    def scrape():
        with server.client() as client:
            while not ended.wait(1 / SCRAPES_PER_SECOND):
                client.expect({200}, "GET", "/metrics")

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def meanwhile(kind, server):
    """What goes on while a kind is measured."""
    return scraping(server) if kind == "scraped" else contextlib.nullcontext()


def run(directory, binary, rounds, seconds, services, log=print):
    """All figures: see ``turns.run``."""
    directory = pathlib.Path(directory)
    settings = {
        kind: {
            "KONG_DISCOVERY_QUERY_LOG_SAMPLE": SHARE if kind == "logged" else "0",
            "KONG_DISCOVERY_QUERY_LOG_FILE": str(directory / "observing" / kind / "queries.log"),
        }
        for kind in LABELS
    }
    results = turns.run(directory, "observing", binary, settings, rounds, seconds, services, log, meanwhile)
    # Nobody scrapes there: a scrape's instructions are none of the worker's.
    counted = {kind: settings[kind] for kind in ("plain", "logged")}
    counts = instructions.run(directory, "observing", binary, counted, 2 * seconds, services, log)
    return {"turns": results, "instructions": counts}


def text(results):
    """The figures as a table, and in words."""
    return turns.text("A, observed", LABELS, results["turns"]) + "\n" + instructions.text(results["instructions"])
