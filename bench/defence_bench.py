"""What its defences cost DNS: a server that limits equal responses (far above what is asked, so that each is counted
and none is dropped), and one with 50,000 networks in `dns.allow`, against one without either: in turns, and by
instructions."""

import pathlib

import instructions
import turns

# No two next to each other, which would be one; beside them that of the load.
NETWORKS = [f"{1 + (number >> 15)}.{number >> 7 & 255}.{number % 128 * 2}.0/24" for number in range(50_000)]
CONFIGURATIONS = {"listed": "dns:\n  allow:\n" + "".join(f"  - {network}\n" for network in [*NETWORKS, "127.0.0.0/8"])}
SETTINGS = {
    "off": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "0", "KONG_DISCOVERY_DNS_COOKIES": "false"},
    "limited": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "1000000"},
    "listed": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "0", "KONG_DISCOVERY_DNS_COOKIES": "false"},
}


def run(directory, binary, rounds, seconds, services, log=print, smoke=False):
    """All figures: see ``turns.run`` and ``instructions.run``."""
    common = (pathlib.Path(directory), "defence", binary, SETTINGS)
    results = {"turns": turns.run(*common, rounds, seconds, services, log, configurations=CONFIGURATIONS)}
    # 50,000 networks are slow to read under valgrind, and `observing` tries the same.
    if not smoke:
        results["instructions"] = instructions.run(*common, 2 * seconds, services, log, configurations=CONFIGURATIONS)
    return results


def text(results):
    """The figures as a table, and in words."""
    table = turns.text("A, defended", {kind: kind for kind in SETTINGS}, results["turns"])
    counts = results.get("instructions")
    return table + "\n" + instructions.text(counts) if counts else table
