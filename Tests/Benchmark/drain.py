"""A backlog out of the queue: into a plain file, into a .gz file, and to an HTTP endpoint, which get the stored blocks as they are."""

import http.server
import shutil
import socketserver
import subprocess
import threading

from harness import median, ratio, run_to_end, table

TITLE = "Drain: queue -> file, .gz file, HTTP"
LIMIT = "floor drain: inflate and write; floor copy: the stored bytes read and written"


class Taker(http.server.BaseHTTPRequestHandler):
    """Reads bodies and says that it has them."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        view = memoryview(bytearray(1 << 20))
        while left:
            got = self.rfile.readinto(view[:min(left, len(view))])
            if not got:
                return
            left -= got
            self.server.taken += got
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    taken = 0


def filled(bench):
    """A queue with the log, made once."""
    queue = bench.scratch / "filled"
    if not queue.exists():
        with open(bench.log) as log:
            subprocess.run([bench.sluice, "push", queue, "--create"], stdin=log, check=True, capture_output=True)
    return queue


def copy_filled(bench, place):
    # A process that was killed leaves its socket.
    shutil.copytree(filled(bench), place, ignore=shutil.ignore_patterns("server.sock"))


def drain(bench, sink, check=None):
    with bench.directory() as directory:
        copy_filled(bench, directory / "queue")
        (directory / "p.yaml").write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ none: {{ type: stdin }} }}\nsinks: {{ out: {{ {sink.format(directory=directory)} }} }}\n")
        result = run_to_end([bench.sluice, "run", directory / "p.yaml", "--drain", "--no-status"])
        return {**result, "identical": check(directory) if check else True}


def http_sink(bench, batch=""):
    server = Server(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        result = drain(bench, f"type: http, url: 'http://127.0.0.1:{server.server_address[1]}/'{batch}")
    finally:
        server.shutdown()
    return {**result, "output_bytes": server.taken}


def same(bench, command):
    return lambda directory: subprocess.run(["sh", "-c", f"{command.format(directory=directory)} | cmp -s - {bench.log}"]).returncode == 0


def run(bench):
    segments = bench.scratch / "segments.gz"
    with open(segments, "wb") as out:
        for segment in sorted((filled(bench) / "segments").glob("*.gz")):
            out.write(segment.read_bytes())
    results = bench.in_turn({
        "floor drain": lambda: bench.floor("drain", segments),
        "floor copy": lambda: bench.floor("copy", segments),
        "plain file": lambda: drain(bench, "type: file, path: '{directory}/out'", same(bench, "cat {directory}/out")),
        ".gz file": lambda: drain(bench, "type: file, path: '{directory}/out.gz'", same(bench, "zcat {directory}/out.gz")),
        "HTTP": lambda: http_sink(bench),
        "HTTP, batches of 16 MiB": lambda: http_sink(bench, ", batch: {{ max_records: 1000000, max_bytes: 16MiB }}"),
    })
    rows = []
    for name, own in results.items():
        reference = results["floor drain" if name in ("plain file", "floor drain") else "floor copy"]
        rows.append([
            name, f"{bench.size / 1e6 / median(own, 'seconds'):.0f}", f"{1 / ratio(own, 'seconds', reference):.2f}", f"{median(own, 'cpu_seconds'):.3f}",
            f"{ratio(own, 'cpu_seconds', reference):.2f}", f"{median(own, 'peak_bytes') / 1e6:.0f}" if "peak_bytes" in own[0] else "",
            all(result.get("identical", True) for result in own)])
    return results, table(["work", "MB/s of lines", "speed to floor", "CPU s", "CPU to floor", "peak memory MB", "identical"], rows)
