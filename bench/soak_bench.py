"""Whether memory stays flat: tens of millions of queries while the zone changes millions of times. Half of the changes
alter what stays, the others are instances under names of their own that come, and expire 2 s later."""

import contextlib
import json
import pathlib
import threading
import time

import dns_bench
import zone
from ours import batch_bodies, register_all, start_ours
from processes import resident_mebibytes
from report import table

BATCH_ITEMS = 1_000
# One of so many items is new and expires, which makes two changes: as many as the two others make.
NEW_SHARE = 3
PASSING_SERVICES = 500
PASSING_TTL_SECONDS = 2
SAMPLES = 20
LONGEST_RUN_SECONDS = 5
SETTINGS = {
    # Whole services come and go on purpose.
    "KONG_DISCOVERY_HEARTBEAT_MASS_EXPIRY_BRAKE": "1",
    "KONG_DISCOVERY_DNS_EMPTY_GRACE": "0s",
    "KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "1000000",
}


def batch(number, services):
    """Items of which two thirds alter an instance, and one third is new and passes."""
    items = []
    for index in range(BATCH_ITEMS):
        serial = number * BATCH_ITEMS + index
        if index % NEW_SHARE:
            item = zone.registration(serial % services, serial // services % zone.INSTANCES_PER_SERVICE)
            # A port that it did not have.
            items.append(item | {"port": 1024 + serial // (services * zone.INSTANCES_PER_SERVICE) % 60_000})
        else:
            name = f"passing-{serial % PASSING_SERVICES}"
            items.append(
                {
                    "id": f"passing-{serial}",
                    "name": name,
                    "ip": f"10.200.{serial >> 8 & 255}.{serial & 255}",
                    "port": 80,
                    "ttl": PASSING_TTL_SECONDS,
                }
            )
    return json.dumps({"register": items}).encode()


def last_index(client):
    """How many changes the registry has seen."""
    client.connection.request("GET", "/api/v1/services?limit=1")
    response = client.connection.getresponse()
    response.read()
    return int(response.getheader("X-Registry-Index"))


class Changes(threading.Thread):
    """Changes the zone until it has changed so often, at the pace that spreads this over the queries."""

    def __init__(self, server, services, wanted, progress):
        super().__init__()
        self.server, self.services, self.wanted, self.progress = server, services, wanted, progress
        self.made, self.problem, self.is_over = 0, None, False

    def run(self):
        try:
            with self.server.client() as client:
                first, number = last_index(client), 0
                while not self.is_over and self.made < self.wanted:
                    if self.made > self.progress() * self.wanted:
                        time.sleep(0.01)
                    else:
                        register_all(client, [batch(number, self.services)])
                        number += 1
                    self.made = last_index(client) - first
        except Exception as error:  # told to whoever waits for this thread
            self.problem = error


def run(directory, binary, queries, changes, services, log=print):
    """The resident memory as the queries and changes go on, and what it is in the end."""
    directory = pathlib.Path(directory) / "soak"
    directory.mkdir()
    asked = {type_name: directory / type_name for type_name in ("A", "SRV")}
    for type_name, path in asked.items():
        path.write_text(zone.query_file(services, type_name))
    with contextlib.ExitStack() as stack:
        server = start_ours(stack, directory, binary, SETTINGS)
        with server.client() as client:
            register_all(client, batch_bodies(zone.registrations(services * zone.INSTANCES_PER_SERVICE)))
        done, samples = 0, []
        thread = Changes(server, services, changes, lambda: done / queries)
        thread.start()
        try:
            start = time.monotonic()
            while (done < queries or thread.made < changes) and thread.problem is None:
                for type_name, path in asked.items():
                    seconds = min(LONGEST_RUN_SECONDS, max(0.2, queries / 2_000_000))
                    done += dns_bench.measure(server, type_name, "closed_loop", path, seconds)["answers"]
                if done >= queries * len(samples) / SAMPLES:
                    samples.append(
                        {
                            "queries": done,
                            "changes": thread.made,
                            "resident_mebibytes": resident_mebibytes(server.process.process_id),
                        }
                    )
                    log(f"soak: {json.dumps(samples[-1])}")
        finally:
            thread.is_over = True
            thread.join()
        if thread.problem:
            raise thread.problem
        seconds = time.monotonic() - start
    return {"seconds": seconds, "samples": samples}


def text(results):
    """The figures as a table."""
    rows = [["soak: queries", "changes", "resident MiB"]]
    for sample in results["samples"]:
        rows.append([f"{sample['queries']:,}", f"{sample['changes']:,}", f"{sample['resident_mebibytes']:.1f}"])
    return table(rows, "")
