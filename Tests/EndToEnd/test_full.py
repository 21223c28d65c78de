"""A queue that is full: what can wait waits, what can't is counted."""

import base64
import os
import select
import signal
import socket

from corpus import hard_lines
from endpoints import Endpoint, free_port
from harness import background, test

MIB = 1 << 20


def prepare(t, source, queue="{ path: q, max_size: 8MiB, min_free_disk: 1MiB }"):
    """A pipeline whose consumer is an endpoint that is down; gives the endpoint's port."""
    port = free_port()
    t.pipeline(f"""
queue: {queue}
sources: {{ app: {source} }}
sinks:
  collector:
    type: http
    url: http://127.0.0.1:{port}/logs
    batch: {{ max_records: 5000, linger: 20ms }}
    retry: {{ initial: 20ms, max: 200ms }}
""")
    return port


def wait_until_full(t, run):
    """Gives the queue's facts at that moment."""
    t.until("the queue to be full", lambda: "the queue is full" in run.stderr, alive=run)
    shown = t.show("q")
    t.true(5 * MIB < shown["stored_bytes"] <= 8 * MIB, f"a full queue holds nearly 8 MiB and not more, found {shown['stored_bytes']}")
    return shown


def come_up(t, port):
    endpoint = Endpoint(port=port)
    t.later(endpoint.close)
    return endpoint


def nothing_lost(t, endpoint, lines):
    t.same_lines(lines, endpoint.lines, "what the endpoint took")
    t.equal(endpoint.conflicts, [], "one key, one range")
    shown = t.show("q", "--gaps")
    t.equal((shown["total_records"], shown["total_lost"], shown["gaps"]), (len(lines), 0, []), "records, lost and gaps in the queue")
    t.true(shown["stored_bytes"] <= 8 * MIB, f"never more than 8 MiB, found {shown['stored_bytes']}")


@test("a tail waits while the queue is full, and loses nothing")
def full_tail(t):
    lines = hard_lines(t, 24 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    port = prepare(t, "{ type: file, paths: [in.log] }")
    run = t.start_run("--once", "--drain")
    shown = wait_until_full(t, run)
    t.true(0 < shown["total_records"] < len(lines), f"a part of the log is in the queue, found {shown['total_records']} of {len(lines)} records")
    t.true(run.is_running, "the run waits")
    endpoint = come_up(t, port)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    nothing_lost(t, endpoint, lines)
    t.note(f"full at {shown['total_records']} of {len(lines)} records")


@test("a tail that was killed while the queue was full goes on without loss or doubles")
def full_tail_killed(t):
    lines = hard_lines(t, 24 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    port = prepare(t, "{ type: file, paths: [in.log] }")
    for _ in range(3):
        run = t.start_run("--once", "--drain")
        wait_until_full(t, run)
        run.kill()
    run = t.start_run("--once", "--drain")
    wait_until_full(t, run)
    endpoint = come_up(t, port)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    nothing_lost(t, endpoint, lines)


@test("a run whose queue is full ends within seconds at SIGTERM, with nothing lost")
def full_stop(t):
    lines = hard_lines(t, 24 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    port = prepare(t, "{ type: file, paths: [in.log] }")
    run = t.start_run("--once", "--drain")
    wait_until_full(t, run)
    run.signal(signal.SIGTERM)
    t.equal(run.wait(10), 3, f"exit code with something left over\n{run.stderr_tail}")
    endpoint = come_up(t, port)
    t.run("--once", "--drain")
    nothing_lost(t, endpoint, lines)


def fill(t, leaving):
    """Takes the small disk's room but for `leaving` bytes."""
    free = os.statvfs(t.path("small"))
    with open(t.path("small/filler"), "wb") as file:
        file.write(bytes(free.f_bavail * free.f_bsize - leaving))


def same_records(t, endpoint, lines, queue):
    t.same_lines(lines, endpoint.lines, "what the endpoint took")
    shown = t.show(queue, "--gaps")
    t.equal((shown["total_records"], shown["total_lost"], shown["gaps"]), (len(lines), 0, []), "records, lost and gaps in the queue")


@test("a disk that fills up under the queue is named; sources wait, and all goes on by itself when there is room")
def full_queue_disk(t):
    t.small_disk( 48)
    fill(t, 6 * MIB)
    lines = hard_lines(t, 24 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    port = prepare(t, "{ type: file, paths: [in.log] }", "{ path: small/q, max_size: 1GiB, min_free_disk: 0B }")
    run = t.start_run("--once", "--drain")
    t.until("the message", lambda: "the disk is full" in run.stderr, alive=run)
    t.contains(run.stderr, "free space, and it goes on by itself", "the remedy")
    t.contains(run.stderr, "small/q", "which queue")
    os.unlink(t.path("small/filler"))
    t.until("the rest of the log in the queue", lambda: t.show("small/q")["total_records"] == len(lines), alive=run)
    endpoint = come_up(t, port)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    same_records(t, endpoint, lines, "small/q")


@test("a run that was killed on a full disk goes on from there, still full, as its consumer makes room")
def full_queue_disk_killed(t):
    t.small_disk( 48)
    fill(t, 6 * MIB)
    lines = hard_lines(t, 24 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    port = prepare(t, "{ type: file, paths: [in.log] }", "{ path: small/q, max_size: 1GiB, min_free_disk: 0B }")
    for _ in range(3):
        run = t.start_run("--once", "--drain")
        t.until("the message", lambda: "the disk is full" in run.stderr, alive=run)
        run.kill()
    # Never more room than these 6 MiB: each part goes when it is delivered.
    endpoint = come_up(t, port)
    t.run("--once", "--drain")
    same_records(t, endpoint, lines, "small/q")


@test("a disk that is nearly full all the time lets everything through, as the consumer makes room")
def small_queue_disk(t):
    t.small_disk( 8)
    lines = hard_lines(t, 48 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    t.pipeline("""
queue: { path: small/q, max_size: 1GiB, min_free_disk: 0B }
sources: { app: { type: file, paths: [in.log] } }
sinks: { copy: { type: file, path: out.log } }
""")
    t.run("--once", "--drain")
    t.same("in.log", "out.log")


@test("min_free_disk is kept free: sources wait for it, and go on when there is more")
def min_free_disk(t):
    t.small_disk( 48)
    fill(t, 24 * MIB)
    lines = hard_lines(t, 24 * MIB)
    t.write("in.log", b"\n".join(lines) + b"\n")
    port = prepare(t, "{ type: file, paths: [in.log] }", "{ path: small/q, max_size: 1GiB, min_free_disk: 16MiB }")
    run = t.start_run("--once", "--drain")
    t.until("the message", lambda: "the disk is full" in run.stderr, alive=run)
    t.contains(run.stderr, "min_free_disk=16777216", "which bound was met")
    free = os.statvfs(t.path("small"))
    free = free.f_bavail * free.f_bsize
    t.true(16 * MIB - 65536 <= free < 17 * MIB, f"16 MiB are free, found {free}")
    os.unlink(t.path("small/filler"))
    endpoint = come_up(t, port)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    same_records(t, endpoint, lines, "small/q")


@test("a program that writes to standard input is blocked while the queue is full, and then goes on")
def full_stdin(t):
    lines = hard_lines(t, 24 * MIB)
    port = prepare(t, "{ type: stdin }")
    reading, writing = os.pipe()
    run = t.start_run("--drain", stdin=reading)
    os.close(reading)
    progress = [0]

    def write():
        data = memoryview(b"\n".join(lines) + b"\n")
        try:
            while progress[0] < len(data):
                progress[0] += os.write(writing, data[progress[0]:progress[0] + 65536])
        finally:
            os.close(writing)

    writer = background(write)
    shown = wait_until_full(t, run)
    # Sluice has taken what it can hold in memory; then the pipe stays full.
    at = [-1, 0]

    def is_blocked():
        _, writable, _ = select.select([], [writing], [], 0.2)
        at[:] = [at[1], progress[0]]
        return not writable and at[0] == at[1]

    t.until("the writer to be blocked", is_blocked, alive=run)
    t.true(writer.is_alive(), f"the writer has more to write, after {progress[0]} bytes")
    blocked = progress[0]
    endpoint = come_up(t, port)
    writer.result(60)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    nothing_lost(t, endpoint, lines)
    t.note(f"blocked after {blocked / MIB:.1f} MiB, {shown['total_records']} records in the queue")


class Sender:
    """Sends numbered datagrams to a port of the loopback address, and counts them."""

    def __init__(self, t, port):
        self.t = t
        self.sent = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        t.later(self.socket.close)

    def send(self, text):
        self.socket.send(b"<14>1 - host shop - - - %08d " % self.sent + text)
        self.sent += 1

    def send_some(self):
        """A thousand of them that compress badly."""
        for _ in range(1000):
            self.send(base64.b64encode(self.t.random.randbytes(300)))


def send_sentinel(t, sender, endpoint, run):
    """Sends a last datagram until one of them is taken: the kernel tells its drops with the next datagram that it hands over."""

    def arrives():
        sender.send(b"sentinel")
        return any(b" sentinel" in line for line in endpoint.lines[-50:])

    t.until("a sentinel to arrive", arrives, alive=run)


def receive(t, options=""):
    udp = free_port(socket.SOCK_DGRAM)
    port = prepare(t, f'{{ type: syslog, listen: "udp://127.0.0.1:{udp}", format: raw{options} }}')
    run = t.start_run()
    t.until("the socket to be open", lambda: "syslog: listening" in run.stderr, alive=run)
    return run, port, Sender(t, udp)


def adds_up(t, run, sender, endpoint, reason):
    """What the endpoint took and what the queue counts as lost is what was sent. Ends the run."""

    def facts():
        shown = t.show("q")
        return len(endpoint.lines), shown["total_records"], shown["total_lost"]

    def is_settled():
        taken, records, lost = facts()
        return taken == records and records + lost >= sender.sent

    try:
        t.until("all datagrams to be accounted for", is_settled, seconds=20, alive=run)
    finally:
        taken, records, lost = facts()
        t.equal((taken, records + lost), (records, sender.sent), f"taken, and records ({records}) plus lost ({lost}), against records and datagrams sent")
    run.signal(signal.SIGTERM)
    t.equal(run.wait(15), 0, f"exit code after SIGTERM\n{run.stderr_tail}")
    numbers = [int(line[24:32]) for line in endpoint.lines]
    t.true(all(a < b for a, b in zip(numbers, numbers[1:])), "each datagram once, in order")
    t.true(lost > 0, "some were lost, or this test shows nothing")
    # Nothing of the queue was deleted so far, so every gap is still there.
    gaps = t.show("q", "--gaps")["gaps"]
    t.equal({gap["reason"] for gap in gaps}, {reason}, "the gaps' reasons")
    t.equal(sum(gap["records"] for gap in gaps), lost, "the gaps' records")
    t.note(f"{sender.sent} sent, {records} received, {lost} lost in {len(gaps)} gaps")


@test("of a UDP sender's datagrams to a full queue each is received or counted in a gap")
def full_udp(t):
    run, port, sender = receive(t)

    def is_full():
        sender.send_some()
        return "the queue is full" in run.stderr

    t.until("the queue to be full", is_full, alive=run)
    for _ in range(5):
        sender.send_some()
    # What is dropped now is a gap, which stands in the queue when there is room again.
    endpoint = come_up(t, port)
    send_sentinel(t, sender, endpoint, run)
    adds_up(t, run, sender, endpoint, "drop_newest")


@test("what the kernel dropped while Sluice stood still is counted in a gap")
def kernel_drops(t):
    run, port, sender = receive(t, ", receive_buffer: 64KiB")
    endpoint = come_up(t, port)
    sender.send_some()
    run.signal(signal.SIGSTOP)
    for _ in range(5):
        sender.send_some()
    run.signal(signal.SIGCONT)
    send_sentinel(t, sender, endpoint, run)
    adds_up(t, run, sender, endpoint, "kernel_drop")
