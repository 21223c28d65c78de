"""A log that is written and rotated while whoever reads it crashes again and again, and what is said about the result.

Tests/Crash/run.py and the samples among the end-to-end tests (test_power.py) stand on this.
"""

import contextlib
import gzip
import os
import random
import signal
import subprocess
import threading
import time

import corpus
import outputs
from endpoints import Endpoint
from harness import Failure, background
from power import PowerDisk

# What a kill can be aimed at: each stands for a step that has to have its place in an order.
CALLS = ("pwrite64", "fdatasync", "fsync", "renameat", "unlinkat", "openat", "ftruncate", "write", "pread64")


# What is copied to what; the mount options of a disk whose power is cut; whether the writer of the log syncs.
SYNCED, UNSYNCED = True, False
SCENARIOS = {
    "kill-plain": ("plain", None, SYNCED), "kill-gz": ("gz", None, SYNCED), "kill-http": ("http", None, SYNCED),
    "call-plain": ("plain", None, SYNCED), "call-gz": ("gz", None, SYNCED), "call-http": ("http", None, SYNCED),
    "power-plain": ("plain", "", SYNCED), "power-gz": ("gz", "noauto_da_alloc", SYNCED), "power-writeback": ("plain", "noauto_da_alloc,data=writeback", SYNCED),
    "power-http": ("http", "", SYNCED), "power-unsynced": ("plain", "noauto_da_alloc,data=writeback", UNSYNCED),
}


def sync_directory(path):
    """Puts the directory's names on the disk."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class RotatedLog:
    """`app.log` in a directory of its own: a thread writes numbered lines, and rotates by renaming to `app.log.0000` and so on.

    `synced`: each piece is on the disk before the next one, and before a power cut may come (`held`).
    `is_seen(number)`: whether the line of that number has come out; a file is rotated away only then, so that nobody has to find a file that came and went while he was down.
    """

    def __init__(self, t, directory, seed, synced=False, rate=3 << 20, rotate_after=384 << 10, is_seen=None):
        self.t = t
        self.directory = directory
        self.path = os.path.join(directory, "app.log")
        self.synced = synced
        self.rate = rate
        self.rotate_after = rotate_after
        self.is_seen = is_seen or (lambda number: True)
        self.written = []
        self.rotations = 0
        self._between_syncs = threading.Lock()
        self._lines = corpus.lines(1 << 30, seed)
        self._ending = False
        self._thread = None
        os.mkdir(directory)
        # Else a power cut before the first sync takes the whole directory.
        sync_directory(os.path.dirname(directory))

    def start(self):
        """Goes on as a program does that is started again: at the end of what is there."""
        self._ending = False
        self._thread = background(self._write)

    def stop(self):
        self._ending = True
        if self._thread:
            self._thread.result()
        self._thread = None

    @contextlib.contextmanager
    def held(self):
        """Nothing is written any more from here on, and what was is synced if it ever is; `stop` and `start` go on from there."""
        with self._between_syncs:
            self._ending = True
            yield

    def files(self):
        """All files in the order in which they were written."""
        names = sorted(name for name in os.listdir(self.directory) if name.startswith("app.log."))
        # A power cut may have taken the last one's name.
        return [os.path.join(self.directory, name) for name in names] + [self.path] * os.path.exists(self.path)

    def lines(self):
        """The lines that the source's file system has, file by file; a power cut may have left a last one without its end."""
        found = []
        for path in self.files():
            with open(path, "rb") as file:
                lines = file.read().split(b"\n")
            found.append(lines if lines[-1] else lines[:-1])
        return found

    def _write(self):
        file = None
        draw = random.Random(len(self.written))
        try:
            file = self._open()
            first = len(self.written)
            size = os.fstat(file.fileno()).st_size
            # A power cut may have left a line without its end, or blocks that were allocated and never written; what comes now is glued to that.
            with open(self.path, "rb") as kept:
                glue = kept.read().rpartition(b"\n")[2]
            while not self._ending:
                with self._between_syncs:
                    if self._ending:
                        break
                    piece = [next(self._lines) for _ in range(64)]
                    data = b"".join(piece)
                    self.written += [line[:-1] for line in piece]
                    if glue:
                        self.written.append(glue + piece[0][:-1])
                        glue = b""
                    file.write(data)
                    size += len(data)
                    # Else the kernel's own writing back, which takes its time, is hurried now and then: a log of which nothing is kept shows little.
                    if self.synced or draw.random() < 0.02:
                        os.fsync(file.fileno())
                    if size >= self.rotate_after and self.is_seen(first):
                        os.rename(self.path, f"{self.path}.{self.rotations:04}")
                        self.rotations += 1
                        file.close()
                        file = self._open()
                        first, size = len(self.written), 0
                time.sleep(len(data) / self.rate)
        except OSError as error:
            # The power is gone, and this program with it.
            if not self._ending:
                raise Failure(f"writing the log: {error}") from None
        finally:
            if file:
                file.close()

    def _open(self):
        file = open(self.path, "ab", buffering=0)
        if self.synced:
            os.fsync(file.fileno())
            sync_directory(self.directory)
        return file


class Verdict:
    """What came out, against what had to. `files` are the source's lines, file by file; order counts in each of them, or over all with `in_order`."""

    def __init__(self, files, found, in_order, also=(), may_repeat=0):
        expected = [line for file in files for line in file]
        counts = {}
        for line in found:
            counts[line] = counts.get(line, 0) + 1
        wanted = set(expected)
        known = wanted.union(also)
        self.lines = len(expected)
        self.found = len(found)
        self.lost = [line for line in expected if line not in counts]
        self.doubled = [line for line, count in counts.items() if count > 1 and line in known]
        self.repeats = sum(counts[line] - 1 for line in self.doubled)
        self.foreign = [line for line in counts if line not in known]
        self.may_repeat = may_repeat
        self.disorder = 0
        place = {}
        for number, file in enumerate(files):
            for index, line in enumerate(file):
                place[line] = (0, number, index) if in_order else (number, 0, index)
        last, seen = {}, set()
        for line in found:
            if line in place and line not in seen:
                seen.add(line)
                stream, *where = place[line]
                self.disorder += where < last.get(stream, where)
                last[stream] = where

    @property
    def is_good(self):
        return not self.lost and not self.foreign and not self.disorder and self.repeats <= self.may_repeat

    def __str__(self):
        def some(lines):
            return f" ({', '.join(repr(line[:60]) for line in lines[:3])})" if lines else ""

        allowed = f" of {self.may_repeat} announced" if self.may_repeat else ""
        return (
            f"{self.lines} lines expected, {self.found} found: {len(self.lost)} lost{some(self.lost)}, {self.repeats} doubled{allowed}{some(self.doubled)}, "
            f"{self.disorder} out of order, {len(self.foreign)} never written{some(self.foreign)}")


def aim(t, call, number):
    """A command's prefix: kill -9 before its `number`th `call` (of a thread)."""
    # -D: the program itself is our child, so that ending it ends it.
    return (t.program("strace"), "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")


def draw_aim(random):
    return random.choice(CALLS), min(int(random.paretovariate(0.6)), 200)


class Sluice:
    """What plays a life: other systems have the same methods (see Tests/Crash/run.py)."""

    scenarios = tuple(SCENARIOS)
    # Bytes of log a second.
    rate = 3 << 20

    def __init__(self, program):
        self.program = program
        self.version = subprocess.run([program, "version"], capture_output=True, text=True).stdout.split("\n")[0]

    def prepare(self, t, kind, root, endpoint):
        self.kind, self.endpoint, self.root = kind, endpoint, root
        self.stem = os.path.relpath(f"{root}/out", t.directory)
        # A path of the log alone keeps the order over all files; with the rotated ones in it, they are read side by side.
        self.in_order = kind != "gz"
        self.suffix = ".log.gz" if kind == "gz" else ".log"
        sink = f"""
    type: http
    url: {endpoint.url}
    batch: {{ max_bytes: 64KiB, linger: 10ms }}
    retry: {{ initial: 20ms, max: 200ms }}""" if kind == "http" else f"""
    type: file
    path: {root}/out{self.suffix}
    rotate: {{ size: {'256KiB' if kind == 'gz' else '1MiB'} }}"""
        t.pipeline(f"""
queue: {{ path: {root}/q, max_size: 8MiB, min_free_disk: 1MiB, linger: 5ms, retention: {{ keep: 0s }} }}
sources: {{ app: {{ type: file, paths: ["{root}/logs/app.log{'' if self.in_order else '*'}"] }} }}
sinks:
  out: {sink}
""")

    def start(self, t, prefix):
        return t.start_run(prefix=prefix, label="sluice")

    def finish(self, t, prefix, total):
        t.run("--once", "--drain", prefix=prefix, label="sluice", seconds=120)
        t.sluice("queue", "verify", f"{self.root}/q")

    def last(self, t):
        """The last line that came out, as far as that is easily seen."""
        if self.kind == "http":
            with self.endpoint.lock:
                return last_line(self.endpoint.bodies[-1]) if self.endpoint.bodies else None
        if self.kind == "gz":
            return None
        for path in reversed(outputs.files(t, self.stem, self.suffix)):
            if line := last_line_of(path):
                return line
        return None

    def result(self, t):
        if self.kind == "http":
            if self.endpoint.conflicts:
                raise Failure(f"one key, one range: {self.endpoint.conflicts}")
            return self.endpoint.lines
        found = []
        for path in outputs.files(t, self.stem, self.suffix):
            with (gzip.open if self.kind == "gz" else open)(path, "rb") as file:
                lines = file.read().split(b"\n")
            # A last record whose line feed never came ends a file as it ends its own.
            found += lines if lines[-1] else lines[:-1]
        return found

    def announced(self, t):
        """How many lines Sluice said that it may repeat."""
        words = t.read("sluice.stderr").decode(errors="replace").split()
        return sum(int(word.partition("=")[2]) for word in words if word.startswith("lines.repeated_at_most="))


def last_line(data):
    end = data.rfind(b"\n")
    return data[data.rfind(b"\n", 0, end) + 1:end] if end >= 0 else None


def last_line_of(path):
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - (64 << 10)))
            return last_line(file.read())
    except FileNotFoundError:
        return None


def number_of(line):
    try:
        return int(line[33:43])
    except ValueError:
        return -1


def play(system, name, t, crashes):
    """One life with `crashes` crashes; gives the verdict."""
    kind, mount, synced = SCENARIOS[name]
    power = mount is not None
    disk = PowerDisk(t, options=mount) if power else None
    root = "disk" if power else "."
    endpoint = None
    if kind == "http":
        delays = random.Random(t.seed)
        endpoint = Endpoint(answer=lambda *_: time.sleep(delays.choice((0, 0, 0.01, 0.05))))
        t.later(endpoint.close)
    root = t.path(root)
    system.prepare(t, kind, root, endpoint)

    def is_seen(number):
        if not system.in_order:
            return True
        line = system.last(t)
        # A system that has lost what it should have seen must not stop the writer for ever: then time will have to do.
        late = time.monotonic() - waiting.setdefault(number, time.monotonic()) > 10
        return line is not None and number_of(line) >= number or late

    waiting = {}
    log = RotatedLog(t, t.path(root, "logs"), t.seed, synced=synced and power, rate=system.rate, rotate_after=system.rate // 8, is_seen=is_seen)
    t.later(log.stop)
    log.start()
    boot = disk.boot if power else tuple
    hits = taken_back = 0
    also = set()
    for _ in range(crashes):
        until = t.random.choice((0.06, 0.3, 0.6, 1)) * t.random.random() + (0.05 if power else 0)
        aimed = name.startswith("call")
        run = system.start(t, aim(t, *draw_aim(t.random)) if aimed else boot())
        deadline = time.monotonic() + (1 if aimed else until)
        while run.is_running and time.monotonic() < deadline:
            time.sleep(0.001 if not aimed else 0.01)
        if not run.is_running and not (aimed and run.popen.returncode == -9):
            raise Failure(f"ended with {run.popen.returncode} before its crash\n{run.stderr_tail}")
        if not power:
            hits += not run.is_running
            run.kill()
            continue
        with log.held():
            stopped = t.random.random() < 0.5
            if stopped:
                run.signal(signal.SIGSTOP)
            disk.shut()
        if not stopped:
            time.sleep(t.random.choice((0, 0.002, 0.03)))
        run.kill()
        log.stop()
        disk.come_back()
        kept = log.lines()
        taken_back = len(log.written) - sum(map(len, kept))
        also.update(line for file in kept for line in file)
        # What is written before the next start makes the file longer than it was read.
        log.start()
        if t.random.random() < 0.3:
            time.sleep(0.2)
    log.stop()
    files = log.lines()
    system.finish(t, boot(), sum(len(line) + 1 for file in files for line in file))
    # What was read before a cut took it back comes out as well.
    also = also.union(log.written) if not synced else ()
    verdict = Verdict(files, system.result(t), system.in_order and synced, also=also, may_repeat=system.announced(t) if not synced else 0)
    verdict.rotations, verdict.hits, verdict.taken_back = log.rotations, hits, taken_back
    if len(log.written) < 1000:
        raise Failure(f"hardly a line was written ({len(log.written)}), so this shows nothing")
    return verdict
