"""A record now and then, each in a block of its own: what one costs in CPU, syncs and disk, before and after sealing. Times 86,400 it is a line a second for a day."""

import subprocess
import time

from harness import Daemon, disk_bytes, needed, some_lines, table

TITLE = "Trickle: one record at a time"
LIMIT = "igzip -1 of the same lines in one go"
COUNT = 1000


def write_slowly(log, lines, written):
    """A line as soon as the one before is in the queue and `linger` (50 ms) is over."""
    for number, line in enumerate(lines):
        log.write(line)
        due = time.monotonic() + 0.055
        while not written(number + 1):
            time.sleep(0.002)
        time.sleep(max(0, due - time.monotonic()))


def run(bench):
    lines = [line.encode() for line in some_lines(COUNT, 11)]
    with bench.directory() as directory:
        queue = directory / "queue"
        (directory / "p.yaml").write_text(f"queue: {{ path: {queue} }}\nsources: {{ log: {{ type: file, paths: [{directory}/in.log] }} }}\n")
        log = open(directory / "in.log", "wb", buffering=0)
        command = [bench.sluice, "run", directory / "p.yaml", "--no-status"]
        with Daemon(command, directory) as daemon:
            active = lambda: sum(path.stat().st_size for path in (queue / "segments").glob("*")) if queue.exists() else 0
            daemon.wait_until(lambda: active() > 0)
            time.sleep(0.5)
            began, cpu, stored = time.monotonic(), daemon.cpu_seconds(), active()
            last = [stored]

            def written(_):
                if active() == last[0]:
                    return False
                last[0] = active()
                return True

            write_slowly(log, lines, written)
            seconds, cpu, stored = time.monotonic() - began, daemon.cpu_seconds() - cpu, active() - stored
        # The same again, with its system calls counted: strace changes what they cost, not how many there are.
        with Daemon([needed("strace", "strace"), "-f", "-c", "-o", directory / "calls", "-e", "trace=fdatasync,fsync,write,pwrite64,pwritev,read,pread64,futex,epoll_wait,rename,renameat2", *command], directory) as daemon:
            time.sleep(1)
            write_slowly(log, lines[:200], lambda _: True)
            time.sleep(0.5)
        calls = {words[-1]: int(words[3]) for words in map(str.split, (directory / "calls").read_text().splitlines()) if len(words) >= 5 and words[3].isdigit()}
        subprocess.run([bench.sluice, "queue", "seal", queue], check=True, capture_output=True)
        sealed = disk_bytes(queue / "segments")
        log.close()
        (directory / "all.log").write_bytes(b"".join(lines + lines[:200]))
        floor = bench.floor("fill", directory / "all.log")["output_bytes"]
    line_bytes = sum(map(len, lines))
    facts = {
        "CPU us a record": cpu * 1e6 / COUNT, "disk bytes a record before sealing": stored / COUNT, "disk bytes of a record after sealing": sealed / (COUNT + 200),
        "sealed, to igzip -1 of the same lines": sealed / floor, "bytes of a line": line_bytes / COUNT,
        "syncs a record": (calls.get("fdatasync", 0) + calls.get("fsync", 0)) / 200, "a line a second for a day: CPU s": cpu / COUNT * 86400,
        "a line a second for a day: MB before sealing": stored / COUNT * 86400 / 1e6}
    return {"trickle": [{**facts, "calls": calls}]}, table(["fact", "value"], [[name, f"{value:.2f}"] for name, value in facts.items()])
