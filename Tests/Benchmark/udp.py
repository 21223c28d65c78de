"""Syslog over UDP at rising rates: what is lost, and what a datagram costs; durable, beside a receiver that does nothing and beside rsyslog."""

import json
import pathlib
import subprocess
import time

from harness import Daemon, median, ratio, table
from peers import Rsyslog
from pull import free_port

TITLE = "Syslog over UDP: datagrams of 200 bytes"
LIMIT = "a receiver that only takes them from the kernel"
RATES = (50_000, 100_000, 200_000, 300_000, 0)


def send(bench, port, rate, seconds):
    """From the other processor, as a plain sender can."""
    command = ["taskset", "-c", "1", bench.compiled("datagrams"), "send", port, rate, seconds, 200]
    return json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout)


def is_bound(port):
    return f":{port:04X} " in pathlib.Path("/proc/net/udp").read_text()


def receiver(bench, rate, seconds):
    port = free_port()
    with subprocess.Popen([bench.compiled("datagrams"), "receive", str(port), str(seconds + 1)], stdout=subprocess.PIPE, text=True) as process:
        while not is_bound(port):
            time.sleep(0.01)
        sent = send(bench, port, rate, seconds)
        got = json.loads(process.stdout.read())
    return {"sent": sent["sent"], "rate": sent["rate"], "lost": sent["sent"] - got["received"], "cpu_us_each": got["cpu_seconds"] * 1e6 / got["received"]}


def measured(bench, daemon, port, rate, seconds, settled):
    daemon.wait_until(lambda: is_bound(port))
    time.sleep(0.3)
    before = daemon.cpu_seconds()
    sent = send(bench, port, rate, seconds)
    settled()
    return sent, daemon.cpu_seconds() - before


def sluice(bench, form, rate, seconds):
    with bench.directory() as directory:
        port = free_port()
        (directory / "p.yaml").write_text(
            f"queue: {{ path: {directory}/queue }}\nsources: {{ in: {{ type: syslog, listen: 'udp://127.0.0.1:{port}', format: {form} }} }}\n")
        with Daemon([bench.sluice, "run", directory / "p.yaml", "--no-status"], directory) as daemon:
            sent, cpu = measured(bench, daemon, port, rate, seconds, lambda: time.sleep(0.5))
            peak = daemon.peak_bytes()
        shown = json.loads(subprocess.run([bench.sluice, "queue", "show", directory / "queue", "--output", "json"], check=True, capture_output=True).stdout)
    received = shown["total_records"]
    return {"sent": sent["sent"], "rate": sent["rate"], "lost": sent["sent"] - received, "cpu_us_each": cpu * 1e6 / received, "peak_bytes": peak}


def rsyslog(bench, rate, seconds):
    with bench.directory() as directory:
        port = free_port()
        system = Rsyslog("disk-assisted")
        out = directory / "out"

        def quiet():
            last = -1
            while (length := out.stat().st_size if out.exists() else 0) != last:
                last = length
                time.sleep(0.5)

        with Daemon(system.datagrams(port, directory), directory) as daemon:
            sent, cpu = measured(bench, daemon, port, rate, seconds, quiet)
            peak = daemon.peak_bytes()
        with open(out, "rb") as file:
            received = sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
    return {"sent": sent["sent"], "rate": sent["rate"], "lost": sent["sent"] - received, "cpu_us_each": cpu * 1e6 / received, "peak_bytes": peak}


def run(bench):
    seconds = bench.options.seconds
    ways = {
        "receiver": lambda rate: receiver(bench, rate, seconds), "sluice, raw": lambda rate: sluice(bench, "raw", rate, seconds),
        "sluice, JSON": lambda rate: sluice(bench, "json", rate, seconds), "rsyslog": lambda rate: rsyslog(bench, rate, seconds)}
    results, rows = {}, []
    for rate in RATES:
        at_rate = bench.in_turn({name: (lambda way=way: way(rate)) for name, way in ways.items()}, runs=max(1, bench.runs // 2))
        for name, own in at_rate.items():
            results[f"{name} at {rate or 'full rate'}"] = own
            rows.append([
                name, f"{median(own, 'rate'):.0f}", f"{sum(result['lost'] for result in own)} of {sum(result['sent'] for result in own)}", f"{median(own, 'cpu_us_each'):.2f}",
                f"{ratio(own, 'cpu_us_each', at_rate['receiver']):.2f}", f"{median(own, 'peak_bytes') / 1e6:.0f}" if "peak_bytes" in own[0] else ""])
    return results, table(["system", "datagrams/s", "lost", "CPU us each", "CPU to the receiver's", "peak memory MB"], rows)
