"""Power cuts: what was synced is there, what was not is gone, and every line comes out once. Tests/Crash/run.py does this hundreds of times."""

import os

import corpus
from crashing import Sluice, play
from harness import test
from power import PowerDisk

MIB = 1 << 20


@test("the power cuts of these tests take what was not synced, and nothing else")
def control(t):
    disk = PowerDisk(t, size=32)
    for name, synced in (("kept", True), ("gone", False)):
        with open(disk.path(name), "wb") as file:
            file.write(b"x" * 100_000)
            if synced:
                os.fsync(file.fileno())
    with open(disk.path("kept"), "ab") as file:
        file.write(b"y" * 100_000)
    disk.cut()
    t.equal(sorted(os.listdir(disk.root)), ["kept", "lost+found"], "what is there after the cut")
    t.equal(t.read("disk/kept"), b"x" * 100_000, "the synced file, without its unsynced end")


def lives(t, scenario, crashes):
    system = Sluice(t.sluice_path)
    verdict = play(system, scenario, t, crashes)
    t.true(verdict.is_good, str(verdict))
    t.note(f"{crashes} crashes, {verdict.rotations} rotations, {verdict}")


@test("power cuts under a tail with rotation, queue and output leave every synced line once, in order", seconds=180)
def power_plain(t):
    lives(t, "power-plain", 5)


@test("power cuts with noauto_da_alloc leave every synced line once in a .gz copy", seconds=180)
def power_gzip(t):
    lives(t, "power-gz", 5)


@test("power cuts with data=writeback, which leave blocks of older content in new files, leave every synced line once, in order", seconds=180)
def power_writeback(t):
    lives(t, "power-writeback", 5)


@test("power cuts under an HTTP delivery leave every synced line once, in order, with an endpoint that knows Idempotency-Key", seconds=180)
def power_http(t):
    lives(t, "power-http", 5)


@test("power cuts that take the log's own end lose nothing of what is left of it, and repeat no more lines than a notice announces", seconds=180)
def power_unsynced(t):
    lives(t, "power-unsynced", 5)


@test("kill -9 at system calls under an HTTP delivery with rotation leaves every line once, in order", seconds=180)
def call_http(t):
    lives(t, "call-http", 6)


@test("power cuts at single writes, syncs, renames and deletions leave every line once, in order", seconds=180)
def power_at_calls(t):
    strace = t.program("strace")
    disk = PowerDisk(t, options="noauto_da_alloc,data=writeback")
    corpus.write(disk.path("in.log"), 24 * MIB, t.seed)
    os.sync()
    t.pipeline("""
queue: { path: disk/q, max_size: 8MiB, min_free_disk: 0B, linger: 5ms, retention: { keep: 0s } }
sources: { app: { type: file, paths: [disk/in.log] } }
sinks: { out: { type: file, path: disk/out.log, rotate: { size: 2MiB } } }
""")
    cuts = 0
    # The call stops the process, all its threads; then the power goes. A signal comes after the call was made; with an error in its place it isn't made at all.
    for call, number, before in (
        ("renameat", 1, True), ("fdatasync", 2, True), ("fsync", 2, True), ("pwrite64", 3, False), ("renameat", 2, False), ("fsync", 4, False), ("unlinkat", 1, True),
        ("fdatasync", 9, False), ("ftruncate", 1, True), ("unlinkat", 1, False), ("openat", 150, False)):
        run = t.start_run("--once", "--drain", label="cut", prefix=(
            *disk.boot(), strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}{':error=EIO' if before else ''}:signal=STOP:when={number}"))

        def stands():
            return not run.is_running or stat_of(run.pid) in "Tt"

        t.until(f"{call} {number}", stands)
        cuts += run.is_running
        if not run.is_running:
            t.equal(run.popen.returncode, 0, f"exit code without {call} {number}\n{run.stderr_tail}")
        disk.cut(run)
    t.run("--once", "--drain", prefix=disk.boot())
    t.call("sh", "-c", "cat disk/out.log disk/out.*.log > joined.log")
    t.same("disk/in.log", "joined.log")
    t.sluice("queue", "verify", "disk/q")
    t.note(f"{cuts} cuts")
    t.true(cuts >= 5, f"five cuts at least, found {cuts}")


def stat_of(pid):
    """The process's state, of all its threads: T when each stands still."""
    states = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat") as file:
                states.add(file.read().rpartition(")")[2].split()[0])
    except OSError:
        return "?"
    return "T" if states <= {"T", "t"} else "R"
