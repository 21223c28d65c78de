"""Many tailed files, many sinks of one queue, and starting with a backlog: seconds, CPU and peak memory as their number grows."""

import shutil
import subprocess
import time

from drain import copy_filled
from harness import Daemon, byte_count, disk_bytes, is_ready, median, run_to_end, table
from pull import free_port

TITLE = "Scale: files, processors, sinks, backlog"
LIMIT = "the same work with one of them"
FILES = (1, 100, 10_000)
SINKS = (1, 10, 100)


def files(bench, count):
    """The log spread over so many files, each cut at a line."""
    folder = bench.scratch / f"files-{count}"
    if folder.exists():
        return folder
    folder.mkdir()
    share = bench.size // count
    with open(bench.log, "rb") as log:
        for number in range(count):
            (folder / f"{number:05}.log").write_bytes(log.read(share) + log.readline())
    return folder


def tailed(bench, count, prefix=()):
    folder = files(bench, count)
    with bench.directory() as directory:
        (directory / "p.yaml").write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ log: {{ type: file, paths: ['{folder}/*.log'] }} }}\n")
        result = run_to_end([*prefix, bench.sluice, "run", directory / "p.yaml", "--once", "--no-status"])
        return {**result, "stored_bytes": disk_bytes(directory / "queue")}


def drained(bench, count):
    with bench.directory() as directory:
        copy_filled(bench, directory / "queue")
        sinks = ", ".join(f"s{number}: {{ type: file, path: '{directory}/out-{number}.gz' }}" for number in range(count))
        (directory / "p.yaml").write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ none: {{ type: stdin }} }}\nsinks: {{ {sinks} }}\n")
        return run_to_end([bench.sluice, "run", directory / "p.yaml", "--drain", "--no-status"])


def started(bench, queue):
    """From the process's start until it says that it is ready, and its peak memory then."""
    with bench.directory() as directory:
        port = free_port()
        (directory / "p.yaml").write_text(f"queue: {{ path: {queue}, max_size: 1000GiB }}\nsources: {{ s: {{ type: syslog, listen: 'udp://127.0.0.1:{free_port()}' }} }}\n")
        began = time.monotonic()
        with Daemon([bench.sluice, "run", directory / "p.yaml", "--listen", f"127.0.0.1:{port}", "--no-status"], directory) as daemon:
            daemon.wait_until(lambda: is_ready(port))
            return {"seconds": time.monotonic() - began, "peak_bytes": daemon.peak_bytes()}


def with_backlog(bench, size):
    """A queue that holds the log again and again, at least `size` bytes of lines."""
    queue = bench.scratch / f"backlog-{size}"
    with subprocess.Popen([bench.sluice, "push", queue, "--create"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as push:
        pushed = 0
        with open(bench.log, "rb", buffering=0) as log:
            while pushed < size:
                piece = log.read(1 << 20)
                if not piece:
                    log.seek(0)
                    continue
                push.stdin.write(piece)
                pushed += len(piece)
        push.stdin.close()
    assert push.returncode == 0, push.returncode
    return queue


def run(bench):
    results = bench.in_turn({f"{count} files": (lambda count=count: tailed(bench, count)) for count in FILES})
    one = ("taskset", "-c", "0")
    results |= bench.in_turn({"1 file, one processor": lambda: tailed(bench, 1, one), "100 files, one processor": lambda: tailed(bench, 100, one)})
    few = max(1, bench.runs // 2)
    results |= bench.in_turn({f"{count} sinks (.gz)": (lambda count=count: drained(bench, count)) for count in SINKS}, few)
    for size in bench.options.backlog:
        queue = with_backlog(bench, byte_count(size))
        results |= bench.in_turn({f"start with {size} ({disk_bytes(queue) / 1e9:.1f} GB stored)": lambda queue=queue: started(bench, queue)})
        shutil.rmtree(queue)
    rows = [[
        name, f"{median(own, 'seconds'):.3f}", f"{median(own, 'cpu_seconds'):.2f}" if "cpu_seconds" in own[0] else "", f"{median(own, 'peak_bytes') / 1e6:.0f}",
        f"{bench.size / median(own, 'stored_bytes'):.2f}" if "stored_bytes" in own[0] else ""] for name, own in results.items()]
    return results, table(["work", "seconds", "CPU s", "peak memory MB", "ratio"], rows)
