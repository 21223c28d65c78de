#!/usr/bin/env python3
"""Measures tail -> queue -> file: Sluice beside rsyslog and syslog-ng with their disk queues, on the same log, in the same run.

    python3 Tests/Benchmark/run.py [--sluice PATH] [--size 1GiB] [--runs 5] [--syslog-ng DIRECTORY] [--only NAME ...] [--output results.json] [--keep DIRECTORY]

Needs `apt-get install rsyslog`, and syslog-ng, whose package excludes rsyslog's; so it is unpacked beside it and given with --syslog-ng:

    apt-get install libivykis0 libjson-c5 libnet1 && apt-get download syslog-ng-core && dpkg -x syslog-ng-core_*.deb DIRECTORY

A system that isn't there is an error, unless --only leaves it out.
The systems run in turn, --runs times each, each time with nothing but the log. A run lasts from the process's start to the moment when the output has every byte (or stops
growing); CPU seconds and peak memory are the process's own at that moment. The table shows medians, and what of the output differs from the log.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def byte_count(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]iB)?", text).groups(default="")
    return int(number) * UNITS[unit]


def write_corpus(path, size, seed=7):
    """Lines like those of services, seeded; gzip -1 makes about a fifth of them. Gives how many lines."""
    draw = random.Random(seed)
    modules = ["auth.session", "db.pool", "http.server", "cache.store", "scheduler", "payment.gateway", "consumer.group", "storage.block"]
    shapes = [
        "Connection from 10.%d.%d.%d:%d accepted after %d ms", "User %d logged in from session %x with role admin", "GET /api/v1/items/%d?page=%d HTTP/1.1 200 %d",
        "Received block blk_%d of size %d from /10.250.%d.%d", "Cache miss for key item:%d:%x, loading from database", "Retrying request %x attempt %d of 5 after timeout",
        "Query took %d ms: SELECT * FROM orders WHERE id = %d", "Responder %d for block blk_%d terminating"]
    lines = 0
    written = 0
    second = 0
    with open(path, "wb") as file:
        while written < size:
            part = []
            for _ in range(20_000):
                shape = draw.choice(shapes)
                second += draw.random() < 0.01
                clock = "%02d:%02d:%02d,%03d" % (second // 3600 % 24, second // 60 % 60, second % 60, draw.randrange(1000))
                values = tuple(draw.choice((draw.randrange(256), draw.randrange(100_000))) for _ in range(shape.count("%")))
                part.append("2026-09-01 %s %s [worker-%d] %s: %s\n" % (clock, draw.choice(("INFO", "INFO", "INFO", "WARN", "ERROR")), draw.randrange(16), draw.choice(modules), shape % values))
            data = "".join(part).encode()
            file.write(data)
            written += len(data)
            lines += len(part)
    return lines


class Sluice:
    name = "sluice"

    def __init__(self, program):
        self.program = program

    def version(self):
        return " ".join(subprocess.run([self.program, "version"], capture_output=True, text=True, check=True).stdout.split())

    def command(self, log, directory):
        (directory / "p.yaml").write_text(f"""
queue: {{ path: {directory}/queue }}
sources: {{ log: {{ type: file, paths: [{log}] }} }}
sinks: {{ copy: {{ type: file, path: {directory}/out }} }}
""")
        return [self.program, "run", str(directory / "p.yaml")]


class Rsyslog:
    def __init__(self, queue):
        self.name = f"rsyslog, {queue}"
        self.queue = 'queue.type="Disk" queue.filename="main"' if queue == "disk queue" else 'queue.type="LinkedList" queue.filename="main" queue.size="100000"'
        self.program = shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin")

    def version(self):
        return subprocess.run([self.program, "-v"], capture_output=True, text=True).stdout.split("(")[0].strip()

    def command(self, log, directory):
        (directory / "state").mkdir()
        (directory / "rsyslog.conf").write_text(f"""
global(workDirectory="{directory}/state")
main_queue({self.queue} queue.maxDiskSpace="20g" queue.timeoutEnqueue="2000000000")
module(load="imfile")
template(name="line" type="string" string="%msg%\\n")
input(type="imfile" file="{log}" tag="log" readMode="0")
action(type="omfile" file="{directory}/out" template="line")
""")
        return [self.program, "-n", "-i", str(directory / "pid"), "-f", str(directory / "rsyslog.conf")]


class SyslogNG:
    def __init__(self, reliable, unpacked):
        self.name = f"syslog-ng, {'reliable' if reliable else 'normal'} disk buffer"
        self.reliable = "yes" if reliable else "no"
        self.program = shutil.which("syslog-ng", path=f"{unpacked}/usr/sbin" if unpacked else os.environ["PATH"] + ":/usr/sbin")
        self.environment = {**os.environ, "LD_LIBRARY_PATH": f"{unpacked}/usr/lib/syslog-ng"} if unpacked else None
        self.modules = ["--module-path", str(next(pathlib.Path(unpacked).glob("usr/lib/syslog-ng/3*")))] if unpacked else []

    def version(self):
        return subprocess.run([self.program, "-V"], capture_output=True, text=True, env=self.environment).stdout.splitlines()[0]

    def command(self, log, directory):
        size = "mem-buf-size(67108864)" if self.reliable == "yes" else "mem-buf-length(10000)"
        (directory / "syslog-ng.conf").write_text(f"""@version: 3.38
options {{ log-msg-size(65536); stats-freq(0); }};
source s {{ file("{log}" flags(no-parse) follow-freq(1)); }};
destination d {{ file("{directory}/out" template("$MSG\\n") disk-buffer({size} disk-buf-size(4294967296) reliable({self.reliable}) dir("{directory}"))); }};
log {{ source(s); destination(d); flags(flow-control); }};
""")
        return [
            self.program, "-F", "--no-caps", *self.modules, "-f", str(directory / "syslog-ng.conf"), "-R", str(directory / "persist"), "-p", str(directory / "pid"), "-c",
            str(directory / "control")]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def measure(system, log, size, scratch, patience):
    """One run: seconds, CPU seconds, peak memory, disk bytes beside the output, and whether the output is the log."""
    directory = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    command = system.command(log, directory)
    out = directory / "out"
    with open(directory / "stderr", "wb") as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=errors, stderr=errors, stdin=subprocess.DEVNULL, env=getattr(system, "environment", None))
        try:
            last, grown = -1, began
            while True:
                if process.poll() is not None:
                    sys.exit(f"{system.name} ended with {process.returncode}:\n{(directory / 'stderr').read_text()}")
                length = out.stat().st_size if out.exists() else 0
                now = time.monotonic()
                if length != last:
                    last, grown = length, now
                if length >= size or now - grown > patience:
                    break
                time.sleep(0.005)
            result = {"seconds": grown - began, "cpu_seconds": cpu_seconds(process.pid), "peak_bytes": peak_bytes(process.pid), "output_bytes": last}
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    result["identical"] = subprocess.run(["cmp", "-s", log, out]).returncode == 0
    shutil.rmtree(directory)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=str(ROOT / ".build/release/sluice"))
    parser.add_argument("--size", default="1GiB", type=byte_count)
    parser.add_argument("--runs", default=5, type=int)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--syslog-ng", help="where its package is unpacked; default: installed")
    parser.add_argument("--output", help="write the results as JSON")
    parser.add_argument("--keep", help="directory for the log and the runs; default a temporary one")
    options = parser.parse_args()
    systems = [Sluice(options.sluice), Rsyslog("disk-assisted"), Rsyslog("disk queue"), SyslogNG(False, options.syslog_ng), SyslogNG(True, options.syslog_ng)]
    systems = [system for system in systems if not options.only or any(word in system.name for word in options.only)]
    for system in systems:
        if not system.program or not os.access(system.program, os.X_OK):
            sys.exit(f"{system.name} isn't there: --help says how to get it; or leave it out with --only")
    scratch = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="sluice-benchmark-"))
    scratch.mkdir(exist_ok=True)
    try:
        log = scratch / "in.log"
        lines = write_corpus(log, options.size)
        size = log.stat().st_size
        results = {system.name: [] for system in systems}
        for number in range(options.runs):
            for system in systems:
                result = measure(system, log, size, scratch, patience=20)
                results[system.name].append(result)
                print(f"run {number + 1}: {system.name}: {size / 1e6 / result['seconds']:.0f} MB/s", file=sys.stderr, flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(scratch, ignore_errors=True)

    def median(name, key):
        return statistics.median(result[key] for result in results[name])

    print(f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}; {size / 1e6:.0f} MB in {lines} lines; medians of {options.runs} runs in turn")
    for system in systems:
        print(f"  {system.version()}")
    print(f"command: python3 Tests/Benchmark/run.py {' '.join(sys.argv[1:])}\n")
    print("| system | MB/s | lines/s | CPU s | peak memory MB | speed, Sluice to it | CPU, Sluice to it | output identical |\n|---|---|---|---|---|---|---|---|")
    for system in systems:
        name = system.name
        seconds, cpu = median(name, "seconds"), median(name, "cpu_seconds")
        speed, share = ("", "") if "sluice" not in results else (f"{seconds / median('sluice', 'seconds'):.1f}", f"{median('sluice', 'cpu_seconds') / cpu:.2f}")
        whole = sum(result["identical"] for result in results[name])
        print(f"| {name} | {size / 1e6 / seconds:.0f} | {lines / seconds:.0f} | {cpu:.2f} | {median(name, 'peak_bytes') / 1e6:.0f} | {speed} | {share} | {whole} of {options.runs} |")
    if options.output:
        facts = {"bytes": size, "lines": lines, "machine": platform.uname()._asdict(), "versions": [system.version() for system in systems], "results": results}
        pathlib.Path(options.output).write_text(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
