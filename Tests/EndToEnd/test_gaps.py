"""Every loss is an entry with its reason, count, bytes and time; records and gaps add up to what entered."""

import base64
import calendar
import glob
import gzip
import json
import os
import re
import signal
import socket
import time

from corpus import hard_lines
from endpoints import Endpoint, free_port
from harness import test

MIB = 1 << 20


def byte_count(lines):
    return sum(len(line) + 1 for line in lines)


def seconds(text):
    """A time of the JSON output as seconds since 1970."""
    whole, _, milliseconds = text.rstrip("Z").partition(".")
    parts = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(parts) + int(milliseconds) / 1000


def has_times(t, gap, began):
    """The entry says when, and that was in the course of this test."""
    first, last = seconds(gap["first_time"]), seconds(gap["last_time"])
    t.true(began - 1 <= first <= last <= time.time() + 1, f"times of this test ({began}), in order, found {gap}")


def split(data):
    """Lines of an output with `gaps: true`: those of the log, and the gaps among them."""
    lines, gaps = [], []
    for line in data.split(b"\n")[:-1]:
        if line.startswith(b'{"sluice_gap":'):
            gaps.append(json.loads(line)["sluice_gap"])
        else:
            lines.append(line)
    return lines, gaps


def lost(gaps, key="records"):
    return sum(gap[key] for gap in gaps)


def verify(t, code=0):
    return json.loads(t.sluice("queue", "verify", "q", "--output", "json", code=code))


def pull(t, name):
    """What a consumer is given by `sluice pull --commit`: lines, and gaps as (records, reason) from standard error."""
    process = t.start_sluice("pull", "q", "--consumer", name, "--commit", "--output", f"{name}.log")
    t.equal(process.wait(60), 0, f"exit code of sluice pull\n{process.stderr_tail}")
    found = re.findall(r"gap at \d+\.\.<\d+: ([0-9,]+) records? lost \((\w+),", process.stderr)
    gaps = [(int(records.replace(",", "")), reason) for records, reason in found]
    t.equal(process.stderr.count("gap at "), len(gaps), f"gaps that were understood in\n{process.stderr}")
    return t.read(f"{name}.log").split(b"\n")[:-1], gaps


class Sender:
    """Sends numbered datagrams and counts them."""

    def __init__(self, t, port):
        self.t = t
        self.sent = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        t.later(self.socket.close)

    def send(self, count=1000):
        for _ in range(count):
            self.socket.send(b"<14>1 - host shop - - - %08d " % self.sent + base64.b64encode(self.t.random.randbytes(300)))
            self.sent += 1


def receive(t, sinks, options="", queue="{ path: q, max_size: 64MiB }"):
    port = free_port(socket.SOCK_DGRAM)
    t.pipeline(f"""
queue: {queue}
sources: {{ network: {{ type: syslog, listen: "udp://127.0.0.1:{port}", format: raw{options} }} }}
{sinks}
""")
    run = t.start_run()
    t.until("the socket to be open", lambda: "syslog: listening" in run.stderr, alive=run)
    return run, Sender(t, port)


def until_accounted(t, run, sender, path):
    """Sends single datagrams, with which the kernel tells its drops, until lines and gaps in the output are what was sent."""

    def is_settled():
        lines, gaps = split(t.read(path)) if t.size(path) else ([], [])
        if len(lines) + lost(gaps) == sender.sent:
            return lines, gaps
        sender.send(1)
        time.sleep(0.05)
        return None

    return t.until("all datagrams to be accounted for", is_settled, seconds=40, alive=run)


@test("datagrams that the kernel dropped are lines of a file sink with gaps: true, entries of the queue, and counted by verify")
def kernel_drops_written(t):
    began = time.time()
    run, sender = receive(t, "sinks: { out: { type: file, path: out.log, gaps: true } }", ", receive_buffer: 64KiB")
    sender.send()
    t.until("the first to arrive", lambda: t.size("out.log"), alive=run)
    run.signal(signal.SIGSTOP)
    for _ in range(3):
        sender.send()
    run.signal(signal.SIGCONT)
    until_accounted(t, run, sender, "out.log")
    t.stop(run)
    lines, gaps = split(t.read("out.log"))
    t.true(gaps, "the kernel dropped some, or this test shows nothing")
    t.equal(len(lines) + lost(gaps), sender.sent, "lines and gaps in the output")
    shown = t.show("q", "--gaps")
    t.equal(shown["gaps"], gaps, "the entries of the queue and the lines of the output")
    t.equal({gap["reason"] for gap in gaps}, {"kernel_drop"}, "reasons")
    t.equal((shown["total_records"], shown["total_lost"]), (len(lines), lost(gaps)), "the queue's counts")
    for gap in gaps:
        has_times(t, gap, began)
    checked = verify(t)
    t.equal((checked["records"], checked["gaps"], checked["lost_records"]), (len(lines), len(gaps), lost(gaps)), "what verify counts")
    t.note(f"{sender.sent} sent, {lost(gaps)} lost in {len(gaps)} gaps")


@test("a gap of the queue that is deleted with the records around it is told to a consumer that was away, once")
def deleted_gap(t):
    run, sender = receive(
        t, "sinks: { out: { type: file, path: out.log, gaps: true } }\nconsumers: { nightly: {} }", ", receive_buffer: 64KiB")
    sender.send()
    t.until("the first to arrive", lambda: t.size("out.log"), alive=run)
    run.signal(signal.SIGSTOP)
    for _ in range(3):
        sender.send()
    run.signal(signal.SIGCONT)
    until_accounted(t, run, sender, "out.log")
    t.stop(run)
    lines, gaps = split(t.read("out.log"))
    shown = t.show("q")
    t.sluice("queue", "trim", "q", "--before", "newest", "--force")
    facts = t.consumer("nightly")
    loss = facts["pending_loss"]
    t.equal(
        (loss["first"], loss["next"], loss["reason"], loss["records"], loss["bytes"]),
        (0, shown["durable_end"], "retention", sender.sent, byte_count(lines) + lost(gaps, "bytes")), "what the consumer will be told")
    t.equal((facts["lost_records"], facts["lost_bytes"]), (len(lines), byte_count(lines)), "its own account")
    t.equal(t.show()["total_lost"], lost(gaps), "the queue's")
    t.equal(pull(t, "nightly"), ([], [(sender.sent, "retention")]), "what it is given")
    facts = t.consumer("nightly")
    t.equal((facts["lost_records"], facts["pending_loss"], facts["lag_records"]), (len(lines), None, 0), "its account afterwards")


@test("a full queue's newest that were dropped are told to each consumer where they are missing")
def drop_newest(t):
    began = time.time()
    port = free_port()
    run, sender = receive(t, f"""
sinks:
  out: {{ type: file, path: out.log, gaps: true }}
  collector: {{ type: http, url: "http://127.0.0.1:{port}/", retry: {{ initial: 20ms, max: 200ms }} }}
""", queue="{ path: q, max_size: 8MiB, min_free_disk: 1MiB }")

    def is_full():
        sender.send()
        return "the queue is full" in run.stderr

    t.until("the queue to be full", is_full, alive=run)
    for _ in range(5):
        sender.send()
    endpoint = Endpoint(port=port)
    t.later(endpoint.close)
    until_accounted(t, run, sender, "out.log")
    t.until("the endpoint to have it all", lambda: t.consumer("collector")["lag_records"] == 0, alive=run)
    t.stop(run)
    lines, gaps = split(t.read("out.log"))
    t.equal({gap["reason"] for gap in gaps}, {"drop_newest"}, "reasons")
    t.equal(len(lines) + lost(gaps), sender.sent, "lines and gaps in the output")
    length = len(lines[0]) + 1
    t.equal(byte_count(lines) + lost(gaps, "bytes"), length * sender.sent, "their bytes")
    for gap in gaps:
        has_times(t, gap, began)
    t.same_lines(lines, endpoint.lines, "what the endpoint took: the lines, and nothing for the gaps")
    shown = t.show("q", "--gaps")
    t.equal((shown["total_records"], shown["total_lost"]), (len(lines), lost(gaps)), "the queue's counts")
    t.equal([one["lost_records"] for one in shown["consumers"]], [0, 0], "no consumer lost anything that was there for it")
    t.note(f"{sender.sent} sent, {lost(gaps)} dropped in {len(gaps)} gaps")


def away(t, lines, queue, hold="", expected="retention"):
    """A consumer that is away while more comes than the queue keeps for it; what it is told and given is what entered."""
    began = time.time()
    t.write("in.log", b"\n".join(lines) + b"\n")
    t.pipeline(f"""
queue: {queue}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ out: {{ type: file, path: out.log, gaps: true }} }}
consumers: {{ nightly: {{ {hold} }} }}
""")
    t.run("--once", "--drain")
    written, gaps = split(t.read("out.log"))
    t.equal((len(written) + lost(gaps), byte_count(written) + lost(gaps, "bytes")), (len(lines), byte_count(lines)), "records, bytes in the output")
    facts = t.consumer("nightly")
    loss = facts["pending_loss"]
    t.true(loss and loss["records"] > 0, f"it has lost some, found {facts}")
    t.equal((loss["reason"], loss["records"], loss["bytes"]), (expected, facts["lost_records"], facts["lost_bytes"]), "what it will be told")
    t.equal(facts["lost_records"] + facts["lag_records"], len(lines), "records lost and there for it")
    t.equal(facts["lost_bytes"] + facts["lag_bytes"], byte_count(lines), "the same in bytes")
    has_times(t, loss, began)
    # Looking tells it too, and changes nothing.
    process = t.start_sluice("pull", "q", "--consumer", "nightly", "--output", "look.log")
    t.equal(process.wait(60), 0, f"exit code of sluice pull\n{process.stderr_tail}")
    t.equal(process.stderr.count("gap at "), 1, f"gaps told by a pull that only looks\n{process.stderr_tail}")
    given, told = pull(t, "nightly")
    t.equal(told, [(facts["lost_records"], expected)], "gaps that it was told")
    t.same_lines(lines[facts["lost_records"]:], given, "what it was given: all but the oldest")
    t.same("look.log", "nightly.log")
    verify(t)
    t.note(f"{facts['lost_records']} of {len(lines)} records lost")


@test("with overflow: drop_oldest a consumer that was away is told exactly what went")
def drop_oldest(t):
    away(t, hard_lines(t, 24 * MIB), "{ path: q, max_size: 8MiB, min_free_disk: 1MiB, overflow: drop_oldest }", expected="drop_oldest")


@test("a consumer that was away with a hold by size is told exactly what was beyond it")
def hold_by_size(t):
    away(t, hard_lines(t, 24 * MIB), "{ path: q, max_size: 8MiB, min_free_disk: 1MiB }", "hold: 2MiB")


@test("a consumer that was away with a hold by share is told exactly what was beyond it")
def hold_by_share(t):
    away(t, hard_lines(t, 24 * MIB), "{ path: q, max_size: 8MiB, min_free_disk: 1MiB }", "hold: 10%")


@test("a consumer that was away with a hold by age is told exactly what was older, when space was needed")
def hold_by_age(t):
    away(t, hard_lines(t, 24 * MIB), "{ path: q, max_size: 8MiB, min_free_disk: 1MiB }", "hold: 1ms")


@test("what max_age deletes is told to the consumer that had not read it, and not to the one that had")
def max_age(t):
    began = time.time()
    lines = hard_lines(t, MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")

    def pipeline(retention):
        t.pipeline(f"""
queue: {{ path: q, retention: {{ {retention} }} }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ out: {{ type: file, path: out.log, gaps: true }} }}
consumers: {{ nightly: {{}} }}
""")

    pipeline("keep: 1h")
    t.run("--once", "--drain")
    t.equal(t.consumer("nightly")["lag_records"], len(lines), "what is there for it")
    pipeline("keep: 1s, max_age: 1s")
    run = t.started(t.start_run())
    t.until("the old records to go", lambda: t.show()["start_offset"] >= len(lines), alive=run)
    t.stop(run)
    t.same("in.log", "out.log")
    facts = {one["name"]: one for one in t.show()["consumers"]}
    t.equal((facts["out"]["lost_records"], facts["out"]["pending_loss"]), (0, None), "the file's losses")
    loss = facts["nightly"]["pending_loss"]
    t.equal((loss["reason"], loss["records"], loss["bytes"]), ("retention", len(lines), byte_count(lines)), "what the other will be told")
    has_times(t, loss, began)
    t.equal(pull(t, "nightly"), ([], [(len(lines), "retention")]), "what it is given")


@test("a damaged block is a gap with its records, bytes and time: shown, counted by verify, written by sinks, its bytes set aside")
def quarantine(t):
    began = time.time()
    lines = hard_lines(t, 4 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    t.pipeline("""
queue: { path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks: { first: { type: file, path: first.log } }
""")
    t.run("--once", "--drain")
    t.same("in.log", "first.log")
    t.equal(verify(t)["records"], len(lines), "records of a sound queue")
    path = sorted(glob.glob(t.path("q/segments/*.gz")))[0]
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0x10]))
    shown = t.show("q", "--gaps")
    t.equal(len(shown["gaps"]), 1, "gaps")
    gap = shown["gaps"][0]
    t.equal(gap["reason"], "corrupt_block", "the reason")
    t.equal(gap["next"] - gap["first"], gap["records"], "as many records as offsets")
    t.equal(gap["bytes"], byte_count(lines[gap["first"]:gap["next"]]), "bytes")
    has_times(t, gap, began)
    checked = verify(t, code=5)
    t.equal((checked["damaged"], checked["unreadable_offsets"]), (True, gap["records"]), "what verify finds")
    t.equal(checked["records"] + checked["unreadable_offsets"], len(lines), "sound and unreadable records")
    # A new sink reads it all again; it is told where the others were.
    t.pipeline("""
queue: { path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks:
  first: { type: file, path: first.log }
  second: { type: file, path: second.log.gz, gaps: true }
  third: { type: file, path: third.log }
  screen: { type: stdout, gaps: true }
""")
    run = t.run("--once", "--drain")
    with gzip.open(t.path("second.log.gz")) as file:
        written, gaps = split(file.read())
    expected = lines[:gap["first"]] + lines[gap["next"]:]
    t.equal(gaps, [gap], "the gap in the output")
    t.same_lines(expected, written, "the lines around it")
    t.equal(run.stdout.encode(), b"".join(line + b"\n" for line in lines[:gap["first"]])
            + b'{"sluice_gap":' + json.dumps(gap, separators=(",", ":")).encode() + b"}\n"
            + b"".join(line + b"\n" for line in lines[gap["next"]:]), "standard output, with the gap in its place")
    t.equal(t.read("third.log"), b"".join(line + b"\n" for line in expected), "an output without gaps goes on behind it")
    t.same("in.log", "first.log")
    t.true(glob.glob(t.path("q/quarantine/*")), "the damaged bytes are set aside")
    t.equal([one["lost_records"] for one in t.show()["consumers"]], [0, 0, 0, 0], "it is a loss of the queue, not of a consumer")
