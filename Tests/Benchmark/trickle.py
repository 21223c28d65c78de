"""A record now and then, each in a block of its own: what one costs in CPU, syncs and disk, before and after sealing. Times 86,400 it is a line a second for a day."""

import os
import signal
import subprocess
import time

from harness import Daemon, disk_bytes, needed, some_lines, table

TITLE = "Trickle: one record at a time"
LIMIT = "igzip -1 of the same lines in one go"
COUNT = 10_000
TRACED = 500


def write_slowly(log, lines, written):
    """A line as soon as the one before is in the queue: with `linger: 0s` each is a block of its own, as it is after a quiet spell."""
    for line in lines:
        log.write(line)
        while not written():
            time.sleep(0.0002)


def active(queue):
    return sum(path.stat().st_size for path in (queue / "segments").glob("*")) if queue.exists() else 0


def growth(queue):
    """A function that says whether the queue has grown since it last did."""
    last = active(queue)

    def has_grown():
        nonlocal last
        before, last = last, active(queue)
        return last != before

    return has_grown


def run(bench):
    lines = [line.encode() for line in some_lines(COUNT, 11)]
    with bench.directory() as directory:
        queue = directory / "queue"
        (directory / "p.yaml").write_text(f"queue: {{ path: {queue}, linger: 0s }}\nsources: {{ log: {{ type: file, paths: [{directory}/in.log] }} }}\n")
        log = open(directory / "in.log", "wb", buffering=0)
        command = [bench.sluice, "run", directory / "p.yaml", "--no-status"]
        with Daemon(command, directory) as daemon:
            daemon.wait_until(lambda: active(queue) > 0)
            time.sleep(0.5)
            began, cpu, stored = time.monotonic(), daemon.cpu_seconds(), active(queue)
            write_slowly(log, lines, growth(queue))
            seconds, cpu, stored = time.monotonic() - began, daemon.cpu_seconds() - cpu, active(queue) - stored
        # The same again, with its system calls counted: strace changes what they cost, not how many there are.
        with Daemon([needed("strace", "strace"), "-f", "-c", "-o", directory / "calls", *command], directory) as daemon:
            time.sleep(2)
            write_slowly(log, lines[:TRACED], growth(queue))
            time.sleep(0.5)
            for child in daemon.children():
                os.kill(child, signal.SIGTERM)
            daemon.process.wait(30)
        calls = {words[-1]: int(words[3]) for words in map(str.split, (directory / "calls").read_text().splitlines()) if len(words) >= 5 and words[3].isdigit()}
        subprocess.run([bench.sluice, "queue", "seal", queue], check=True, capture_output=True)
        sealed = disk_bytes(queue / "segments")
        log.close()
        (directory / "all.log").write_bytes(b"".join(lines + lines[:TRACED]))
        floor = bench.floor("fill", directory / "all.log")["output_bytes"]
    line_bytes = sum(map(len, lines))
    facts = {
        "records a second, one after the other": COUNT / seconds,
        "CPU us a record": cpu * 1e6 / COUNT, "disk bytes a record before sealing": stored / COUNT, "disk bytes of a record after sealing": sealed / (COUNT + TRACED),
        "sealed, to igzip -1 of the same lines": sealed / floor, "bytes of a line": line_bytes / COUNT,
        "syncs a record": (calls.get("fdatasync", 0) + calls.get("fsync", 0)) / TRACED, "a line a second for a day: CPU s": cpu / COUNT * 86400,
        "a line a second for a day: MB before sealing": stored / COUNT * 86400 / 1e6}
    return {"trickle": [{**facts, "calls": calls}]}, table(["fact", "value"], [[name, f"{value:.2f}"] for name, value in facts.items()])
