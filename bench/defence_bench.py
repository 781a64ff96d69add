"""What its defences cost DNS: a server that limits equal responses (far above what is asked, so that each is counted and none
is dropped), and one with thousands of networks in `dns.allow`, against one without either, in turns."""

import pathlib

import turns

# As many as one variable of the environment holds.
NETWORKS = [f"10.{number >> 7}.{number % 128 * 2}.0/24" for number in range(7000)]
SETTINGS = {
    "off": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "0", "KONG_DISCOVERY_DNS_COOKIES": "false"},
    "limited": {"KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "1000000"},
    "listed": {
        "KONG_DISCOVERY_DNS_RATE_LIMIT_RESPONSES_PER_SECOND": "0",
        "KONG_DISCOVERY_DNS_ALLOW": ",".join([*NETWORKS, "127.0.0.0/8"]),
    },
}


def run(directory, binary, rounds, seconds, services, log=print):
    """All figures: see ``turns.run``."""
    return turns.run(pathlib.Path(directory), "defence", binary, SETTINGS, rounds, seconds, services, log)


def text(results):
    """The figures as a table."""
    return turns.text("A, defended", {kind: kind for kind in SETTINGS}, results)
