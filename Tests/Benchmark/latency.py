"""How soon one record is with a consumer: waiting pulls beside polling each 100 ms, and log -> file beside rsyslog; each on an idle system, durable before it is visible."""

import ctypes
import http.client
import os
import random
import socket
import statistics
import subprocess
import threading
import time

from harness import Daemon, is_ready, percentile, some_lines, table
from peers import Rsyslog
from pull import free_port

TITLE = "Latency of one record"
LIMIT = "one measured fdatasync of a small append"
COUNT = 200


def fdatasync_seconds(directory):
    """The median of appending 300 bytes and syncing them."""
    samples = []
    with open(directory / "sync", "wb", buffering=0) as file:
        for _ in range(COUNT):
            file.write(b"x" * 300)
            began = time.monotonic()
            os.fdatasync(file.fileno())
            samples.append(time.monotonic() - began)
            time.sleep(0.005)
    return samples


def sent_and_seen(send, records, seen):
    """Sends one record after the other at irregular times, each after a quiet spell (the default `linger` is 50 ms); gives the seconds until each is seen."""
    draw = random.Random(1)
    samples = []
    for number in range(records):
        time.sleep(draw.uniform(0.06, 0.16))
        began = time.monotonic()
        send(b"record %06d of the latency run, with some text behind it so that it looks like a line of a log\n" % number)
        samples.append(seen(number) - began)
    return samples


class Puller(threading.Thread):
    """A consumer that pulls, commits with the next pull, and notes when each record came."""

    def __init__(self, port, name, poll=None):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.path = f"/v1/queues/p/records?consumer={name}&wait={'0s' if poll else '20s'}"
        self.poll = poll
        self.came = []
        self.changed = threading.Condition()
        self.is_ended = False
        self.requests = 0
        self.connection.request("PUT", f"/v1/queues/p/consumers/{name}")
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status in (200, 201), answer.status

    def run(self):
        commit = ""
        due = time.monotonic()
        while not self.is_ended:
            if self.poll:
                due += self.poll
                time.sleep(max(0, due - time.monotonic()))
            try:
                self.connection.request("GET", self.path + commit)
                answer = self.connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                # The server ends with the run.
                if self.is_ended:
                    return
                raise
            self.requests += 1
            now = time.monotonic()
            if answer.status == 200:
                commit = f"&commit={answer.getheader('Sluice-Next-Offset')}"
                with self.changed:
                    self.came += [now] * body.count(b"of the latency run")
                    self.changed.notify_all()

    def seen(self, number):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.came) > number, 20), f"record {number} didn't come"
            return self.came[number]


SOURCES = {
    "tail": "type: file, paths: [{directory}/in.log]",
    "UDP": "type: syslog, listen: 'udp://127.0.0.1:{udp}'",
    "HTTP": "type: stdin",
}


class Load(threading.Thread):
    """Appends to a log, 20 MB of lines a second, until it is told to end."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.file = open(path, "ab", buffering=0)
        self.piece = "".join(some_lines(2000, 3)).encode()
        self.is_ended = False

    def run(self):
        due = time.monotonic()
        while not self.is_ended:
            self.file.write(self.piece)
            due += len(self.piece) / 20e6
            time.sleep(max(0, due - time.monotonic()))


def pulled(bench, kind, poll, loaded=False):
    with bench.directory() as directory:
        port, udp = free_port(), free_port()
        log = open(directory / "in.log", "ab", buffering=0)
        source = SOURCES[kind].format(directory=directory, udp=udp)
        load = Load(directory / "load.log")
        (directory / "p.yaml").write_text(
            f"queue: {{ path: {directory}/queue }}\nsources: {{ s: {{ {source} }}, load: {{ type: file, paths: [{directory}/load.log] }} }}\n")
        command = [bench.sluice, "run", directory / "p.yaml", "--listen", f"127.0.0.1:{port}", "--no-status"]
        if kind == "HTTP":
            (directory / "p.yaml").unlink()
            os.rename(log.name, directory / "unused")
            subprocess.run([bench.sluice, "push", directory / "p", "--create"], stdin=subprocess.DEVNULL, check=True, capture_output=True)
            command = [bench.sluice, "serve", directory / "p", "--listen", f"127.0.0.1:{port}"]
        with Daemon(command, directory) as daemon:
            daemon.wait_until(lambda: is_ready(port))
            puller = Puller(port, "c", poll)
            puller.start()
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            pushes = http.client.HTTPConnection("127.0.0.1", port)

            def push(record):
                pushes.request("POST", "/v1/queues/p/records", record)
                answer = pushes.getresponse()
                answer.read()
                assert answer.status == 200, answer.status

            sends = {"tail": log.write, "UDP": lambda record: datagrams.sendto(b"<13>1 - host app - - - " + record, ("127.0.0.1", udp)), "HTTP": push}
            if loaded:
                load.start()
            time.sleep(0.5)
            samples = sent_and_seen(sends[kind], COUNT, puller.seen)
            puller.is_ended = load.is_ended = True
            return samples


def to_file(bench, system):
    """log -> file, seen by looking at the output's size each twenty microseconds or so: without a pause this process would have a processor of its own, and the system wasn't idle."""
    timer_slack = 29
    ctypes.CDLL(None).prctl(timer_slack, 1)
    with bench.directory() as directory:
        log = open(directory / "in.log", "ab", buffering=0)
        out = directory / "out"
        if system == "sluice":
            (directory / "p.yaml").write_text(
                f"queue: {{ path: {directory}/queue }}\nsources: {{ log: {{ type: file, paths: [{directory}/in.log] }} }}\nsinks: {{ copy: {{ type: file, path: {out} }} }}\n")
            command = [bench.sluice, "run", directory / "p.yaml", "--no-status"]
        else:
            command = Rsyslog("disk-assisted").tail(directory / "in.log", directory)
        with Daemon(command, directory) as daemon:
            log.write(b"the first\n")
            daemon.wait_until(lambda: out.exists() and out.stat().st_size > 0)
            time.sleep(0.5)

            def seen(_):
                deadline = time.monotonic() + 20
                while out.stat().st_size < os.fstat(log.fileno()).st_size:
                    assert time.monotonic() < deadline, "the record didn't come"
                    time.sleep(0.00002)
                return time.monotonic()

            return sent_and_seen(log.write, COUNT, seen)


def run(bench):
    with bench.directory() as directory:
        sync = fdatasync_seconds(directory)
    results = {"fdatasync": sync, "log -> file, sluice": to_file(bench, "sluice"), "log -> file, rsyslog (unsynced)": to_file(bench, "rsyslog")}
    for kind in SOURCES:
        results[f"{kind} -> waiting pull"] = pulled(bench, kind, None)
        results[f"{kind} -> pull each 100 ms"] = pulled(bench, kind, 0.1)
    results["tail -> waiting pull, beside 20 MB/s"] = pulled(bench, "tail", None, loaded=True)
    rows = [[name, len(samples), *(f"{value * 1e3:.2f}" for value in (statistics.median(samples), percentile(samples, 0.99), max(samples)))] for name, samples in results.items()]
    return {name: [{"seconds": sample} for sample in samples] for name, samples in results.items()}, table(["way", "records", "p50 ms", "p99 ms", "longest ms"], rows)
