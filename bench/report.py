"""From results to text: the tables, and what the thresholds in thresholds.json say of them."""

import json

from dns_bench import DISTURBED_SHARE
from processes import BENCH

THRESHOLDS = BENCH / "thresholds.json"


def table(rows, indent="  "):
    """Rows of text as columns: the first left-aligned, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def ratios(medians, key):
    """Ours against each other server, so that above 1 is better for us; empty without ours."""
    more_is_better = key == "answers_per_second"
    found = {name: median["ours_by_theirs"].get(key) for name, median in medians.items() if "ours_by_theirs" in median}
    return {name: ratio if more_is_better else 1 / ratio for name, ratio in found.items() if ratio}


def dns_text(results):
    """The tables of the DNS comparison."""
    parts = [
        f"DNS, one worker, {results['services']:,} services x 4 instances; medians of {results['rounds']} interleaved "
        f"rounds of {results['seconds']:g} s"
    ]
    for type_name, tools in results["figures"].items():
        octets = ", ".join(f"{name} {sizes[type_name]}" for name, sizes in results["sizes"].items())
        for tool, medians in tools.items():
            rows = [["", "answers/s", "spread", "CPU us/answer", "busy", "p50 us", "p99 us", "lost"]]
            for name, median in medians.items():
                p50, p99 = (
                    (f"{median['p50_microseconds']:.0f}", f"{median['p99_microseconds']:.0f}")
                    if "p50_microseconds" in median
                    else (f"avg {median['average_microseconds']:.0f}", "-")
                )
                rows.append(
                    [
                        name,
                        f"{median['answers_per_second']:,.0f}",
                        f"{median['spread']:.0%}",
                        f"{median['server_cpu_microseconds_per_answer']:.2f}",
                        f"{median['server_busy']:.0%}",
                        p50,
                        p99,
                        f"{median['lost']:.0f}",
                    ]
                )
            parts.append(f"\n{type_name} by {tool} (answers of {octets} octets)\n{table(rows)}")
            for key, what in (
                ("answers_per_second", "answers/s"),
                ("server_cpu_microseconds_per_answer", "answers per CPU second"),
            ):
                text = ", ".join(f"ours/{name} {ratio:.2f}" for name, ratio in ratios(medians, key).items())
                if text:
                    parts.append(f"  {what}: {text}")
            repeated = sum(median["repeated"] for median in medians.values())
            if repeated:
                parts.append(f"  {repeated} disturbed rounds were run again")
            disturbed = {name: m["disturbed"] for name, m in medians.items() if m["disturbed"] > DISTURBED_SHARE}
            if disturbed:
                shares = ", ".join(f"{name} {share:.0%}" for name, share in disturbed.items())
                parts.append(f"  WARNING: still disturbed; something else had a core for part of a round: {shares}")
    return "\n".join(parts)


def rest_text(results):
    """The REST figures as one table, and those of the zone that changes as another."""
    rows = [["REST, server on one core", "rate/s", "p50 us", "p99 us", "CPU us"]]
    for name in ("registrations", "heartbeats"):
        part = results[name]
        rows.append(
            [
                f"{name}, 64 connections",
                f"{part['requests_per_second']:,.0f}",
                f"{part['p50_microseconds']:.0f}",
                f"{part['p99_microseconds']:.0f}",
                f"{part['server_cpu_microseconds_per_request']:.1f}",
            ]
        )
    for items, part in results["batch"].items():
        cpu = f"{part['server_cpu_microseconds_per_instance']:.1f}"
        rows.append([f"instances by batches of {items}", f"{part['instances_per_second']:,.0f}", "", "", cpu])
    for part in results["publication"].values():
        rows.append(
            [
                f"one registration after the other, {part['instances']:,} loaded",
                f"{1e6 / part['median_microseconds']:,.0f}",
                f"{part['median_microseconds']:.0f}",
                f"{part['p99_microseconds']:.0f}",
                f"{part['server_cpu_microseconds_per_registration']:.1f}",
            ]
        )
    changing = [["DNS while the zone changes", "answers/s", "worker CPU us/answer", "p99 us", "lost", "changes/s"]]
    for kind in ("idle", "control", "changing"):
        part = results["while_changing"][kind]
        changing.append(
            [
                kind,
                f"{part['answers_per_second']:,.0f}",
                f"{part['worker_cpu_microseconds_per_answer']:.2f}",
                f"{part['p99_microseconds']:.0f}",
                f"{part['lost']:.0f}",
                f"{part['registrations_per_second']:,.0f}",
            ]
        )
    large = results["publication"]["large"]
    memory = f"  {large['instances']:,} instances: {large['server_resident_mebibytes']:,.0f} MiB resident"
    share = f"  2,000 changes/s and no query: {results['while_changing']['share_of_worker']:.1%} of the worker's core"
    return f"{table(rows, '')}\n{memory}\n\n{table(changing, '')}\n{share}"


def storage_text(results):
    """The figures of storage as one table."""
    rows = [["storage, server on one core", "rate/s", "p50 us", "p99 us", "CPU us"]]
    parts = [(f"{store} {name}", results[store][name]) for store, name in (
        ("sqlite", "registrations"), ("etcd", "registrations"), ("etcd", "heartbeats"))]
    for name, part in parts:
        rows.append(
            [
                f"{name}, 64 connections",
                f"{part['requests_per_second']:,.0f}",
                f"{part['p50_microseconds']:.0f}",
                f"{part['p99_microseconds']:.0f}",
                f"{part['server_cpu_microseconds_per_request']:.1f}",
            ]
        )
    for items, part in results["sqlite"]["batch"].items():
        cpu = f"{part['server_cpu_microseconds_per_instance']:.1f}"
        rows.append([f"sqlite instances by batches of {items}", f"{part['instances_per_second']:,.0f}", "", "", cpu])
    lines = [table(rows, "")]
    for what, part in (("sqlite, start with", results["sqlite"]["start"]), ("etcd, joining", results["etcd"]["join"])):
        lines.append(
            f"  {what} {part['instances']:,} instances: DNS answers after {part['seconds']:.1f} s, "
            f"{part['resident_mebibytes']:,.0f} MiB resident"
        )
    way = results["etcd"]["propagation"]
    lines.append(
        f"  etcd, from POST at one node to DNS at the other: p50 {way['p50_milliseconds']:.1f} ms, "
        f"p95 {way['p95_milliseconds']:.1f} ms"
    )
    return "\n".join(lines)


def figures(results):
    """The single figures that thresholds name, from whatever parts were run."""
    found = {}
    for type_name, tools in results.get("dns", {}).get("figures", {}).items():
        for tool, medians in tools.items():
            for key, what in (("answers_per_second", "answers"), ("server_cpu_microseconds_per_answer", "cpu")):
                for name, ratio in ratios(medians, key).items():
                    found[f"dns.{type_name}.{tool}.{what}.ours/{name}"] = ratio
    for kind, medians in results.get("forward", {}).get("figures", {}).items():
        for name, ratio in ratios(medians, "answers_per_second").items():
            found[f"forward.{kind}.answers.ours/{name}"] = ratio
        for name, ratio in ratios(medians, "server_cpu_microseconds_per_answer").items():
            found[f"forward.{kind}.cpu.ours/{name}"] = ratio
        for name, ratio in ratios(medians, "p99_microseconds").items():
            found[f"forward.{kind}.p99.ours/{name}"] = 1 / ratio
    if "forward" in results:
        found["forward.bytes_per_entry"] = results["forward"]["bytes_per_entry"]
    floods = results.get("flood", {}).get("figures", {})
    for kind, median in floods.items():
        if kind != "idle":
            found[f"flood.{kind}.p99_loaded/idle"] = median["p99_microseconds"] / floods["idle"]["p99_microseconds"]
    for name, value in results.get("hot_path", {}).get("worst", {}).items():
        found[f"hot_path.{name}_per_answer"] = value
    rest = results.get("rest")
    if rest:
        changing = rest["while_changing"]
        median = "median_microseconds"
        found |= {
            "rest.registrations_per_second": rest["registrations"]["requests_per_second"],
            "rest.registrations_p99_milliseconds": rest["registrations"]["p99_microseconds"] / 1e3,
            "rest.heartbeats_per_second": rest["heartbeats"]["requests_per_second"],
            # The slower of the batch sizes has to do it.
            "rest.batch_instances_per_second": min(p["instances_per_second"] for p in rest["batch"].values()),
            "rest.publication_large/small": rest["publication"]["large"][median]
            / rest["publication"]["small"][median],
            "rest.dns_capacity_while_changing": 1 - changing["share_of_worker"],
            "rest.changes_per_second": changing["changing"]["registrations_per_second"],
        }
    for name, kinds in results.get("tls", {}).items():
        found[f"tls.{name}.tls/plain"] = kinds["requests_per_second"]["tls/plain"]
    for figure, part in results.get("tokens", {}).items():
        found[f"tokens.{figure}.with/without"] = part["ratio"]
    for name, first in (("observing", "plain"), ("defence", "off")):
        for kind, part in results.get(name, {}).get("instructions", {}).get("kinds", {}).items():
            if kind != first:
                found[f"{name}.hot_path.{kind}/{first}"] = part["hot_path_ratio"]
    if scrape := results.get("scrape"):
        found["scrape.p95_milliseconds"] = max(part["loaded"]["p95_milliseconds"] for part in scrape.values())
        found["scrape.registrations_p99_milliseconds"] = max(
            part["registrations_p99_microseconds"]["scraped"] / 1e3 for part in scrape.values()
        )
    if checks := results.get("checks"):
        found["checks.core_share"] = checks["core_share"]
        found["checks.dns_p99_checking/idle"] = (
            checks["checking"]["p99_microseconds"] / checks["idle"]["p99_microseconds"]
        )
        found["checks.departure_milliseconds_late"] = checks["departure"]["worst_milliseconds_late"]
    if events := results.get("events"):
        found["events.p99_milliseconds"] = events["latency"]["p99_milliseconds"]
        found["events.changes_per_second_to_100_readers"] = events["fanout"]["changes_per_second"]
    for name, sizes in results.get("change", {}).items():
        if {100, 10_000} <= sizes.keys():
            # The worst kind of change has to do it.
            found[f"change.{name}.10000/100"] = max(sizes[10_000][kind] / sizes[100][kind] for kind in sizes[100])
    storage = results.get("storage")
    if storage:
        sqlite, etcd = storage["sqlite"], storage["etcd"]
        found |= {
            "storage.sqlite.registrations_per_second": sqlite["registrations"]["requests_per_second"],
            "storage.sqlite.registrations_p99_milliseconds": sqlite["registrations"]["p99_microseconds"] / 1e3,
            "storage.sqlite.batch_instances_per_second": max(
                p["instances_per_second"] for p in sqlite["batch"].values()
            ),
            "storage.sqlite.start_seconds": sqlite["start"]["seconds"],
            "storage.etcd.registrations_per_second": etcd["registrations"]["requests_per_second"],
            "storage.etcd.heartbeats_per_second": etcd["heartbeats"]["requests_per_second"],
            "storage.etcd.propagation_p95_milliseconds": etcd["propagation"]["p95_milliseconds"],
            "storage.etcd.join_seconds": etcd["join"]["seconds"],
        }
    return found


def check_thresholds(found):
    """What each threshold says of the figures: rows for people, and how many were missed."""
    rows, missed = [["figure", "is", "required", ""]], 0
    for threshold in json.loads(THRESHOLDS.read_text()):
        name = threshold["figure"]
        at_least, at_most = threshold.get("at_least"), threshold.get("at_most")
        required = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
        if name not in found:
            rows.append([name, "-", required, "not measured"])
            continue
        value = found[name]
        met = value >= at_least if at_least is not None else value <= at_most
        missed += not met
        rows.append([name, f"{value:,.0f}" if value >= 1000 else f"{value:.3f}", required, "pass" if met else "MISS"])
    return table(rows), missed
