"""Signals under load, and kills at single system calls: what was told as durable is there, and the next run goes on exactly there."""

import os
import signal
import time

import corpus
import outputs
from harness import background, test

GENEROUS = 10


def feed(t, size):
    """Writes a log of `size` bytes in pieces over some seconds, in a thread: a load that is there while signals come."""
    corpus.write(t.path("whole.log"), size, t.seed)
    open(t.path("in.log"), "wb").close()

    def writer():
        with open(t.path("whole.log"), "rb") as whole, open(t.path("in.log"), "ab", buffering=0) as log:
            while piece := whole.read(max(1 << 16, size // 400)):
                log.write(piece)
                time.sleep(0.01)

    return background(writer)


def stop_under_load(t, number):
    size = t.sizes.kill
    t.pipeline("""
queue: { path: q, max_size: 256MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    writing = feed(t, size)
    slowest = stops = 0
    while stops < 5:
        run = t.start_run()
        place = t.size("out.log")
        t.until("it to be at work", lambda: t.size("out.log") > place or not writing.is_alive() and t.size("out.log") == size, alive=run)
        began = time.monotonic()
        run.signal(number)
        code = run.wait(GENEROUS)
        slowest = max(slowest, time.monotonic() - began)
        t.equal(code, 0, f"exit code\n{run.stderr_tail}")
        t.contains(run.stderr, "stopping; a second signal stops at once", "standard error")
        stops += 1
        # Everything in the queue is sound and readable, and the output is a beginning of the log.
        t.sluice("queue", "verify", "q")
        t.equal(t.read("whole.log").startswith(t.read("out.log")), True, "the output is a beginning of the log")
        queue = t.show()
        t.equal(queue["durable_end"], queue["total_records"], "all that was taken is durable")
    writing.result()
    t.run("--once", "--drain", seconds=120)
    t.same("whole.log", "in.log")
    t.same("in.log", "out.log")
    t.note(f"{stops} stops, the slowest took {slowest:.2f} s")


@test("SIGTERM under load ends with 0 within ten seconds, and the next run goes on exactly", seconds=240)
def terminate_under_load(t):
    stop_under_load(t, signal.SIGTERM)


@test("SIGINT under load ends with 0 within ten seconds, and the next run goes on exactly", seconds=240)
def interrupt_under_load(t):
    stop_under_load(t, signal.SIGINT)


@test("a stopped --once --drain ends with 3, tells it, and the next run finishes it")
def stop_once(t):
    size = min(t.sizes.kill, 32 << 20)
    corpus.write(t.path("in.log"), size, t.seed)
    t.pipeline(f"""
queue: {{ path: q, max_size: 256MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ out: {{ type: file, path: out.log, pull: {{ rate: {size // 20}B/s }} }} }}
""")
    run = t.start_run("--once", "--drain")
    t.until("some output", lambda: t.size("out.log") > 0, alive=run)
    run.signal(signal.SIGTERM)
    t.equal(run.wait(GENEROUS), 3, "exit code")
    t.contains(run.stderr, "the next run goes on", "standard error")
    t.pipeline("""
queue: { path: q, max_size: 256MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    t.run("--once", "--drain")
    t.same("in.log", "out.log")


@test("a second signal ends at once, and the next run goes on exactly")
def second_signal(t):
    size = min(t.sizes.kill, 32 << 20)
    corpus.write(t.path("in.log"), size, t.seed)
    text = """
queue: { path: q, max_size: 256MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
"""
    t.pipeline(text)
    run = t.start_run()
    t.until("some output", lambda: t.size("out.log") > 0, alive=run)
    # Both signals are there when it wakes: the graceful end has no time to get to its end first.
    run.signal(signal.SIGSTOP)
    run.signal(signal.SIGTERM)
    run.signal(signal.SIGINT)
    began = time.monotonic()
    run.signal(signal.SIGCONT)
    code = run.wait(GENEROUS)
    t.true(code in (128 + signal.SIGTERM, 128 + signal.SIGINT), f"128 and the signal's number, found {code}\n{run.stderr_tail}")
    t.note(f"ended {time.monotonic() - began:.2f} s after the second signal")
    t.run("--once", "--drain")
    t.same("in.log", "out.log")


def kill_at(t, call, suffix):
    strace = t.program("strace")
    corpus.write(t.path("in.log"), 6 << 20, t.seed)
    # Small segments and files: many of every kind of step in a short run.
    t.pipeline(f"""
queue: {{ path: q, max_size: 8MiB, linger: 5ms }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ out: {{ type: file, path: out{suffix}, rotate: {{ size: 512KiB }} }} }}
""")
    kills = 0
    # Each run goes on where the one before was killed, until one gets to its end.
    for number in [1, 1, 2, 2, 3, 1, 4, 3, 5, 2, 7, 9, 12, 16, 21, 28, 37, 50]:
        run = t.start_run("--once", "--drain", label="killed", prefix=(
            strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"))
        code = run.wait(60)
        if code not in (0, -9, 137):
            t.equal(code, -9, f"exit code with a kill at {call} {number}\n{run.stderr_tail}")
        kills += code != 0
        if code == 0:
            t.call("rm", "-rf", "q")
            for path in outputs.files(t, "out", suffix):
                os.unlink(path)
    t.run("--once", "--drain")
    outputs.join(t, "out", suffix, "joined.log")
    t.same("in.log", "joined.log")
    t.sluice("queue", "verify", "q")
    t.note(f"{kills} kills")
    t.true(kills >= 3, f"three kills at least, found {kills}")


def register():
    for call, what in (("fdatasync", "a sync"), ("pwrite64", "a write"), ("renameat", "a rename"), ("fsync", "a directory's sync")):
        for suffix in (".log", ".log.gz"):
            def one(t, call=call, suffix=suffix):
                kill_at(t, call, suffix)
            one.__name__ = f"kill_at_{call}_{suffix.replace('.', '_')}"
            test(f"kill -9 at {what} ({call}) leaves an identical {suffix} copy", seconds=240)(one)


register()


@test("kill -9 at a deletion (unlinkat) leaves an identical copy", seconds=240)
def kill_at_unlink(t):
    strace = t.program("strace")
    corpus.write(t.path("in.log"), 48 << 20, t.seed)
    t.pipeline("""
queue: { path: q, max_size: 8MiB, linger: 5ms, min_free_disk: 0B, retention: { keep: 0s } }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log, rotate: { size: 4MiB } } }
""")
    kills = 0
    for number in (1, 1, 1, 2, 2, 3, 4):
        run = t.start_run("--once", "--drain", label="killed", prefix=(
            strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=unlinkat", "-e", f"inject=unlinkat:signal=KILL:when={number}"))
        code = run.wait(60)
        t.true(code in (0, -9, 137), f"a kill at unlinkat {number}, not exit code {code}\n{run.stderr_tail}")
        kills += code != 0
    t.run("--once", "--drain")
    outputs.join(t, "out", ".log", "joined.log")
    t.same("in.log", "joined.log")
    t.note(f"{kills} kills")
    t.true(kills >= 1, "one kill at least")
