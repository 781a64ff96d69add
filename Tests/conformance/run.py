#!/usr/bin/env python3
"""Asks our server, NSD and Knot the same generated queries and compares the replies field by field.

    Tests/conformance/run.py [PROGRAM] [--queries N] [--seed N]      # by default .build/debug/kong-discovery
    Tests/conformance/run.py [PROGRAM] --packet HEX [--tcp]          # one query, with all that is seen in its replies

Where the peers differ, ours has to be like one of them. Whatever else differs needs a row in differences.toml, with the
RFC that says so. A difference without one fails the run, and is printed with the octets that repeat it.
"""

import argparse
import collections
import contextlib
import itertools
import pathlib
import pprint
import subprocess
import sys
import tempfile
import time

import message
import served_zone as zone
from asking import AskingError, Datagrams, Streams
from comparing import Rules, compare, read
from queries import Generator, labels_of
from servers import PAYLOAD, BenchmarkError, start_all

BUILD = pathlib.Path(__file__).resolve().parent.parent.parent / ".build"
ORIGIN = tuple(labels_of(zone.DOMAIN))
# So many are on their way to each server: no more than a socket's buffer holds.
CHUNK = 150
# So many kinds of differences are printed.
MOST_FINDINGS = 60


class Run:
    """The servers, and what was found so far."""

    def __init__(self, servers):
        self.servers = servers
        self.rules = Rules()
        self.asked = {False: {}, True: {}}
        for server in servers:
            self.asked[False][server.name] = Datagrams(server.port)
            self.asked[True][server.name] = Streams(server.port)
        # Unexplained: kind of difference: [count, first packet, over TCP].
        self.findings = {}
        self.agreement = collections.Counter()

    def send(self, queries, is_tcp):
        """Sends queries to all three."""
        for name, asking in self.asked[is_tcp].items():
            try:
                asking.send(queries)
            except ConnectionError as error:
                raise AskingError(f"{name}: {error}") from error

    def judge(self, queries, is_tcp):
        """Reads the replies to what was sent, and compares them."""
        replies = {}
        for name, asking in self.asked[is_tcp].items():
            try:
                replies[name] = asking.replies()
            except AskingError as error:
                raise AskingError(f"{name}: {error}") from error
        for number, octets in queries.items():
            self.judge_one(octets, is_tcp, {name: found[number] for name, found in replies.items()})

    def judge_one(self, octets, is_tcp, replies):
        """Compares the replies to one query."""
        query = message.read_query(octets, ORIGIN, is_tcp)
        fields = {}
        for name, found in replies.items():
            try:
                fields[name] = read(name, found, octets)
            except message.Malformed as error:
                fields[name] = {"reply": f"malformed: {error}"}
        problem = self.problem(replies["ours"], fields["ours"], query)
        if problem:
            self.note(("ours alone", problem), octets, is_tcp)
        self.agreement["all" if fields["ours"] == fields["nsd"] == fields["knot"] else "some"] += 1
        for field, values in compare(fields, query):
            index = self.rules.find(field, values, query.features)
            if index is not None:
                self.rules.counts[index] += 1
                continue
            self.note((field, *(f"{name} {value!r}" for name, value in values.items())), octets, is_tcp)

    @staticmethod
    def problem(replies, fields, query):
        """What is wrong with our reply whatever others say."""
        if fields.get("doubled"):
            return "a record twice (RFC 2181 section 5)"
        if query.features["transport"] == "tcp" or not isinstance(replies, list) or len(replies) != 1:
            return None
        # RFC 6891 section 6.2.5: never more than the client takes, nor more than configured.
        if len(replies[0]) > PAYLOAD or (query.features.get("opt") == "0" and len(replies[0]) > 512):
            return f"a UDP reply of {len(replies[0])} octets"
        return None

    def note(self, kind, octets, is_tcp):
        """Keeps a finding: the shortest packet of its kind."""
        count, shortest, was_tcp = self.findings.get(kind, (0, octets, is_tcp))
        if len(octets) < len(shortest):
            shortest, was_tcp = octets, is_tcp
        self.findings[kind] = count + 1, shortest, was_tcp

    def check(self):
        """Raises when a server has ended."""
        for server in self.servers:
            server.check()


def in_chunks(generator, count):
    """Queries with their IDs, in tables for one transport each."""
    waiting = {False: {}, True: {}}
    for _ in range(count):
        octets, is_tcp = generator.query()
        table = waiting[is_tcp]
        number = len(table) + 1
        table[number] = number.to_bytes(2) + octets[2:]
        if len(table) == CHUNK:
            yield table, is_tcp
            waiting[is_tcp] = {}
    for is_tcp, table in waiting.items():
        if table:
            yield table, is_tcp


def run_all(run, seed, count):
    """Asks all queries; the next ones are on their way while replies are compared."""
    previous = None
    for chunk in in_chunks(Generator(seed), count):
        # A socket has the replies to one chunk only.
        if previous and previous[1] == chunk[1]:
            run.judge(*previous)
            previous = None
        run.send(*chunk)
        if previous:
            run.judge(*previous)
        previous = chunk
    if previous:
        run.judge(*previous)
    run.check()


def show_one(run, octets, is_tcp):
    """Prints all that is seen in one query and its replies."""
    queries = {1: b"\0\1" + octets[2:]}
    run.send(queries, is_tcp)
    pprint.pp(message.read_query(queries[1], ORIGIN, is_tcp).features)
    for name, asking in run.asked[is_tcp].items():
        replies = asking.replies()[1]
        print(f"--- {name}: {replies if isinstance(replies, str) else [reply.hex() for reply in replies]}")
        with contextlib.suppress(message.Malformed):
            pprint.pp(read(name, replies, queries[1]), width=120)


def report(run, program, seed, count, seconds):
    """Prints what was found; returns whether all is explained."""
    print(f"{count} queries in {seconds:.0f} s, seed {seed}: all three alike {run.agreement['all']}")
    print("explained in differences.toml:")
    for index, rule in enumerate(run.rules.rules):
        print(f"{run.rules.counts[index]:8} {rule['field']}: {rule['rfc']}: {rule['reason']}")
    if not run.findings:
        print("nothing else differs")
        return True
    print(f"\nNOT explained, {len(run.findings)} kinds:")
    findings = sorted(run.findings.items(), key=lambda finding: -finding[1][0])
    for kind, (number, octets, is_tcp) in itertools.islice(findings, MOST_FINDINGS):
        features = message.read_query(octets, ORIGIN, is_tcp).features
        print(f"{number:6} × {', '.join(kind)}")
        print(f"         {' '.join(f'{name}={value}' for name, value in features.items())}")
        print(f"         {sys.argv[0]} {program} --packet {octets.hex()}{' --tcp' if is_tcp else ''}")
    return False


def main():
    """Runs; the exit code is 1 where something is not explained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default=BUILD / "debug/kong-discovery", type=pathlib.Path)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packet", type=bytes.fromhex)
    parser.add_argument("--tcp", action="store_true")
    options = parser.parse_args()
    program = options.program.resolve()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        try:
            run = Run(start_all(stack, folder, program))
            if options.packet:
                show_one(run, options.packet, options.tcp)
                return
            start = time.monotonic()
            run_all(run, options.seed, options.queries)
            seconds = time.monotonic() - start
        except (AskingError, BenchmarkError, subprocess.SubprocessError) as error:
            sys.exit(f"conformance: {error}")
        if not report(run, options.program, options.seed, options.queries, seconds):
            sys.exit(1)


main()
