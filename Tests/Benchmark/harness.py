"""What every benchmark uses: the seeded log, processes whose CPU time and memory are read exactly, contenders run in turn, medians and ratios."""

import contextlib
import http.client
import itertools
import json
import os
import pathlib
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
HERE = pathlib.Path(__file__).resolve().parent
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def byte_count(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]iB)?", text).groups(default="")
    return int(number) * UNITS[unit]


def some_lines(count, seed):
    """Lines like those of services, seeded; gzip -1 makes about a fifth of them."""
    draw = random.Random(seed)
    modules = ["auth.session", "db.pool", "http.server", "cache.store", "scheduler", "payment.gateway", "consumer.group", "storage.block"]
    shapes = [
        "Connection from 10.%d.%d.%d:%d accepted after %d ms", "User %d logged in from session %x with role admin", "GET /api/v1/items/%d?page=%d HTTP/1.1 200 %d",
        "Received block blk_%d of size %d from /10.250.%d.%d", "Cache miss for key item:%d:%x, loading from database", "Retrying request %x attempt %d of 5 after timeout",
        "Query took %d ms: SELECT * FROM orders WHERE id = %d", "Responder %d for block blk_%d terminating"]
    second = 0
    for _ in range(count):
        shape = draw.choice(shapes)
        second += draw.random() < 0.01
        clock = "%02d:%02d:%02d,%03d" % (second // 3600 % 24, second // 60 % 60, second % 60, draw.randrange(1000))
        values = tuple(draw.choice((draw.randrange(256), draw.randrange(100_000))) for _ in range(shape.count("%")))
        yield "2026-09-01 %s %s [worker-%d] %s: %s\n" % (clock, draw.choice(("INFO", "INFO", "INFO", "WARN", "ERROR")), draw.randrange(16), draw.choice(modules), shape % values)


def write_log(path, size, seed=7):
    """A log of at least `size` bytes: pieces of 16 MiB that are each cut at another line, so that no two neighbours are the same. Gives its number of lines."""
    piece, length = [], 0
    for line in some_lines(1 << 20, seed):
        piece.append(line.encode())
        length += len(piece[-1])
        if length >= min(size, 16 << 20):
            break
    written = lines = 0
    with open(path, "wb") as file:
        for turn in itertools.count():
            cut = turn * 7919 % len(piece)
            file.write(b"".join(piece[cut:] + piece[:cut]))
            written += length
            lines += len(piece)
            if written >= size:
                return lines


class Missing(Exception):
    """A program that a benchmark needs isn't there."""


def needed(program, package):
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if not found:
        raise Missing(f"{program} isn't there: apt-get install {package}, or leave it out with --only")
    return found


class Daemon:
    """A running process: its CPU time to the nanosecond and its peak memory, children included where it has some."""

    def __init__(self, command, directory, environment=None):
        self.errors = pathlib.Path(directory) / f"{pathlib.Path(str(command[0])).name}.stderr"
        self.command = [str(word) for word in command]
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(self.command, stdout=errors, stderr=errors, stdin=subprocess.DEVNULL, env=environment, cwd=directory)
        self.pid = self.process.pid

    def check(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{' '.join(self.command)} ended with {self.process.returncode}:\n{self.errors.read_text()}")

    def children(self):
        return [int(pid) for pid in pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def cpu_seconds(self):
        # The clock of another process, as clock_getcpuclockid(3) makes it: threads that have ended are counted, too.
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in [self.pid, *self.children()])

    def peak_bytes(self):
        return peak_bytes(self.pid)

    def wait_until(self, condition, patience=60):
        """Looks again each two milliseconds, as long as the process lives."""
        deadline = time.monotonic() + patience
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(self.command)} didn't get there within {patience} s:\n{self.errors.read_text()[-3000:]}")
            time.sleep(0.002)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def run_to_end(command, stdin=None, environment=None):
    """Runs a command to its end: seconds and CPU seconds as the kernel tells them, peak memory as it was last seen (what `wait4` tells counts this process's own, too)."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        peak = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, peak_bytes(process.pid))
            time.sleep(0.002)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{errors.read().decode(errors='replace')[-3000:]}")
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_bytes": peak}


def peak_bytes(pid):
    """The most memory that a process had resident so far; 0 when it has just ended."""
    found = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) << 10 if found else 0


def disk_bytes(directory):
    return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def is_ready(port):
    """Whether a sluice serves all its queues there."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


class Bench:
    """What a benchmark is given: the programs, the log, a scratch directory, and how often to run."""

    def __init__(self, options, scratch):
        # The benchmarks run it in directories of their own.
        self.sluice = os.path.abspath(options.sluice)
        self.size = options.size
        self.runs = options.runs
        self.options = options
        self.scratch = scratch
        self._log = None
        self._programs = {}

    @property
    def log(self):
        """The log, in the page cache."""
        if self._log is None:
            path = self.scratch / "in.log"
            self.log_lines = write_log(path, self.size)
            self._log = path
        with open(self._log, "rb", buffering=0) as file:
            buffer = bytearray(1 << 20)
            while file.readinto(buffer):
                pass
        return self._log

    def compiled(self, name, *libraries):
        """One of the C programs here, compiled."""
        if name not in self._programs:
            program = self.scratch / name
            subprocess.run(["cc", "-O2", str(HERE / f"{name}.c"), "-o", str(program), *(f"-l{library}" for library in libraries)], check=True)
            self._programs[name] = program
        return self._programs[name]

    @contextlib.contextmanager
    def directory(self):
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def floor(self, mode, source):
        with self.directory() as directory:
            printed = subprocess.run([self.compiled("floor", "isal", "pthread"), mode, source, directory / "out"], check=True, capture_output=True, text=True).stdout
            return json.loads(printed)

    def in_turn(self, contenders, runs=None):
        """Runs each contender `runs` times, A B C A B C …; gives their results."""
        results = {name: [] for name in contenders}
        for number in range(runs or self.runs):
            for name, run in contenders.items():
                os.sync()
                results[name].append(run())
                print(f"  run {number + 1}: {name}: {brief(results[name][-1])}", file=sys.stderr, flush=True)
        return results


def brief(result):
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in result.items())


def median(results, key):
    return statistics.median(result[key] for result in results)


def ratio(results, key, reference):
    """The median of the ratios run by run, so that a machine whose speed drifts says the same."""
    return statistics.median(a[key] / b[key] for a, b in zip(results, reference))


def table(header, rows):
    """A table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])
