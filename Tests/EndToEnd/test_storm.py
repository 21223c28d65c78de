"""A storm of rotations by renaming, inodes that are given to other files, and files that are deleted unread: nothing is lost in silence."""

import collections
import os
import threading
import time

import corpus
from harness import background, test

STAYS = 2.5


class Storm:
    """A busy writer whose log is renamed a hundred times a second; a rotated file is deleted when it is `STAYS` seconds old.

    The first log is there at once; it is renamed no earlier than `may_begin` is set. A new log is made right after a deletion, so that it gets the deleted file's inode; how often that came true is counted.
    """

    def __init__(self, t, seconds):
        self.t = t
        self.seconds = seconds
        self.may_begin = threading.Event()
        self.lines = []
        self.rotations = self.deletions = self.reused = 0
        os.mkdir(t.path("logs"))
        self.thread = background(self._write)

    def _write(self):
        t = self.t
        path = t.path("logs/app.log")
        lines = corpus.lines(1 << 30, t.seed)
        rotated = collections.deque()
        used = set()

        def append(count):
            piece = [next(lines) for _ in range(count)]
            self.lines += [line[:-1] for line in piece]
            file.write(b"".join(piece))

        file = open(path, "ab", buffering=0)
        append(1)
        self.may_begin.wait(30)
        tick = time.monotonic()
        end = tick + self.seconds
        while True:
            inode = os.fstat(file.fileno()).st_ino
            self.reused += inode in used
            used.add(inode)
            tick += 0.01
            append(20)
            while time.monotonic() < min(tick, end):
                time.sleep(0.002)
                append(20)
            if time.monotonic() >= end:
                file.close()
                return
            name = f"{path}.{self.rotations:06}"
            os.rename(path, name)
            self.rotations += 1
            rotated.append((name, time.monotonic()))
            # The new log comes right after a deletion, if one is due: it gets that inode.
            if time.monotonic() - rotated[0][1] > STAYS:
                os.unlink(rotated.popleft()[0])
                self.deletions += 1
            # Some writers go on with the old file for a moment.
            append(1)
            file.close()
            file = open(path, "ab", buffering=0)


def drawn(t):
    return t.read("out.log").split(b"\n")[:-1] if t.size("out.log") else []


def storm(t, paths, in_order):
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [{paths}] }} }}
sinks: {{ out: {{ type: file, path: out.log }} }}
""")
    weather = Storm(t, 6)
    run = t.started(t.start_run(label="sluice"))
    t.until("the first line to come out", lambda: t.size("out.log") > 0, alive=run)
    weather.may_begin.set()
    weather.thread.result()
    expected = weather.lines
    total = sum(len(line) + 1 for line in expected)
    try:
        t.until("all lines to come out", lambda: t.size("out.log") >= total, seconds=15, alive=run)
    finally:
        found = drawn(t)
        if not in_order:
            expected, found = sorted(expected, key=corpus.number), sorted(found, key=corpus.number)
        t.same_lines(expected, found, "what came out")
    t.stop(run)
    t.equal(t.show("q", "--gaps")["gaps"], [], "gaps")
    t.note(f"{weather.rotations} rotations, {weather.deletions} deletions, {weather.reused} inodes given again, {len(expected)} lines")
    t.true(weather.rotations > 50, f"fifty rotations at least, found {weather.rotations}")
    t.true(weather.reused >= 20, f"inodes are given again, found {weather.reused}")


@test("a storm of a hundred rotations a second, with inodes given again, is read without loss or doubles")
def storm_glob(t):
    storm(t, '"logs/app.log*"', in_order=False)


@test("a storm of a hundred rotations a second of which only the log's own name is tailed is read in order without loss or doubles")
def storm_name(t):
    storm(t, "logs/app.log", in_order=True)
