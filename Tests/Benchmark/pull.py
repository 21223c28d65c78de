"""A cached backlog pulled over HTTP in gzip, beside nginx serving the same bytes as a static file. Blocks' checksums are verified by us, not by nginx."""

import http.client
import os
import socket
import time

from drain import filled
from harness import Daemon, is_ready, median, ratio, table
from peers import Nginx

TITLE = "Pull over HTTP: the server's CPU"
LIMIT = "nginx with sendfile, which copies nothing"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connected(daemon, port):
    def is_there():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False
    daemon.wait_until(is_there)
    return http.client.HTTPConnection("127.0.0.1", port)


def body_bytes(answer, buffer=bytearray(1 << 20)):
    total = 0
    while got := answer.readinto(buffer):
        total += got
    return total


def pull_all(connection, queue, max_bytes):
    place, total = "oldest", 0
    while True:
        connection.request("GET", f"/v1/queues/{queue}/records?offset={place}&max_bytes={max_bytes}&max_records=100000000", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        total += body_bytes(answer)
        if answer.status == 204:
            return total
        assert answer.status == 200, answer.status
        place = answer.getheader("Sluice-Next-Offset")


def run(bench, max_bytes=64 << 20):
    queue = filled(bench)
    static = bench.scratch / "segments.gz"
    with open(static, "wb") as out:
        for segment in sorted((queue / "segments").glob("*.gz")):
            out.write(segment.read_bytes())
    nginx = Nginx()
    with bench.directory() as directory, bench.directory() as other:
        os.chmod(bench.scratch, 0o755)
        port, nginx_port = free_port(), free_port()
        with Daemon([bench.sluice, "serve", queue, "--listen", f"127.0.0.1:{port}"], directory) as sluice, Daemon(nginx.command(nginx_port, static, other), other) as web:
            sluice.wait_until(lambda: is_ready(port))
            connection = http.client.HTTPConnection("127.0.0.1", port)

            def measure(daemon, fetch):
                began, cpu = time.monotonic(), daemon.cpu_seconds()
                total = fetch()
                return {"seconds": time.monotonic() - began, "cpu_seconds": daemon.cpu_seconds() - cpu, "output_bytes": total}

            def from_nginx(place):
                own = connected(web, nginx_port)
                own.request("GET", f"/{place}/{static.name}")
                answer = own.getresponse()
                assert answer.status == 200, answer.status
                return body_bytes(answer)

            results = bench.in_turn({
                "sluice": lambda: measure(sluice, lambda: pull_all(connection, queue.name, max_bytes)),
                "nginx, sendfile off": lambda: measure(web, lambda: from_nginx("copied")),
                "nginx, sendfile on": lambda: measure(web, lambda: from_nginx("sendfile")),
            })
            peak = sluice.peak_bytes()
    rows = [[
        name, f"{median(own, 'output_bytes') / 1e6:.0f}", f"{median(own, 'seconds'):.3f}", f"{median(own, 'cpu_seconds'):.3f}", f"{ratio(results['sluice'], 'cpu_seconds', own):.2f}"]
        for name, own in results.items()]
    note = f"  {nginx.version()}; the peak memory of sluice: {peak / 1e6:.0f} MB\n\n"
    return results, note + table(["server", "MB stored", "seconds", "CPU s", "CPU of sluice to it"], rows)
