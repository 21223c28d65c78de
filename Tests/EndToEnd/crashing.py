"""A log that is written and rotated while whoever reads it crashes again and again, and what is said about the result.

Tests/Crash/run.py and the samples among the end-to-end tests (test_power.py) stand on this.
"""

import os
import threading
import time

import corpus
from harness import Failure, background

# What a kill can be aimed at: each stands for a step that has to have its place in an order.
CALLS = ("pwrite64", "fdatasync", "fsync", "renameat", "unlinkat", "openat", "ftruncate", "write", "pread64")


class RotatedLog:
    """`app.log` in a directory of its own: a thread writes numbered lines, and rotates by renaming to `app.log.0000` and so on.

    `synced`: each piece is on the disk before the next one, and before a power cut may come (`between_syncs` holds the writer there).
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
        self.between_syncs = threading.Lock()
        self._lines = corpus.lines(1 << 30, seed)
        self._ending = False
        self._thread = None
        os.mkdir(directory)

    def start(self):
        """Goes on as a program does that is started again: at the end of what is there."""
        self._ending = False
        self._thread = background(self._write)

    def stop(self):
        self._ending = True
        if self._thread:
            self._thread.result()
        self._thread = None

    def files(self):
        """All files in the order in which they were written."""
        names = sorted(name for name in os.listdir(self.directory) if name.startswith("app.log."))
        return [os.path.join(self.directory, name) for name in [*names, "app.log"]]

    def lines(self):
        """The lines that the source's file system has, file by file."""
        found = []
        for path in self.files():
            with open(path, "rb") as file:
                found.append(file.read().split(b"\n")[:-1])
        return found

    def _write(self):
        file = None
        try:
            file = self._open()
            first = len(self.written)
            size = os.fstat(file.fileno()).st_size
            while not self._ending:
                with self.between_syncs:
                    if self._ending:
                        break
                    piece = [next(self._lines) for _ in range(64)]
                    data = b"".join(piece)
                    self.written += [line[:-1] for line in piece]
                    file.write(data)
                    size += len(data)
                    if self.synced:
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
            directory = os.open(self.directory, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
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
