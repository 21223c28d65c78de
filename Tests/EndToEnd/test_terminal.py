"""What people and programs see: the live status on a terminal, JSON elsewhere, and the queue commands on an idle and on a held queue."""

import base64
import json
import os
import re
import signal
import subprocess
import threading

from harness import background, test
from watched import Watched

COPY = """
queue: { path: q, max_size: 64MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
"""
ESCAPE = b"\x1b["


def on_terminal(t, arguments, enough, term="xterm", columns=100):
    """Runs sluice with a terminal for standard error until `enough(what it showed)`, then ends it with SIGTERM."""
    watched = Watched(t, t.sluice_path, *arguments, columns=columns, term=term, stdout=subprocess.PIPE)
    try:
        t.until(f"{enough.__doc__ or 'the status'}; seen so far: {watched.seen[-500:]}", lambda: enough(watched.seen))
    finally:
        code, output = watched.end(signal.SIGTERM)
    t.equal(code, 0, "exit code")
    t.equal(output, b"", "standard output")
    return watched.seen


@test("a terminal shows the live status, and gets its cursor back")
def live_status(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(COPY)

    def status(seen):
        "the live status with the sink's name"
        return ESCAPE in seen and b"out" in seen.rpartition(b"sink writes files")[2]

    seen = on_terminal(t, ["run", "p.yaml"], status)
    t.equal(seen.count(ESCAPE + b"?25l"), seen.count(ESCAPE + b"?25h"), "the cursor is shown as often as it was hidden")
    t.true(b"stopping" in seen, "log lines come out above the status")


@test("the live status tells when the queue will be full and because of whom, and when a consumer that is away will lose records and why")
def live_forecast(t):
    t.write("in.log", b"")
    t.pipeline("""
queue: { path: q, max_size: 16MiB, min_free_disk: 1MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
consumers: { nightly: {}, weekly: { hold: 1MiB } }
""")
    stop = threading.Event()

    def feed():
        with open(t.path("in.log"), "ab", buffering=0) as log:
            while not stop.wait(0.05):
                log.write(b"".join(base64.b64encode(t.random.randbytes(300)) + b"\n" for _ in range(400)))

    feeding = background(feed)

    def forecasts(seen):
        "the forecasts, and then the full queue"
        return re.search(rb"full in [0-9.]+ (s|min [0-9]+ s) because of nightly", seen) and re.search(rb"weekly [^\n]*loses records in [^\n]* by hold", seen) \
            and b"FULL because of nightly" in seen

    try:
        on_terminal(t, ["run", "p.yaml"], forecasts, columns=200)
    finally:
        stop.set()
        feeding.result()
    facts = {one["name"]: one for one in t.show()["consumers"]}
    t.equal((facts["nightly"]["lost_records"], facts["out"]["lost_records"]), (0, 0), "who holds all, and who reads, lose nothing")


@test("no live status with --no-status, nor on a dumb terminal")
def no_status(t):
    t.pipeline(COPY)
    for number, (arguments, term) in enumerate(((["run", "p.yaml", "--no-status"], "xterm"), (["run", "p.yaml"], "dumb")), 1):
        # New lines each time: when they are delivered the run is at work, and takes a signal as one.
        t.write("in.log", b"one\ntwo\n" * number)
        seen = on_terminal(t, arguments, lambda seen: t.size("out.log") == 8 * number and b"pipeline starts" in seen, term)
        t.true(ESCAPE + b"A" not in seen and b"\r\x1b" not in seen and ESCAPE + b"J" not in seen and ESCAPE + b"K" not in seen,
               f"no moves of the cursor, found {seen[-400:]}")


@test("a pipe gets log lines only: no status, no escape sequence")
def no_status_in_pipe(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(COPY)
    run = t.run("--once", "--drain", env=os.environ | {"TERM": "xterm"})
    t.true("\x1b" not in run.stderr and "\r" not in run.stderr, "no escape sequence in standard error")
    for line in run.stderr.splitlines():
        t.true(line[:4].isdigit() and line[10] == "T", f"a log line, found {line!r}")
    t.equal(run.stdout, "", "standard output")


@test("--log-format json gives one JSON object a line")
def json_log(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(COPY)
    run = t.run("--once", "--drain", "--log-format", "json")
    objects = [json.loads(line) for line in run.stderr.splitlines()]
    t.true(len(objects) > 3, "several lines")
    for one in objects:
        t.true({"time", "level", "message"} <= one.keys(), f"time, level and message, found {one}")
    t.true(any(one["message"] == "pipeline ended" for one in objects), "the pipeline's end")


@test("--output json is JSON for list, show, verify, check, seek, seal, trim, push and version")
def json_output(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(COPY)
    t.run("--once", "--drain")
    for arguments in (
        ("queue", "list", "."), ("queue", "show", "q"), ("queue", "show", "q", "--gaps"), ("queue", "verify", "q"), ("version",), ("check", "p.yaml"),
        ("queue", "seek", "q", "out", "oldest"), ("queue", "seal", "q"), ("queue", "trim", "q", "--before", "newest", "--force"),
    ):
        text = t.sluice(*arguments, "--output", "json")
        try:
            json.loads(text)
        except ValueError as error:
            t.true(False, f"JSON from {' '.join(arguments)}: {error}: {text[:300]!r}")
    with open(t.write("more.log", b"three\n"), "rb") as more:
        json.loads(t.sluice("push", "q", "--output", "json", stdin=more))


@test("version says which codec is in use; SLUICE_CODEC=zlib asks for zlib, and either reads what the other wrote")
def codec(t):
    zlib = os.environ | {"SLUICE_CODEC": "zlib"}
    t.equal(json.loads(t.sluice("version", "--output", "json", env=zlib))["codec"], "zlib", "the codec that was asked for")
    t.contains(t.sluice("version", env=zlib), "(SLUICE_CODEC=zlib asks for it)", "version")
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(20_000)))
    t.pipeline(COPY)
    t.run("--once", "--drain", env=zlib)
    t.same("in.log", "out.log")
    t.sluice("queue", "verify", "q")
    with open(t.path("in.log"), "ab") as log:
        log.write(b"more\n" * 1000)
    t.run("--once", "--drain")
    t.same("in.log", "out.log")
    t.sluice("queue", "verify", "q", env=zlib)


@test("push, pull, cat, seek, seal and trim work on an idle queue")
def idle(t):
    t.write("in.log", b"one\ntwo\nthree\n")
    with open(t.path("in.log"), "rb") as lines:
        t.sluice("push", "q", "--create", stdin=lines)
    t.equal(t.sluice("queue", "cat", "q"), "one\ntwo\nthree\n", "cat")
    t.equal(t.sluice("queue", "cat", "q", "--from", "1", "--count", "1"), "two\n", "cat from 1, one line")
    t.equal(t.sluice("pull", "q", "--consumer", "job", "--create", "--commit", "--count", "2"), "one\ntwo\n", "the first pull")
    t.equal(t.sluice("pull", "q", "--consumer", "job", "--commit", "--count", "2"), "three\n", "the second pull")
    t.equal(t.consumer("job")["lag_records"], 0, "what is left for the consumer")
    t.sluice("queue", "seek", "q", "job", "1")
    t.equal(t.sluice("pull", "q", "--consumer", "job"), "two\nthree\n", "after seek 1")
    t.sluice("queue", "seal", "q")
    t.equal(t.call("sh", "-c", "zcat q/segments/*.gz").decode(), "one\ntwo\nthree\n", "zcat of the sealed segments")
    refused = t.start_sluice("queue", "trim", "q", "--before", "newest")
    t.equal(refused.wait(), 2, "exit code of a trim that takes unread records")
    t.contains(refused.stderr, "--force", "the remedy")
    t.contains(refused.stderr, "job", "who would lose them")
    t.equal(t.sluice("queue", "cat", "q"), "one\ntwo\nthree\n", "nothing was deleted")
    t.sluice("queue", "trim", "q", "--before", "newest", "--force")
    t.equal(t.sluice("queue", "cat", "q"), "", "after the trim")
    t.sluice("queue", "verify", "q")


@test("list, show, cat, pull and verify work on a held queue; what writes asks the holder, or names it")
def held(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(COPY)
    run = t.start_run()
    t.until("the lines to come out", lambda: t.size("out.log") == 8, alive=run)
    t.equal(t.sluice("queue", "cat", "q"), "one\ntwo\n", "cat")
    t.equal(t.sluice("pull", "q", "--count", "1"), "one\n", "pull without --commit")
    t.equal(t.show()["holder"] is not None and t.show()["held"], True, "show says that it is held")
    t.contains(t.sluice("queue", "show", "q"), f"pid {run.pid}", "show")
    t.contains(t.sluice("queue", "list", "."), f"pid {run.pid}", "list")
    t.sluice("queue", "verify", "q")
    # What the process itself can do it is asked to, by the socket in the queue's directory.
    t.equal(t.sluice("pull", "q", "--consumer", "job", "--create", "--commit"), "one\ntwo\n", "pull --commit")
    t.equal({one["name"]: one["cursor"] for one in t.show()["consumers"]}["job"], 2, "the cursor of who pulled")
    t.contains(t.sluice("queue", "seal", "q"), "sealed", "seal")
    process = t.start_sluice("queue", "seek", "q", "out", "oldest")
    t.equal(process.wait(20), 2, f"exit code of seek of a sink's consumer\n{process.stderr_tail}")
    t.contains(process.stderr, "sink", "seek says whose consumer it is")
    # What only the files can answer needs them.
    process = t.start_sluice("queue", "trim", "q", "--before", "newest")
    t.equal(process.wait(20), 4, f"exit code of trim\n{process.stderr_tail}")
    t.contains(process.stderr, f"pid {run.pid}", "trim names the holder")
    t.contains(process.stderr, "stop", "trim names the remedy")
    with open(t.path("in.log"), "ab") as log:
        log.write(b"three\n")
    t.until("the run to go on", lambda: t.size("out.log") == 14, alive=run)
    run.signal(signal.SIGTERM)
    t.equal(run.wait(15), 0, "exit code")
    t.equal(t.sluice("queue", "cat", "q"), "one\ntwo\nthree\n", "nothing was changed")
