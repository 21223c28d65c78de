#!/usr/bin/env python3
"""Runs the end-to-end tests: the real `sluice` process, on real files, sockets, senders and receivers.

    python3 Tests/EndToEnd/run.py [--sluice PATH] [--only WORD ...] [--quick | --full] [--jobs N] [--seed N] [--keep] [--list]

Prints one line a test; the last line is `N passed, N failed`. The exit code is 0 only if all passed. Tests/run installs what the tests need;
a test whose program is missing fails. Without --quick or --full the sizes are those for every change (minutes); --full takes an hour and 60 GB of disk, and has
the tests with Spark and HDFS, which `Tests/run --full` installs.
"""

import argparse
import concurrent.futures
import faulthandler
import importlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import harness  # noqa: E402


def load():
    for file in sorted(HERE.glob("test_*.py")):
        importlib.import_module(file.stem)
    return harness.TESTS


def find_sluice(given):
    root = HERE.parent.parent
    candidates = [given or os.environ.get("SLUICE")] if given or os.environ.get("SLUICE") else [
        root / ".build/release/sluice", root / ".build/debug/sluice"]
    for path in candidates:
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    sys.exit(f"no program at {' or '.join(map(str, candidates))}; run 'swift build -c release --product sluice', or give --sluice PATH")


def run_one(sentence, function, seconds, options, sizes):
    """One test in a thread; the main thread gives up on it at its deadline."""
    seed = options.seed ^ zlib.crc32(sentence.encode())
    began = time.monotonic()
    error = None
    t = harness.Test(options.sluice, sizes, seed)
    work = harness.background(function, t)
    try:
        work.result(seconds * sizes.patience)
    except harness.Failure as failure:
        error = str(failure)
    except (subprocess.SubprocessError, OSError, Exception):
        error = traceback.format_exc()
    finally:
        t.close(keep=options.keep and error is not None)
    return sentence, error, t, time.monotonic() - began


def report(result, options):
    sentence, error, t, seconds = result
    print(f"{'ok    ' if error is None else 'FAILED'}  {seconds:6.1f} s  {sentence}", flush=True)
    for note in t.notes:
        print(f"                    {note}", flush=True)
    if error is not None:
        print("        " + error.rstrip().replace("\n", "\n        "), flush=True)
        print(f"        again with: python3 Tests/EndToEnd/run.py --sluice {options.sluice} --seed {options.seed} --only '{sentence}'", flush=True)
        if options.keep:
            print(f"        its directory: {t.directory}", flush=True)
    return error is None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", help="the program (default: SLUICE, else .build/release/sluice)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="tests whose sentence, function or file holds one of these")
    parser.add_argument("--quick", action="store_true", help="small sizes, for iterating")
    parser.add_argument("--full", action="store_true", help="the sizes of a release: 1 GiB logs, a 10 GiB backlog")
    parser.add_argument("--jobs", type=int, default=1, help="tests at a time (1: figures mean something)")
    parser.add_argument("--seed", type=int, default=None, help="of everything random")
    parser.add_argument("--keep", action="store_true", help="keep the directories of failed tests")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    options.seed = random.randrange(1 << 32) if options.seed is None else options.seed
    tests = [one for one in load() if options.full or options.list or not one[1].only_full]
    if options.only:
        tests = [
            one for one in tests
            if any(word.lower() in f"{one[0]} {one[1].__module__} {one[1].__name__}".lower() for word in options.only)]
    if options.list:
        for sentence, function, _ in tests:
            print(f"{function.__module__}.{function.__name__}: {sentence}")
        return 0
    options.sluice = find_sluice(options.sluice)
    sizes = harness.Sizes("quick" if options.quick else "full" if options.full else "normal")
    faulthandler.register(signal.SIGUSR1)
    version = subprocess.run([options.sluice, "version"], capture_output=True, text=True).stdout
    print(f"{options.sluice}: {', '.join(version.split(chr(10))[:2])}; sizes: {sizes.name}; seed {options.seed}; {os.cpu_count()} cores", flush=True)
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        running = [pool.submit(run_one, *one, options, sizes) for one in tests]
        for done in concurrent.futures.as_completed(running):
            passed += report(done.result(), options)
    failed = len(tests) - passed
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.stdout.flush()
    # A test that was given up on may still have a thread somewhere; it must not keep the run from ending.
    if threading.active_count() > 1:
        os._exit(1 if failed or not tests else 0)
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
