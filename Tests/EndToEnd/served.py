"""A running sluice that serves HTTP, and requests to it."""

import http.client
import json
import re
import socket
import urllib.parse
import zlib

from harness import Failure


class Answer:
    """What a request was answered with."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """A problem's code."""
        if self.headers.get("Content-Type") != "application/problem+json":
            raise Failure(f"expected a problem, found {self}")
        problem = self.json
        if problem["status"] != self.status:
            raise Failure(f"a problem's status is its answer's, found {self}")
        return problem["code"]

    @property
    def lines(self):
        """The body's records."""
        text = whole_member(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body
        if text and not text.endswith(b"\n"):
            raise Failure(f"every record ends with a line feed, found {text[-80:]!r}")
        return text.split(b"\n")[:-1]

    @property
    def first(self):
        return self.headers["Sluice-First-Offset"]

    @property
    def next(self):
        return self.headers["Sluice-Next-Offset"]

    def __str__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


def whole_member(body):
    """What a gzip body of exactly one member holds: many clients read no further than the first."""
    reader = zlib.decompressobj(31)
    text = reader.decompress(body)
    if not reader.eof or reader.unused_data:
        raise Failure(f"a gzip body is one whole member, found {len(reader.unused_data)} more bytes, at its end: {reader.eof}")
    return text


def number(place):
    """The offset's number of an offset on the wire."""
    return int(place.partition("-")[2])


class Server:
    """A process of `sluice` with its address. `queue` is whose records are meant where no other is named."""

    def __init__(self, t, process, queue="q"):
        self.t = t
        self.process = process
        self.queue = queue
        found = t.until("the server to listen", lambda: re.search(r"listening .*?server\.address=(\S+):(\d+) ", process.stderr), alive=process)
        self.host, self.port = found[1], int(found[2])
        t.until("the server to be ready", lambda: self.get("/v1/queues").status != 503, alive=process)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def path(self, rest="", **query):
        """A path below the queue's, with a query of what isn't None."""
        text = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        return f"/v1/queues/{self.queue}{rest}{'?' + text if text else ''}"

    def request(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def send_json(self, method, path, value, **options):
        return self.request(method, path, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"}, **options)

    def pull(self, headers=None, timeout=60, **query):
        """`GET …/records`, its headers checked for what always holds."""
        answer = self.get(self.path("/records", **query), headers=headers, timeout=timeout)
        if answer.status in (200, 204):
            lines = answer.lines if query.get("format") != "json_array" else None
            if lines is not None:
                self.t.equal(int(answer.headers["Sluice-Records"]), len(lines), f"Sluice-Records of {answer}")
                self.t.equal(int(answer.headers["Sluice-Bytes"]), sum(len(line) + 1 for line in lines), "Sluice-Bytes")
            self.t.equal(answer.headers["Cache-Control"], "no-store", "Cache-Control of a pull")
            if answer.status == 204:
                self.t.equal((answer.first, answer.body), (answer.next, b""), "Sluice-Next-Offset and body of an answer with nothing")
        return answer

    def push(self, lines, key=None, headers=None, **options):
        """`POST …/records` of whole lines."""
        headers = {"Content-Type": "text/plain"} | ({"Idempotency-Key": key} if key else {}) | (headers or {})
        return self.request("POST", self.path("/records"), body=b"".join(line + b"\n" for line in lines), headers=headers, **options)

    def pushed(self, lines, **options):
        """A push that must be taken; gives its answer."""
        answer = self.push(lines, **options)
        self.t.equal(answer.status, 200, f"a push's answer {answer}")
        return answer.json

    def make_consumer(self, name, **wish):
        answer = self.send_json("PUT", self.path(f"/consumers/{name}"), wish)
        self.t.equal(answer.status, 201, f"the answer to a new consumer, {answer}")
        return answer.json

    def consumer(self, name):
        answer = self.get(self.path(f"/consumers/{name}"))
        self.t.equal(answer.status, 200, f"the answer to showing consumer {name}, {answer}")
        return answer.json

    def drain(self, consumer, **query):
        """Pulls and commits until nothing is left; gives the lines of all batches."""
        found, commit = [], None
        while True:
            answer = self.pull(consumer=consumer, commit=commit, **query)
            if answer.status == 204:
                return found
            self.t.equal(answer.status, 200, f"the answer to a pull, {answer}")
            found += answer.lines
            commit = answer.next

    def facts(self):
        return self.get(self.path()).json

    def metric(self, name, **labels):
        """One number of /metrics; None when it isn't there."""
        from prometheus_client.parser import text_string_to_metric_families

        for family in text_string_to_metric_families(self.get("/metrics").body.decode()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def until_waiting(self, count=1):
        """Waits until so many pulls wait in the server."""
        self.t.until(f"{count} pulls to wait", lambda: self.metric("sluice_http_waiting_requests") == count, alive=self.process)

    def socket(self, timeout=60):
        """A bare connection."""
        return socket.create_connection((self.host, self.port), timeout=timeout)


def serve(t, *arguments, queue="q", listen="127.0.0.1:0", **options):
    """`sluice serve` of one queue, which is made when it isn't there."""
    return Server(t, t.start_sluice("serve", queue, "--create", "--listen", listen, *arguments, **options), queue)


def run(t, *arguments, queue="q", listen="127.0.0.1:0", **options):
    """`sluice run` of the test's pipeline, with its HTTP side."""
    return Server(t, t.start_run("--listen", listen, *arguments, **options), queue)


def with_damaged_block(server, lines):
    """Pushes lines in three parts, each a block, kills the server, flips a bit in the second block, and serves the queue again; gives the new server and the parts."""
    t, active = server.t, f"{server.queue}/segments/00000000000000000000.gz.active"
    parts = [lines[first:first + len(lines) // 3 + 1] for first in range(0, len(lines), len(lines) // 3 + 1)]
    ends = []
    for part in parts:
        server.pushed(part)
        ends.append(t.size(active))
    server.process.kill()
    with open(t.path(active), "r+b") as file:
        position = (ends[0] + ends[1]) // 2
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 0x55]))
    return serve(t, queue=server.queue), parts
