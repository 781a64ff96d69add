"""The zone that every server serves: services with four instances each, as zone file, as REST bodies, as queries."""

import random

DOMAIN = "service.kong"
INSTANCES_PER_SERVICE = 4
PORT = 8080
TTL_SECONDS = 5


def service_name(number):
    """The name of a service; the first 10,000 are of one length, so that all answers have one size."""
    return f"svc{number:04d}"


def address(number, instance, network=10):
    """The address of an instance of a service: no two alike (up to 4 million services)."""
    value = number * INSTANCES_PER_SERVICE + instance + 1
    return f"{network}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def target(ip):
    """The name that an SRV record gives as its target."""
    return "".join(f"{int(part):02x}" for part in ip.split(".")) + f".addr.{DOMAIN}"


def zone_file(services):
    """The zone for NSD and Knot, as a zone file."""
    lines = [
        f"$ORIGIN {DOMAIN}.",
        f"$TTL {TTL_SECONDS}",
        f"@ SOA ns.{DOMAIN}. hostmaster.{DOMAIN}. 1 3600 600 86400 1",
        f"@ NS ns.{DOMAIN}.",
        "ns A 127.0.0.1",
    ]
    for number in range(services):
        name = service_name(number)
        for instance in range(INSTANCES_PER_SERVICE):
            ip = address(number, instance)
            lines.append(f"{name} A {ip}")
            lines.append(f"{name} SRV 0 1 {PORT} {target(ip)}.")
            lines.append(f"{target(ip)}. A {ip}")
    return "\n".join(lines) + "\n"


def query_file(services, type_name):
    """Each service once, in an order that is shuffled but the same every time."""
    numbers = list(range(services))
    random.Random(2).shuffle(numbers)
    return "".join(f"{service_name(number)}.{DOMAIN} {type_name}\n" for number in numbers)


def instance_id(number, instance):
    """The registered id of an instance."""
    return f"{service_name(number)}-{instance}"


def registration(number, instance, ttl_seconds=0, network=10):
    """An instance as the REST API takes it; permanent unless a ttl is given."""
    return {
        "id": instance_id(number, instance),
        "name": service_name(number),
        "ip": address(number, instance, network),
        "port": PORT,
        "ttl": ttl_seconds,
    }


def registrations(instances, ttl_seconds=0):
    """The first `instances` instances, service by service."""
    return (
        registration(number // INSTANCES_PER_SERVICE, number % INSTANCES_PER_SERVICE, ttl_seconds)
        for number in range(instances)
    )
