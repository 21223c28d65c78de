"""A log into the queue while nothing draws from it: the producer's side."""

import os

from harness import disk_bytes, median, ratio, run_to_end, table

TITLE = "Fill: log -> queue, sinks off"
LIMIT = "floor fill: read, compress on two threads, write, sync per MiB"


def tail(bench, environment=None):
    with bench.directory() as directory:
        (directory / "p.yaml").write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ log: {{ type: file, paths: [{bench.log}] }} }}\n")
        result = run_to_end([bench.sluice, "run", directory / "p.yaml", "--once", "--no-status"], environment=environment)
        return {**result, "stored_bytes": disk_bytes(directory / "queue")}


def stdin(bench):
    with bench.directory() as directory, open(bench.log) as log:
        (directory / "p.yaml").write_text(f"queue: {{ path: {directory}/queue }}\nsources: {{ log: {{ type: stdin }} }}\n")
        result = run_to_end([bench.sluice, "run", directory / "p.yaml", "--no-status"], stdin=log)
        return {**result, "stored_bytes": disk_bytes(directory / "queue")}


def floor(bench):
    result = bench.floor("fill", bench.log)
    return {"seconds": result["seconds"], "cpu_seconds": result["cpu_seconds"], "stored_bytes": result["output_bytes"]}


def run(bench):
    bench.log
    results = bench.in_turn({
        "floor": lambda: floor(bench), "tail": lambda: tail(bench), "stdin": lambda: stdin(bench),
        "tail, zlib alone": lambda: tail(bench, {**os.environ, "SLUICE_CODEC": "zlib"})})
    rows = []
    for name, own in results.items():
        rows.append([
            name, f"{bench.size / 1e6 / median(own, 'seconds'):.0f}", f"{1 / ratio(own, 'seconds', results['floor']):.2f}", f"{median(own, 'cpu_seconds'):.2f}",
            f"{ratio(own, 'cpu_seconds', results['floor']):.2f}", f"{bench.size / median(own, 'stored_bytes'):.2f}",
            f"{median(own, 'peak_bytes') / 1e6:.0f}" if "peak_bytes" in own[0] else ""])
    return results, table(["work", "MB/s", "speed to floor", "CPU s", "CPU to floor", "ratio", "peak memory MB"], rows)
