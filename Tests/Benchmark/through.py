"""A log through the queue into a file, byte for byte the same, beside the daemons that Debian has."""

import subprocess
import time

from harness import Daemon, median, ratio, table
from peers import Rsyslog, SyslogNG

TITLE = "Through: log -> queue -> file"
LIMIT = "no machine limit: the other systems' own figures in the same run"


class Sluice:
    name = "sluice"
    environment = None

    def __init__(self, program):
        self.program = program

    def version(self):
        return " ".join(subprocess.run([self.program, "version"], capture_output=True, text=True, check=True).stdout.split())

    def tail(self, log, directory):
        (directory / "p.yaml").write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ log: {{ type: file, paths: [{log}] }} }}\nsinks: {{ copy: {{ type: file, path: {directory}/out }} }}\n")
        return [self.program, "run", str(directory / "p.yaml")]


def measure(bench, system, patience=20):
    """From the process's start to the moment when the output has every byte, or has stopped growing."""
    log, size = bench.log, bench.log.stat().st_size
    with bench.directory() as directory:
        command = system.tail(log, directory)
        out = directory / "out"
        began = time.monotonic()
        with Daemon(command, directory, system.environment) as daemon:
            last, grown = -1, began
            while True:
                daemon.check()
                length = out.stat().st_size if out.exists() else 0
                now = time.monotonic()
                if length != last:
                    last, grown = length, now
                if length >= size or now - grown > patience:
                    break
                time.sleep(0.005)
            result = {"seconds": grown - began, "cpu_seconds": daemon.cpu_seconds(), "peak_bytes": daemon.peak_bytes(), "output_bytes": last}
        return {**result, "identical": subprocess.run(["cmp", "-s", log, out]).returncode == 0}


def systems(bench):
    unpacked = bench.options.syslog_ng
    makers = {
        "sluice": lambda: Sluice(bench.sluice), "rsyslog, disk-assisted": lambda: Rsyslog("disk-assisted"), "rsyslog, disk queue": lambda: Rsyslog("disk queue"),
        "syslog-ng, normal": lambda: SyslogNG(False, unpacked), "syslog-ng, reliable": lambda: SyslogNG(True, unpacked)}
    return [make() for name, make in makers.items() if not any(word in name for word in bench.options.without)]


def run(bench):
    found = systems(bench)
    results = bench.in_turn({system.name: (lambda system=system: measure(bench, system)) for system in found})
    rows = []
    for name, own in results.items():
        whole = sum(result["identical"] for result in own)
        rows.append([
            name, f"{bench.size / 1e6 / median(own, 'seconds'):.0f}", f"{median(own, 'cpu_seconds'):.2f}", f"{median(own, 'peak_bytes') / 1e6:.0f}",
            f"{ratio(own, 'seconds', results['sluice']):.1f}", f"{1 / ratio(own, 'cpu_seconds', results['sluice']):.2f}", f"{whole} of {len(own)}"])
    versions = "\n".join(f"  {system.version()}" for system in found)
    return results, versions + "\n\n" + table(["system", "MB/s", "CPU s", "peak memory MB", "Sluice's speed to it", "Sluice's CPU to it", "output identical"], rows)
