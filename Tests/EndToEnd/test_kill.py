"""kill -9 at random moments: every line exactly once, in order."""

import os
import time

import corpus
import outputs
from endpoints import Endpoint
from harness import Failure, background, test


def kill_and_restart(t, options, progress, expected_total, kills):
    """Runs, kills when `progress` reaches random places between 6 % and 85 % of `expected_total`, then lets it finish. Gives the places, in bytes."""
    places = sorted(t.random.uniform(0.06, 0.85) * expected_total for _ in range(kills))
    killed_at = []
    for place in places:
        run = t.start_run(*options)
        # What a kill takes back is written again, so progress may start below the place of the last kill.
        t.until(f"the output to reach {place:.0f} bytes", lambda: progress() >= place or not run.is_running, seconds=120, alive=run)
        t.true(run.is_running, f"the run is still at work at {place:.0f} of {expected_total:.0f} bytes\n{run.stderr_tail}")
        # A random moment of the work that goes on from there.
        time.sleep(t.random.uniform(0, 0.02))
        killed_at.append(progress())
        run.kill()
    t.run(*options, seconds=300)
    return killed_at


def tell_kills(t, killed_at, total):
    between = sum(0.05 <= place / total <= 0.95 for place in killed_at)
    t.note(f"{len(killed_at)} kills at {', '.join(f'{100 * place / total:.0f}' for place in killed_at)} % of the output")
    t.true(between >= 0.75 * t.sizes.kills, f"three kills of four between 5 % and 95 % of the output, found {between} of {t.sizes.kills}")


def copy_with_kills(t, suffix, rotate, max_size="64MiB", source=""):
    size = t.sizes.kill
    corpus.write(t.path("in.log"), size, t.seed)
    compressed = suffix.endswith(".gz")
    # So slow that there is time for every kill: a few seconds for all of it, whatever the size.
    rate = max(4 << 20, size // 8)
    t.pipeline(f"""
queue: {{ path: q, max_size: {max_size} }}
sources: {{ app: {{ type: file, paths: [in.log]{source} }} }}
sinks:
  out:
    type: file
    path: out{suffix}
    pull: {{ rate: {rate}B/s }}
    {f'rotate: {{ size: {rotate} }}' if rotate else ''}
""")
    ratio = 4.7 if compressed else 1
    killed_at = kill_and_restart(t, ("--once", "--drain"), lambda: outputs.byte_count(t, "out", suffix), size / ratio, t.sizes.kills)
    paths = outputs.join(t, "out", suffix, "joined.log")
    if rotate:
        t.true(len(paths) > 2, f"several output files, found {len(paths)}")
    t.same("in.log", "joined.log")
    tell_kills(t, killed_at, outputs.byte_count(t, "out", suffix))
    # Nothing is left: another run writes nothing.
    t.run("--once", "--drain")
    outputs.join(t, "out", suffix, "again.log")
    t.same("in.log", "again.log")


@test("a plain copy is identical after twenty kills", seconds=180)
def kill_plain(t):
    copy_with_kills(t, ".log", None)


@test("a .gz copy is identical after twenty kills", seconds=180)
def kill_gzip(t):
    copy_with_kills(t, ".log.gz", None)


@test("a copy rotated by size is identical after twenty kills", seconds=180)
def kill_rotated(t):
    copy_with_kills(t, ".log", "5MiB", max_size="8MiB")


@test("a .gz copy rotated by size is identical after twenty kills", seconds=180)
def kill_rotated_gzip(t):
    copy_with_kills(t, ".log.gz", "1MiB")


@test("kills at random times, also during start, leave an identical copy", seconds=180)
def kill_at_random_times(t):
    size = min(t.sizes.kill, 64 << 20)
    corpus.write(t.path("in.log"), size, t.seed)
    t.pipeline("""
queue: { path: q, max_size: 8MiB, linger: 5ms }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log, rotate: { size: 3MiB } } }
""")
    kills = 0
    for _ in range(4 * t.sizes.kills):
        run = t.start_run("--once", "--drain")
        time.sleep(t.random.choice((0.002, 0.02, 0.1, 0.3)) * t.random.random())
        if run.is_running:
            kills += 1
        run.kill()
    t.run("--once", "--drain", seconds=300)
    outputs.join(t, "out", ".log", "joined.log")
    t.same("in.log", "joined.log")
    t.note(f"{kills} kills while it ran")


def rotate_under_kills(t, paths, has_been_seen):
    """A writer that rotates as logrotate's `create` does (the file gets another name, a new one comes in its place, the writer goes over to that), while
    Sluice is killed again and again. `has_been_seen(start)` says whether the file whose first byte is the log's byte `start` may be rotated away."""
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [{paths}] }} }}
sinks: {{ out: {{ type: file, path: out.log }} }}
""")
    os.mkdir(t.path("logs"))
    count = t.sizes.lines
    rotations = 12

    def writer():
        file = open(t.path("logs/app.log"), "ab", buffering=0)
        batch, start, position = [], 0, 0
        every = count // (rotations + 1)
        for number, line in enumerate(corpus.lines(count, t.seed)):
            batch.append(line)
            position += len(line)
            if len(batch) == 200:
                file.write(b"".join(batch))
                batch = []
                time.sleep(0.02 * (20_000 / count))
            if number % every == every - 1 and number // every < rotations:
                t.until("the file to be seen before it is rotated", lambda: has_been_seen(start))
                os.rename(t.path("logs/app.log"), t.path(f"logs/app.log.{number // every:03}"))
                new = open(t.path("logs/app.log"), "ab", buffering=0)
                # Some writers go on with the old file for a moment.
                file.write(b"".join(batch))
                batch = []
                file.close()
                file, start = new, position
        file.write(b"".join(batch))
        file.close()

    writing = background(writer)
    kills = 0
    while writing.is_alive():
        run = t.start_run()
        time.sleep(t.random.uniform(0.05, 0.5))
        kills += run.is_running
        run.kill()
    writing.result()
    expected = [line[:-1] for line in corpus.lines(count, t.seed)]
    total = sum(map(len, expected)) + count
    run = t.started(t.start_run())
    try:
        t.until("all lines to come out", lambda: t.size("out.log") >= total, seconds=30, alive=run)
    except Failure:
        t.same_lines(expected, t.read("out.log").split(b"\n")[:-1], "what came out")
        raise
    t.stop(run)
    t.note(f"{kills} kills, {rotations} rotations, {count} lines")
    return expected


@test("a log that is rotated while Sluice is killed is copied without loss or doubles", seconds=240)
def kill_while_rotating(t):
    # Only the log's own name is tailed, so a file that comes and goes while Sluice is down can't be known: each is rotated once it was seen.
    expected = rotate_under_kills(t, "logs/app.log", lambda start: t.size("out.log") > start)
    t.same_lines(expected, t.read("out.log").split(b"\n")[:-1], "what came out")


@test("files that come and go while Sluice is down are found by a glob, without loss or doubles", seconds=240)
def kill_while_rotating_glob(t):
    expected = rotate_under_kills(t, '"logs/app.log*"', lambda start: True)
    # Several files are read side by side: order holds in each of them.
    found = t.read("out.log").split(b"\n")[:-1]
    t.same_lines(sorted(expected, key=corpus.number), sorted(found, key=corpus.number), "what came out")


@test("an HTTP endpoint that knows Idempotency-Key takes every line once, in order, over twenty kills", seconds=240)
def kill_http(t):
    endpoint = Endpoint()
    t.later(endpoint.close)
    size = t.sizes.kill // 4
    corpus.write(t.path("in.log"), size, t.seed)
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  collector:
    type: http
    url: {endpoint.url}
    batch: {{ max_records: 5000, max_bytes: 128KiB, linger: 20ms }}
    pull: {{ rate: {max(2 << 20, size // 8)}B/s }}
    retry: {{ initial: 50ms, max: 1s }}
""")
    killed_at = kill_and_restart(t, ("--once", "--drain"), lambda: endpoint.byte_count, size, t.sizes.kills)
    with open(t.path("in.log"), "rb") as file:
        expected = file.read().split(b"\n")[:-1]
    t.same_lines(expected, endpoint.lines, "what the endpoint took")
    t.equal(endpoint.conflicts, [], "one key, one range")
    t.equal(endpoint.encodings, {"gzip"}, "how bodies travel")
    tell_kills(t, killed_at, size)
    t.note(f"{endpoint.requests} requests, {endpoint.repeats} of them repeats after a crash")
    t.true(endpoint.repeats <= len(killed_at), "at most one batch is sent again after a kill")
