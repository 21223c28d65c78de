"""A real nginx in front of the destination: its limits, its absence, its restarts."""

import base64
import json
import os
import signal

import corpus
from endpoints import Endpoint, free_port
from harness import test


class Nginx:
    """nginx that passes everything on to `endpoint`. It isn't started yet."""

    def __init__(self, t, endpoint, settings=""):
        self.t = t
        self.program = t.program("nginx")
        self.port = free_port()
        self.process = None
        self.starts = 0
        self.endpoint = endpoint
        self.configure(settings)

    def configure(self, settings):
        """Writes its configuration; it is read at the next start."""
        t, endpoint = self.t, self.endpoint
        temporary = " ".join(f"{kind}_temp_path {t.path('nginx', kind)};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        t.write("nginx/nginx.conf", f"""
daemon off;
worker_processes 1;
pid {t.path("nginx/pid")};
error_log stderr notice;
{"user root;" if os.geteuid() == 0 else ""}
events {{ }}
http {{
  access_log {t.path("nginx/access.log")};
  {temporary}
  server {{
    listen 127.0.0.1:{self.port};
    {settings}
    location / {{ proxy_pass http://127.0.0.1:{endpoint.port}; }}
  }}
}}
""")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/logs"

    def start(self):
        """Starts it and waits until it listens."""
        self.starts += 1
        # Its worker is a process of its own, and has to go with it at the test's end.
        process = self.t.start(
            self.program, "-e", "stderr", "-p", self.t.path("nginx"), "-c", self.t.path("nginx/nginx.conf"), label=f"nginx-start-{self.starts}", start_new_session=True)
        self.t.later(lambda: end_group(process.pid))
        self.t.until("nginx to have a worker", lambda: "start worker process " in process.stderr, alive=process)
        self.process = process

    def end(self, number=signal.SIGTERM):
        """SIGTERM drops open connections, SIGQUIT lets requests end."""
        self.process.signal(number)
        self.t.equal(self.process.wait(30), 0, f"exit code of nginx\n{self.process.stderr_tail}")

    def reload(self):
        """New workers in place of the old ones, which let their requests end."""
        before = self.process.stderr.count("start worker process ")
        self.process.signal(signal.SIGHUP)
        self.t.until("new workers", lambda: self.process.stderr.count("start worker process ") > before, alive=self.process)

    def statuses(self):
        """What nginx answered, in order."""
        with open(self.t.path("nginx/access.log"), encoding="utf-8", errors="replace") as file:
            return [int(line.split('"')[2].split()[0]) for line in file]


def end_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def prepare(t, settings="", sink="", answer=None):
    """A log of some lines, an endpoint, nginx in front of it, and the pipeline between them; gives endpoint, nginx and the lines."""
    endpoint = Endpoint(answer=answer)
    t.later(endpoint.close)
    nginx = Nginx(t, endpoint, settings)
    expected = [line[:-1] for line in corpus.lines(t.sizes.lines // 2, t.seed)]
    t.write("in.log", b"".join(line + b"\n" for line in expected))
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  collector:
    type: http
    url: {nginx.url}
    retry: {{ initial: 20ms, max: 200ms }}
    {sink}
""")
    return endpoint, nginx, expected


def took_all(t, endpoint, expected):
    t.same_lines(expected, endpoint.lines, "what the endpoint took")
    t.equal(endpoint.conflicts, [], "one key, one range")
    found = t.consumer("collector")
    t.equal((found["cursor"], found["lag_records"], found["lost_records"]), (len(expected), 0, 0), "the sink's cursor, lag and losses")
    t.true(not os.path.exists(t.path("q.dead-letters")) or t.show("q.dead-letters")["total_records"] == 0, "no dead letters")


@test("nginx passes every record on once, in order")
def nginx_plain(t):
    endpoint, nginx, expected = prepare(t, sink="batch: { max_records: 2000, linger: 20ms }")
    nginx.start()
    t.run("--once", "--drain")
    took_all(t, endpoint, expected)
    t.equal(endpoint.repeats, 0, "repeats")
    nginx.end(signal.SIGQUIT)
    t.equal(set(nginx.statuses()), {200}, "what nginx answered")
    t.note(f"{len(nginx.statuses())} requests")


@test("a 204 of the server behind nginx counts as taken")
def nginx_no_content(t):
    endpoint, nginx, expected = prepare(t, answer=lambda number, key, body: 204)
    nginx.start()
    t.run("--once", "--drain")
    took_all(t, endpoint, expected)
    nginx.end(signal.SIGQUIT)
    t.equal(set(nginx.statuses()), {204}, "what nginx answered")


def too_large(t, limit, sink):
    endpoint, nginx, expected = prepare(t, settings=f"client_max_body_size {limit};", sink=sink)
    nginx.start()
    t.run("--once", "--drain")
    took_all(t, endpoint, expected)
    t.equal(endpoint.repeats, 0, "repeats: what nginx refused never reached the endpoint")
    nginx.end(signal.SIGQUIT)
    statuses = nginx.statuses()
    t.equal(set(statuses), {200, 413}, "what nginx answered")
    t.note(f"{statuses.count(413)} times 413, {statuses.count(200)} times 200")


@test("compressed bodies above nginx's client_max_body_size are split until they fit")
def nginx_too_large(t):
    too_large(t, "24k", "batch: { max_records: 10000, max_bytes: 1MiB, linger: 20ms }")


@test("bodies far above nginx's client_max_body_size, so that it answers before it has read them, are split until they fit")
def nginx_far_too_large(t):
    too_large(t, "100k", "compression: none\n    batch: { max_records: 100000, max_bytes: 8MiB, linger: 20ms }")


@test("a single record that nginx never takes becomes a dead letter, and the others arrive; put back when nginx takes it, it arrives too")
def nginx_single_too_large(t):
    endpoint, nginx, _ = prepare(t, settings="client_max_body_size 8k;", sink="compression: none\n    batch: { linger: 20ms }")
    lines = [b"before %d" % number for number in range(1000)] + [b"x" * 9000] + [b"after %d" % number for number in range(1000)]
    t.write("in.log", b"".join(line + b"\n" for line in lines))
    nginx.start()
    t.run("--once", "--drain")
    t.same_lines(lines[:1000] + lines[1001:], endpoint.lines, "what the endpoint took")
    t.equal(endpoint.conflicts, [], "one key, one range")
    letters = t.sluice("queue", "cat", "q.dead-letters").splitlines()
    t.equal(len(letters), 1, "dead letters")
    letter = json.loads(letters[0])
    t.equal((letter["reason"], letter["offset"], base64.b64decode(letter["bytes"])), ("too_large", 1000, b"x" * 9000), "reason, offset and bytes of the dead letter")

    # nginx takes larger bodies from now on.
    nginx.end(signal.SIGTERM)
    nginx.configure("client_max_body_size 1m;")
    nginx.start()
    t.sluice("queue", "put-back", "q", "--sink", "collector")
    t.run("--once", "--drain")
    t.same_lines(lines[:1000] + lines[1001:] + lines[1000:1001], endpoint.lines, "what the endpoint has after the put-back")


@test("with nginx not yet started the sink waits, and then delivers everything")
def nginx_later(t):
    endpoint, nginx, expected = prepare(t)
    run = t.start_run("--once", "--drain")
    t.until("a refused connection to be told", lambda: "refused" in run.stderr, alive=run)
    t.equal(endpoint.requests, 0, "requests before nginx is there")
    nginx.start()
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    took_all(t, endpoint, expected)
    t.equal(endpoint.repeats, 0, "repeats")


@test("a 502 of nginx, whose server is not there yet, is tried again until it is")
def nginx_bad_gateway(t):
    endpoint, nginx, expected = prepare(t)
    port = endpoint.port
    endpoint.close()
    nginx.start()
    run = t.start_run("--once", "--drain")
    t.until("a 502 to be told", lambda: "502" in run.stderr, alive=run)
    endpoint = Endpoint(port=port)
    t.later(endpoint.close)
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    took_all(t, endpoint, expected)


@test("restarts and reloads of nginx in the middle lose nothing and double nothing")
def nginx_restarts(t):
    # So slow that the restarts fall into the work.
    endpoint, nginx, expected = prepare(t, sink="batch: { max_records: 500, linger: 20ms }\n    pull: { rate: 1MiB/s }")
    total = sum(map(len, expected)) + len(expected)
    nginx.start()
    run = t.start_run("--once", "--drain")
    for number in range(1, 7):
        t.until(f"{number} of 8 parts to be taken", lambda: endpoint.byte_count >= number * total // 8, alive=run)
        if number % 3 == 0:
            nginx.reload()
        else:
            nginx.end(signal.SIGTERM if number % 3 == 1 else signal.SIGQUIT)
            nginx.start()
        t.true(run.is_running, "the run is still at work")
    t.equal(run.wait(60), 0, f"exit code\n{run.stderr_tail}")
    took_all(t, endpoint, expected)
    t.note(f"{endpoint.requests} requests, {endpoint.repeats} repeats")
