#!/usr/bin/env python3
"""Counts the instructions and allocations that a record costs on fixed inputs, and compares them with those stored: they don't depend on what else the machine does.

    python3 Tests/Benchmark/instructions.py [--accept] [--only WORK ...] [--sluice PATH]

Needs the release build and: apt-get install valgrind binutils gcc
Each work runs twice under callgrind, over few records and over more: what differs is what records cost, without the process's start. A work that costs a quarter more instructions than its
stored figure, or an allocation for every second record, fails; --accept stores the figures found, for the commit that explains them. They are of the default codec, ISA-L.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from harness import HERE, ROOT, needed, some_lines, table
from udp import is_bound
from pull import free_port

STORED = pathlib.Path(__file__).with_suffix(".json")
RECORDS = (10_000, 40_000)
ALLOWED = 1.25
# Beside that: what wakes up by the clock is a part of it, too.
MARGIN = 30


class Counter:
    """Runs commands under callgrind and adds up what they executed."""

    def __init__(self, directory, library):
        self.directory = directory
        self.environment = {**os.environ, "LD_PRELOAD": str(library), "ALLOCATIONS": f"{directory}/allocations"}
        self.prefix = [needed("valgrind", "valgrind"), "--tool=callgrind", f"--callgrind-out-file={directory}/calls", f"--log-file={directory}/log"]

    def collected(self):
        """Instructions and allocations."""
        return int(re.search(r"Collected : (\d+)", (self.directory / "log").read_text()).group(1)), int((self.directory / "allocations").read_text())

    def run(self, *command, stdin=subprocess.DEVNULL):
        done = subprocess.run([*self.prefix, *map(str, command)], stdin=stdin, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return self.collected()


def pipeline(directory, sources, sinks=""):
    file = directory / "p.yaml"
    file.write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ s: {{ {sources} }} }}\n" + (f"sinks: {{ out: {{ {sinks} }} }}\n" if sinks else ""))
    return file


def log(directory, count):
    path = directory / "in.log"
    path.write_text("".join(some_lines(count, 5)))
    return path


def tail(counter, sluice, directory, count, form="raw"):
    return counter.run(sluice, "run", pipeline(directory, f"type: file, paths: [{log(directory, count)}], format: {form}"), "--once", "--no-status")


def stdin(counter, sluice, directory, count):
    with open(log(directory, count)) as lines:
        return counter.run(sluice, "run", pipeline(directory, "type: stdin"), "--no-status", stdin=lines)


def drain(counter, sluice, directory, count, name="out"):
    with open(log(directory, count)) as lines:
        subprocess.run([sluice, "push", directory / "queue", "--create"], stdin=lines, check=True, capture_output=True)
    return counter.run(sluice, "run", pipeline(directory, "type: stdin", f"type: file, path: {directory}/{name}"), "--drain", "--no-status")


def syslog(counter, sluice, directory, count, form):
    port = free_port()
    command = [*counter.prefix, sluice, "run", pipeline(directory, f"type: syslog, listen: 'udp://127.0.0.1:{port}', format: {form}"), "--no-status"]
    with subprocess.Popen([str(word) for word in command], env=counter.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not is_bound(port):
            time.sleep(0.02)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number, line in enumerate(some_lines(count, 5)):
                sender.sendto(b"<134>1 2026-09-01T12:00:00.000000Z web-03 shop 812 REQ - " + line.rstrip().encode(), ("127.0.0.1", port))
                if number % 50 == 0:
                    time.sleep(0.005)
        deadline = time.monotonic() + 60
        while (received := stored_records(sluice, directory / "queue")) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"of {count} datagrams {received} were received")
            time.sleep(0.05)
        process.terminate()
    return counter.collected()


def stored_records(sluice, queue):
    return json.loads(subprocess.run([sluice, "queue", "show", queue, "--output", "json"], check=True, capture_output=True).stdout)["total_records"]


WORKS = {
    "tail": tail,
    "tail, JSON": lambda *arguments: tail(*arguments, form="json"),
    "stdin": stdin,
    "syslog, raw": lambda *arguments: syslog(*arguments, form="raw"),
    "syslog, JSON": lambda *arguments: syslog(*arguments, form="json"),
    "queue to file": drain,
    "queue to .gz file": lambda *arguments: drain(*arguments, name="out.gz"),
}


def cost(work, sluice, library):
    """Instructions and allocations of one record."""
    found = []
    for count in RECORDS:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-instructions-"))
        try:
            found.append(work(Counter(directory, library), sluice, directory, count))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    return [(more - few) / (RECORDS[1] - RECORDS[0]) for few, more in zip(*found)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help="store the figures found")
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS), metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--sluice", default=str(ROOT / ".build/release/sluice"))
    options = parser.parse_args()
    if not os.access(options.sluice, os.X_OK):
        sys.exit(f"{options.sluice} isn't there: swift build -c release --product sluice, or give another with --sluice")
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    scratch = tempfile.TemporaryDirectory(prefix="sluice-instructions-")
    # Debian's valgrind reads older debug information only.
    sluice = pathlib.Path(scratch.name, "sluice")
    subprocess.run([needed("strip", "binutils"), "-o", sluice, options.sluice], check=True)
    library = pathlib.Path(scratch.name, "counted.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", HERE / "counted.c", "-o", library], check=True)
    rows, worse = [], []
    for name in options.only:
        found, allocations = cost(WORKS[name], sluice, library)
        found = round(found, 1)
        before = stored.get(name)
        rows.append([name, found, before, f"{found / before:.2f}" if before else "", f"{allocations:.4f}"])
        print(f"{name}: {found}, {allocations:.4f} allocations", file=sys.stderr, flush=True)
        if not options.accept and (before is None or found > before * ALLOWED + MARGIN) or allocations > 0.5:
            worse.append(name)
        stored[name] = found
    print(table(["work", "instructions a record", "stored", "to stored", "allocations a record"], rows))
    if options.accept:
        STORED.write_text(json.dumps(stored, indent=2) + "\n")
    if worse:
        sys.exit(f"{', '.join(worse)}: a record costs a quarter more than what is stored, or an allocation, or nothing is stored; look at what changed, or take the figures with --accept and say why")


if __name__ == "__main__":
    main()
