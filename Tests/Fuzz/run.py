#!/usr/bin/env python3
"""Feeds made-up bytes to whatever reads bytes of others, each with libFuzzer and the address sanitizer, and checks what comes out.

    python3 Tests/Fuzz/run.py [--seconds 60] [--only NAME] [--keep] [--no-build]
    python3 Tests/Fuzz/run.py --check
    python3 Tests/Fuzz/run.py --replay NAME FILE

    Blocks         segments: the scanner, block headers, bodies, joined members
    Cursors        consumers' files
    Syslog         datagrams
    PipelineFiles  pipeline files
    Gzip           compressed logs

Each target (FuzzNAME/) begins with its corpus and runs for that many seconds; with --check, as Tests/run does it, for a fixed number of
executions from a fixed seed, so that each run tries the same. What each must hold beside not crashing stands in its Swift file. New inputs stay in
.build-fuzz; --keep merges those that reach new code into the corpus. seeds.py wrote the first ones.
Prints a table, and a JSON line a target. The exit code is 0 only without a crash, a leak, a slow input or one that takes too much memory; such an input is kept, and the command
that runs it again is printed.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

FUZZ = pathlib.Path(__file__).resolve().parent
ROOT = FUZZ.parent.parent
SCRATCH = ROOT / ".build-fuzz"

# The largest allocation is what a block of 72 MiB takes; a window on a compressed log grows by little more than one read, and the target's own buffers.
TARGETS = {
    "Blocks": ["-max_len=8192", "-malloc_limit_mb=80"],
    "Cursors": ["-max_len=1024", "-malloc_limit_mb=16"],
    "Syslog": ["-max_len=2048", "-malloc_limit_mb=16"],
    "PipelineFiles": ["-max_len=4096", "-malloc_limit_mb=64"],
    "Gzip": ["-max_len=4096", "-malloc_limit_mb=4"],
}
# Executions of a --check: a few seconds each.
CHECKED = {"Blocks": 100_000, "Cursors": 40_000, "Syslog": 20_000, "PipelineFiles": 15_000, "Gzip": 3_000}
CHECK_SEED = 1
CHECK_PATIENCE = 120
OPTIONS = ["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]


def environment():
    # Swift's own report of a crash would wait for a debugger's answer that never comes under a sanitizer.
    return os.environ | {"SLUICE_LIBRARIES_ONLY": "1", "SLUICE_FUZZ": "1", "SWIFT_BACKTRACE": "enable=no"}


def build(names):
    """Builds these targets and what they need: most of the rest would take as long again."""
    for name in names:
        command = ["swift", "build", "-c", "release", "--product", f"Fuzz{name}", "--scratch-path", str(SCRATCH), "--sanitize=address", "--sanitize=fuzzer",
                   # The compiler heeds only the last of several: without both in one, nothing in Swift counts its edges.
                   "-Xswiftc", "-sanitize=fuzzer,address", "-Xswiftc", "-enable-testing"]
        result = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            sys.exit(f"{result.stdout[-4000:]}\nthe fuzz target {name} doesn't build: {' '.join(command)}")


def executable(name):
    return SCRATCH / "release" / f"Fuzz{name}"


def fuzz(name, seconds):
    """Runs a target for so many seconds; None for a check."""
    corpus = FUZZ / f"Fuzz{name}" / "corpus"
    # What earlier runs have found would make each check another.
    found = SCRATCH / ("checked" if seconds is None else "found") / name
    if seconds is None:
        shutil.rmtree(found, ignore_errors=True)
    crashes = SCRATCH / "crashes" / name
    found.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(crashes, ignore_errors=True)
    crashes.mkdir(parents=True)
    bound = [f"-seed={CHECK_SEED}", f"-runs={CHECKED[name]}"] if seconds is None else [f"-max_total_time={seconds}"]
    command = [executable(name), *OPTIONS, *TARGETS[name], *bound, f"-artifact_prefix={crashes}/", found, corpus]
    began = time.monotonic()
    try:
        # A target that hangs in its own end is a failure, too.
        result = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                                text=True, timeout=CHECK_PATIENCE if seconds is None else seconds + 60)
        output, code = result.stdout, result.returncode
    except subprocess.TimeoutExpired as expired:
        output, code = (expired.stdout or b"").decode(errors="replace"), -1
    (crashes / "output.txt").write_text(output)
    executions = re.search(r"number_of_executed_units: +(\d+)", output) or re.search(r"(?s:.*)^#(\d+)\s", output, re.M)
    memory = re.search(r"peak_rss_mb: +(\d+)", output)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output)
    edges, features, inputs = map(int, coverage[-1]) if coverage else (0, 0, 0)
    bad = sorted(str(path) for path in crashes.iterdir() if path.name != "output.txt")
    row = {
        "target": name, "seconds": round(time.monotonic() - began), "executions": int(executions.group(1)) if executions else 0, "edges": edges, "features": features, "inputs": inputs,
        "peak_rss_mb": int(memory.group(1)) if memory else None, "ok": code == 0 and not bad, "bad_inputs": bad,
    }
    # With fewer edges nothing of ours was instrumented (the C code alone gives some dozens), and no crash means nothing.
    row["ok"] = row["ok"] and edges > 100
    if not row["ok"]:
        print(output[-6000:])
        for path in bad:
            print(f"run it again: python3 Tests/Fuzz/run.py --replay {name} {os.path.relpath(path)}")
    return row


def keep(name):
    corpus = FUZZ / f"Fuzz{name}" / "corpus"
    subprocess.run([executable(name), "-merge=1", *TARGETS[name], corpus, SCRATCH / "found" / name], env=environment(), check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--check", action="store_true", help="a fixed seed and number of executions instead")
    parser.add_argument("--only", choices=TARGETS, help="one target")
    parser.add_argument("--keep", action="store_true", help="take inputs that reach new code into the corpus")
    parser.add_argument("--no-build", action="store_true", help="run what was built before")
    parser.add_argument("--replay", nargs=2, metavar=("NAME", "FILE"), help="run one input")
    arguments = parser.parse_args()
    names = [arguments.replay[0]] if arguments.replay else [arguments.only] if arguments.only else list(TARGETS)
    if not arguments.no_build:
        build(names)
    if arguments.replay:
        name, path = arguments.replay
        sys.exit(subprocess.run([executable(name), "-timeout=10", *TARGETS[name], path], env=environment()).returncode)
    rows = []
    for name in names:
        rows.append(fuzz(name, None if arguments.check else arguments.seconds))
        print(json.dumps(rows[-1]), flush=True)
        if arguments.keep and rows[-1]["ok"]:
            keep(name)
    print(f"\n{'target':14} {'executions':>12} {'edges':>7} {'features':>9} {'inputs':>7} {'peak MiB':>9}")
    for row in rows:
        print(f"{row['target']:14} {row['executions']:>12,} {row['edges']:>7,} {row['features']:>9,} {row['inputs']:>7,} {row['peak_rss_mb'] or '?':>9} "
              f"{'' if row['ok'] else 'FAILED'}")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


if __name__ == "__main__":
    main()
