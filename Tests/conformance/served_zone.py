"""The zone that all three servers serve: what is registered with ours, and the zone file that says the same."""

import ipaddress

DOMAIN = "service.kong"
TTL_SECONDS = 5
ADDRESS_TTL_SECONDS = 86_400
NEGATIVE_TTL_SECONDS = 1


def instance(name, ip, port, **fields):
    """An instance as the REST API takes it; permanent, with weight 1."""
    return {"name": name, "ip": ip, "port": port, "ttl": 0, "weight": 1, **fields}


# Each kind of answer: one family or both, one protocol or both, tags, weights, and sets of all lengths around 512 and
# 1,232 octets. All instances of a service have one priority, for ours shows the best one only, and the weights of a
# name have no common divisor, for ours divides by it.
INSTANCES = [
    instance("one", "10.0.0.1", 80),
    *(instance("web", f"10.0.1.{number}", 8080, tags=["v1", "blue"][: number % 3]) for number in range(1, 5)),
    *(instance("dual", ip, 443, priority=7) for ip in ("10.0.2.1", "fd00::1", "10.0.2.2", "fd00::2")),
    instance("six", "fd00::6", 65535, priority=65535, tags=["v6"]),
    *(instance("udp", f"10.0.3.{number}", 53, protocol="udp") for number in range(1, 3)),
    instance("mixed", "10.0.4.1", 53, protocol="tcp"),
    instance("mixed", "10.0.4.1", 55, protocol="udp", weight=2),
    instance("mixed", "10.0.4.2", 54, protocol="udp", weight=3),
    *(instance("weighted", f"10.0.5.{number}", 80, weight=number) for number in (1, 3, 5)),
    instance("l" * 63, "10.0.6.1", 1, tags=["t" * 63]),
    instance("x-1", "10.0.6.2", 1, tags=["a", "b", "one", "web"]),
    *(
        instance(f"set{count}", f"10.1.{count}.{number}", 80)
        for count in (8, 12, 13, 20, 29, 30, 40, 75, 80, 120)
        for number in range(1, count + 1)
    ),
    *(instance(f"sixes{count}", f"fd00::{count}:{number}", 80) for count in (17, 43) for number in range(1, count + 1)),
]
ADDRESSES = sorted({ipaddress.ip_address(item["ip"]).exploded for item in INSTANCES})


def target(ip):
    """The name that an SRV record gives as its target."""
    return f"{ipaddress.ip_address(ip).packed.hex()}.addr.{DOMAIN}"


def records():
    """All records of the services and addresses, each once: (owner, TTL, type, data)."""
    found = {}
    for item in INSTANCES:
        ip, name = ipaddress.ip_address(item["ip"]), item["name"]
        type_name = "A" if ip.version == 4 else "AAAA"
        service = f"{item.get('priority', 0)} {item['weight']} {item['port']} {target(ip)}."
        for owner in [name, *(f"{tag}.{name}" for tag in item.get("tags", []))]:
            found[f"{owner}.{DOMAIN}", TTL_SECONDS, type_name, str(ip)] = True
            found[f"{owner}.{DOMAIN}", TTL_SECONDS, "SRV", service] = True
        # A label has at most 63 octets: a longer service name has no such name.
        if len(name) < 63:
            found[f"_{name}._{item.get('protocol', 'tcp')}.{DOMAIN}", TTL_SECONDS, "SRV", service] = True
        found[target(ip), ADDRESS_TTL_SECONDS, type_name, str(ip)] = True
    return list(found)


def zone_file(serial):
    """The zone for NSD and Knot. The serial is the only thing that ours is asked for."""
    lines = [
        f"$ORIGIN {DOMAIN}.",
        f"@ {TTL_SECONDS} SOA ns.{DOMAIN}. hostmaster.{DOMAIN}. {serial} 3600 600 86400 {NEGATIVE_TTL_SECONDS}",
        f"@ {TTL_SECONDS} NS ns.{DOMAIN}.",
        f"ns {TTL_SECONDS} A 127.0.0.1",
        *(f"{owner}. {ttl} {type_name} {data}" for owner, ttl, type_name, data in records()),
    ]
    return "\n".join(lines) + "\n"


def names():
    """All names that exist, empty non-terminals too."""
    found = {DOMAIN, f"ns.{DOMAIN}"} | {owner for owner, *_ in records()}
    for name in list(found):
        while name != DOMAIN:
            name = name.split(".", 1)[1]
            found.add(name)
    return sorted(found)
