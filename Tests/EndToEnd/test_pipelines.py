"""The pipeline files that come with Sluice do what their comments say."""

import collections
import glob
import gzip
import json
import os
import pathlib
import signal
import socket

from endpoints import Endpoint, free_port
from harness import Failure, test

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PIPELINES = ROOT / "pipelines"
LOGS = ROOT / "fixtures/logs"


def environment(**values):
    """The environment of a run: nothing of the caller's that a pipeline file names."""
    named = ("SLUICE_LOGS", "COLLECTOR_URL", "SYSLOG_LISTEN", "BATCH_DIR", "NATS_SERVERS", "NATS_REPLICAS", "STREAM_SIZE", "HUB_INDEX", "HUBS", "ARCHIVE_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in named}
    return {**kept, **{name: str(value) for name, value in values.items()}}


def fixture_lines(*patterns):
    """Path and line of every line in the sample logs that have such a name."""
    paths = sorted({path for pattern in patterns for path in LOGS.glob(pattern)})
    if not paths:
        raise Failure(f"there are no sample logs {patterns} in {LOGS}")
    found = [(str(path), line) for path in paths for line in lines_of(path)]
    if not found:
        raise Failure(f"the sample logs in {LOGS} are empty")
    return found


def lines_of(path):
    data = pathlib.Path(path).read_bytes()
    return data[:-1].split(b"\n") if data.endswith(b"\n") else data.split(b"\n") if data else []


def archive_lines(t, pattern):
    """The lines of all output files that match."""
    paths = sorted(glob.glob(t.path(pattern)))
    t.true(paths, f"output files {pattern}, found {sorted(glob.glob(t.path('**'), recursive=True))}")
    lines = []
    for path in paths:
        data = t.call(t.program("zcat"), path) if path.endswith(".gz") else pathlib.Path(path).read_bytes()
        lines += data.split(b"\n")[:-1]
    return lines


def same_by_file(t, expected, found, what):
    """All lines are there once, and those of each file in its order; files are read side by side."""
    t.equal(collections.Counter(found) - collections.Counter(line for _, line in expected), collections.Counter(), f"{what}: too many of a line")
    t.equal(len(found), len(expected), f"{what}: lines")
    by_file = collections.defaultdict(list)
    for path, line in expected:
        by_file[path].append(line)
    for path, lines in by_file.items():
        of_file = set(lines)
        t.same_lines(lines, [line for line in found if line in of_file], f"{what}: lines of {path}")


@test("each pipeline file is tested here, and each is correct")
def all_files(t):
    names = sorted(path.name for path in PIPELINES.glob("*.yaml"))
    # The two of JetStream are run in test_jetstream.py.
    expected = ["app-logs.yaml", "jetstream-edge.yaml", "jetstream-hub.yaml", "nightly-batch.yaml", "quickstart.yaml", "stdin-to-http.yaml", "syslog-hub.yaml"]
    t.equal(names, expected, "pipeline files")
    # With nothing set, as somebody has them who has just got them.
    t.sluice("check", *(PIPELINES / name for name in names), env=environment())
    t.equal(os.listdir(t.directory), [name for name in os.listdir(t.directory) if name.startswith("sluice-")], "files that 'check' left behind")


@test("quickstart.yaml copies this machine's package logs, and a second run adds nothing")
def quickstart(t):
    logs = ["/var/log/dpkg.log", "/var/log/apt/history.log"]
    for path in logs:
        t.true(os.path.exists(path), f"{path}, which every Debian has")
    before = [(path, line) for path in logs for line in lines_of(path)]
    t.run("--once", "--drain", file=PIPELINES / "quickstart.yaml", env=environment())
    first = t.read("archive/quickstart.log")
    if [(path, line) for path in logs for line in lines_of(path)] != before:
        raise Failure("packages were installed during the test: run it again")
    t.true(before, "package logs that aren't empty")
    same_by_file(t, before, first.split(b"\n")[:-1], "archive/quickstart.log")
    t.run("--once", "--drain", file=PIPELINES / "quickstart.yaml", env=environment())
    t.equal(t.read("archive/quickstart.log"), first, "archive/quickstart.log after a second run")
    # The comment's last promise: the queue can be read without Sluice.
    stored = b"".join(t.call(t.program("zcat"), path) for path in sorted(glob.glob(t.path("data/quickstart/segments/*.gz"))))
    t.equal(stored, first, "the lines in the queue's sealed segments")


@test("app-logs.yaml ships logs to an archive and to a collector, all of them to both")
def app_logs(t):
    endpoint = Endpoint()
    t.later(endpoint.close)
    expected = fixture_lines("*.log")
    settings = environment(SLUICE_LOGS=LOGS, COLLECTOR_URL=endpoint.url)
    for _ in range(2):
        t.run("--once", "--drain", file=PIPELINES / "app-logs.yaml", env=settings)
        same_by_file(t, expected, archive_lines(t, "archive/app-*.log.gz"), "the archive")
        same_by_file(t, expected, endpoint.lines, "the collector")
    t.equal(endpoint.conflicts, [], "one key, one range")
    t.equal(endpoint.encodings, {"gzip"}, "how bodies travel")
    t.equal(sorted(one["name"] for one in t.show("data/app-logs")["consumers"]), ["archive", "collector"], "consumers")


@test("app-logs.yaml fills its archive although the collector is down, and the collector gets everything later")
def app_logs_collector_down(t):
    port = free_port()
    expected = fixture_lines("*.log")
    settings = environment(SLUICE_LOGS=LOGS, COLLECTOR_URL=f"http://127.0.0.1:{port}/logs")
    run = t.start_run("--once", "--drain", file=PIPELINES / "app-logs.yaml", env=settings)
    t.until("a refused connection to be told", lambda: "refused" in run.stderr, alive=run)
    t.until("the archive to have everything", lambda: archive_is_complete(t, len(expected)), alive=run)
    run.signal(signal.SIGTERM)
    t.equal(run.wait(15), 3, f"exit code with something left over\n{run.stderr_tail}")
    t.equal(t.consumer("collector", "data/app-logs")["lag_records"], len(expected), "what is kept for the collector")
    endpoint = Endpoint(port=port)
    t.later(endpoint.close)
    t.run("--once", "--drain", file=PIPELINES / "app-logs.yaml", env=settings)
    same_by_file(t, expected, endpoint.lines, "the collector")
    same_by_file(t, expected, archive_lines(t, "archive/app-*.log.gz"), "the archive")


def archive_is_complete(t, count):
    """Whether the archive, which is being written, has `count` lines by now."""
    lines = 0
    for path in glob.glob(t.path("archive/*.gz")):
        try:
            with gzip.open(path) as file:
                for _ in file:
                    lines += 1
        except EOFError:
            return False
    return lines >= count


@test("nightly-batch.yaml with --drain writes JSON rows without waiting for its window, and keeps everything for its batch job")
def nightly_batch(t):
    expected = fixture_lines("*.log")
    settings = environment(SLUICE_LOGS=LOGS, BATCH_DIR=t.path("batch"))
    t.run("--once", "--drain", file=PIPELINES / "nightly-batch.yaml", env=settings)
    rows = [json.loads(line) for line in archive_lines(t, "batch/app-*.json.gz")]
    for row in rows:
        t.equal(sorted(row), ["host", "message", "path", "timestamp"], "a row's columns")
        t.equal(row["host"], socket.gethostname(), "host")
    found = collections.defaultdict(list)
    for row in rows:
        found[row["path"]].append(row["message"])
    by_file = collections.defaultdict(list)
    for path, line in expected:
        by_file[path].append(line.decode())
    t.equal(sorted(found), sorted(by_file), "the files")
    for path, lines in by_file.items():
        t.same_lines(lines, found[path], f"the messages of {path}")
    # The batch job's consumer was there from the first start on, so everything is kept for it.
    reports = t.consumer("reports", "data/nightly-batch")
    t.equal((reports["cursor"], reports["lag_records"]), (0, len(expected)), "cursor and lag of the consumer 'reports'")


@test("stdin-to-http.yaml sends what it is given, also when the endpoint comes later")
def stdin_to_http(t):
    expected = [line for _, line in fixture_lines("app.log")]
    port = free_port()
    settings = environment(COLLECTOR_URL=f"http://127.0.0.1:{port}/logs")
    with open(LOGS / "app.log", "rb") as lines:
        run = t.start_run("--drain", file=PIPELINES / "stdin-to-http.yaml", stdin=lines, env=settings)
    t.until("a refused connection to be told", lambda: "refused" in run.stderr, alive=run)
    endpoint = Endpoint(port=port)
    t.later(endpoint.close)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    t.same_lines(expected, endpoint.lines, "what the endpoint took")
    t.equal(endpoint.conflicts, [], "one key, one range")


@test("stdin-to-http.yaml without --drain ends as soon as all is on disk, and the next run sends the rest")
def stdin_to_http_later(t):
    expected = [line for _, line in fixture_lines("app.log")]
    port = free_port()
    settings = environment(COLLECTOR_URL=f"http://127.0.0.1:{port}/logs")
    with open(LOGS / "app.log", "rb") as lines:
        t.run(file=PIPELINES / "stdin-to-http.yaml", stdin=lines, env=settings)
    t.equal(t.show("data/stdin-to-http")["total_records"], len(expected), "records in the queue")
    endpoint = Endpoint(port=port)
    t.later(endpoint.close)
    t.run("--drain", file=PIPELINES / "stdin-to-http.yaml", env=settings)
    t.same_lines(expected, endpoint.lines, "what the endpoint took")


@test("syslog-hub.yaml keeps what logger sends and the sample datagrams as JSON")
def syslog_hub(t):
    port = free_port(socket.SOCK_DGRAM)
    run = t.start_run(file=PIPELINES / "syslog-hub.yaml", env=environment(SYSLOG_LISTEN=f"udp://127.0.0.1:{port}"))
    t.until("the socket to be open", lambda: "syslog: listening" in run.stderr, alive=run)
    samples = sorted((ROOT / "fixtures/syslog").glob("*.datagram"))
    t.true(samples, "sample datagrams")
    t.call(t.program("logger"), "--server", "127.0.0.1", "--port", port, "--udp", "--tag", "shop", "hello")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for path in samples:
            sender.sendto(path.read_bytes(), ("127.0.0.1", port))
    count = 1 + len(samples)
    t.until(f"{count} lines in the archive", lambda: archive_is_complete(t, count), alive=run)
    run.signal(signal.SIGTERM)
    t.equal(run.wait(15), 0, f"exit code after SIGTERM\n{run.stderr_tail}")
    records = [json.loads(line) for line in archive_lines(t, "archive/syslog-*.log.gz")]
    t.equal(len(records), count, "records")
    t.equal((records[0]["app_name"], records[0]["message"]), ("shop", "hello"), "what logger sent")
    for path, record in zip(samples, records[1:]):
        t.equal(record["peer"], "127.0.0.1", f"who sent {path.name}")
        t.true("facility" in record or "parse_error" in record, f"a facility, or why there is none, for {path.name}: {record}")
