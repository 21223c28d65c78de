"""Sealed segments are ordinary gzip files, whatever Sluice is doing."""

import glob
import gzip
import json
import os
import subprocess

import corpus
from harness import Failure, test
import served


def sealed(t, queue="q"):
    return sorted(glob.glob(t.path(queue, "segments", "*.gz")))


def check(t, paths, expected, what, whole):
    """`zcat`, `gzip -t`, `zgrep`, Python and DuckDB agree: these are the first lines of `expected` (all of them if `whole`)."""
    t.true(paths, f"{what}: sealed segments")
    text = t.call("zcat", *paths)
    lines = text.split(b"\n")[:-1]
    t.equal(text[-1:], b"\n", f"{what}: the last byte")
    t.same_lines(expected if whole else expected[: len(lines)], lines, f"{what}: what zcat prints")
    for path in paths:
        t.call("gzip", "-t", path)
        with gzip.open(path, "rb") as file:
            t.true(file.read() in text, f"{what}: Python reads {os.path.basename(path)} as zcat does")
    with_python = b"".join(gzip.open(path, "rb").read() for path in paths)
    t.true(with_python == text, f"{what}: Python's gzip gives what zcat prints")
    found = t.call("zgrep", "-h", "-c", "#", *paths).split()
    t.equal(sum(map(int, found)), len(lines), f"{what}: lines that zgrep counts")
    check_duckdb(t, paths, lines, what)
    return len(lines)


def check_duckdb(t, paths, lines, what):
    try:
        import duckdb
    except ImportError as error:
        raise Failure("this test needs Python's duckdb; Tests/run installs it, or: pip install duckdb") from error
    connection = duckdb.connect(config={"threads": 2})
    rows = connection.execute(
        "SELECT line FROM read_csv(?, columns = {'line': 'VARCHAR'}, header = false, delim = '\\x01', quote = '', escape = '', auto_detect = false, compression = 'gzip')",
        [paths]).fetchall()
    t.same_lines(lines, [row[0].encode() for row in rows], f"{what}: what DuckDB reads")


@test("sealed segments are read by zcat, gzip -t, zgrep, Python and DuckDB while the queue is in use, after a kill, and after a stop")
def tools_read_segments(t):
    size = min(t.sizes.kill, 64 << 20) // 2
    corpus.write(t.path("in.log"), size, t.seed)
    expected = t.read("in.log").split(b"\n")[:-1]
    t.pipeline("""
queue: { path: q, max_size: 24MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    run = t.start_run()
    t.until("two sealed segments", lambda: len(sealed(t)) >= 2, alive=run)
    while_writing = check(t, sealed(t), expected, "while it is written", whole=False)
    t.until("everything to come out", lambda: t.size("out.log") == t.size("in.log"), alive=run)
    check(t, sealed(t), expected, "while it is in use", whole=False)
    run.kill()
    check(t, sealed(t), expected, "after a kill", whole=False)
    t.sluice("queue", "seal", "q")
    check(t, sealed(t), expected, "after queue seal", whole=True)
    with open(t.path("in.log"), "ab") as file:
        file.writelines(corpus.lines(1000, t.seed, first=len(expected)))
    expected = t.read("in.log").split(b"\n")[:-1]
    run = t.start_run()
    t.until("the rest to come out", lambda: t.size("out.log") == t.size("in.log"), alive=run)
    t.stop(run)
    count = check(t, sealed(t), expected, "after a stop", whole=True)
    t.sluice("queue", "verify", "q")
    t.note(f"{while_writing} lines while it was written, {count} in {len(sealed(t))} segments in the end")


@test("a trickle of lines, each durable by itself, ends as a well-filled segment of the same lines")
def trickle(t):
    t.pipeline("""
queue: { path: q, linger: 0s }
sources: { standard_input: { type: stdin } }
""")
    expected = []
    run = t.start_run(stdin=subprocess.PIPE)
    for line in corpus.lines(300, t.seed):
        run.popen.stdin.write(line)
        run.popen.stdin.flush()
        expected.append(line[:-1])
        t.until("the line to be durable", lambda: t.size("q/segments/00000000000000000000.gz.active") > 0, alive=run)
    run.popen.stdin.close()
    t.equal(run.wait(20), 0, f"exit code\n{run.stderr_tail}")
    check(t, sealed(t), expected, "after the end", whole=True)
    plain = sum(len(line) + 1 for line in expected)
    stored = sum(os.path.getsize(path) for path in sealed(t))
    t.note(f"{plain} bytes of lines in {stored} bytes on disk")
    t.true(stored < plain / 2, "neighbouring blocks are merged when a segment of small ones is sealed")


@test("queue cat prints what is durable while another process holds the queue")
def cat_while_held(t):
    corpus.write(t.path("in.log"), 4 << 20, t.seed)
    t.pipeline("""
queue: { path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log, pull: { rate: 1MiB/s } } }
""")
    run = t.start_run()
    count = t.read("in.log").count(b"\n")
    t.until("all lines to be durable", lambda: os.path.isdir(t.path("q/segments")) and t.size("q/lock") and t.show()["durable_end"] == count, alive=run)
    with open(t.path("cat.log"), "wb") as stdout:
        t.sluice("queue", "cat", "q", stdout=stdout)
    t.same("in.log", "cat.log")
    facts = t.show()
    t.true(facts["held"] and str(run.pid) in facts["holder"], f"the holder is named, found {facts['holder']}")
    t.equal(t.sluice("queue", "verify", "q", "--output", "json").count('"damaged": false'), 1, "verify finds no damage in a queue in use")
    # Sealing is asked of the process, trimming needs the files.
    t.contains(t.sluice("queue", "seal", "q"), "sealed", "seal on a held queue")
    process = t.start_sluice("queue", "trim", "q", "--before", "1")
    t.equal(process.wait(), 4, f"exit code of trim on a held queue\n{process.stderr_tail}")
    t.contains(process.stderr, str(run.pid), "the message names the holder")
    t.stop(run)


@test("queue show tells a server's sealed segments as it tells a directory's")
def show_of_server(t):
    server = served.serve(t)
    server.pushed([b"one", b"two"])
    t.equal(server.request("POST", server.path("/seal")).status, 200, "sealing")
    t.contains(t.sluice("queue", "show", "q", "--server", server.url), "sealed", "the text")
    facts = json.loads(t.sluice("queue", "show", "q", "--server", server.url, "--output", "json"))
    t.equal([(one["base"], one["end"], one["sealed"]) for one in facts["segments"]], [(0, 2, True)], "the segments")
