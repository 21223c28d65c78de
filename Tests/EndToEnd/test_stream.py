"""Streams: pushed records over one answer, whatever becomes of the client, its connection, and the server."""

import http.client
import json
import os
import re
import select
import socket
import threading
import time
import urllib.parse

from corpus import hard_lines
from harness import Failure, background, test
import served
from served import number
from test_http_hostile import MIB, Watch, allow_descriptors, close_all, server_with

KIB = 1 << 10


class Stream:
    """An open stream. `place` is where it stands: what the next one goes on with."""

    def __init__(self, server, headers=None, port=None, timeout=60, **query):
        self.place = None
        self.connection = http.client.HTTPConnection(server.host, port or server.port, timeout=timeout)
        self.connection.request("GET", server.path("/stream", **query), headers=headers or {})
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def __iter__(self):
        return self

    def __next__(self):
        """The next event; ends with the answer, and raises when that breaks off."""
        line = self.response.readline()
        if not line:
            if not self.response.isclosed():
                raise http.client.IncompleteRead(b"")
            raise StopIteration
        if not line.endswith(b"\n"):
            raise http.client.IncompleteRead(line)
        event = json.loads(line)
        self.place = event.get("next", self.place)
        return event

    def lines(self, count):
        """So many lines, and no gap among them."""
        found = []
        while len(found) < count:
            event = next(self)
            if event["type"] not in ("records", "heartbeat"):
                raise Failure(f"expected records, found {event}")
            found += event.get("lines", [])
        return found

    def close(self):
        self.connection.close()
        self.response.close()


def is_event(t, event, kind, **facts):
    found = {name: event.get(name) for name in facts}
    t.equal((event["type"], found), (kind, facts), f"type and facts of {event}")


# What comes


@test("curl -N shows Server-Sent Events and JSON lines as records come, with heartbeats between")
def with_curl(t):
    server = served.serve(t)
    epoch = server.facts()["epoch"]
    sse = t.start(t.program("curl"), "-sSN", "-H", "Accept: text/event-stream", server.url + server.path("/stream", offset="newest", heartbeat="1s"), label="sse")
    ndjson = t.start(t.program("curl"), "-sSN", server.url + server.path("/stream", offset="newest", heartbeat="1s"), label="ndjson")
    server.until_waiting(2)
    server.pushed([b"one", "grüße\r\"\\".encode() + b"\xff", b""])
    expected = {"type": "records", "first": f"{epoch}-0", "next": f"{epoch}-3", "lag": 0, "lines": ["one", 'grüße\r"\\\ufffd', ""], "replaced": 1}

    def heartbeats(process, mark):
        """Whether one has come behind the records."""
        return mark in process.stdout.partition('"records"')[2]

    t.until("a heartbeat of each", lambda: heartbeats(sse, "event: heartbeat") and heartbeats(ndjson, '"heartbeat"'), alive=[sse, ndjson])
    events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in sse.stdout.split("\n\n")[:-1]]
    records = [event for event in events if event["event"] == "records"]
    t.equal(len(records), 1, "events of records")
    t.equal((records[0]["id"], json.loads(records[0]["data"])), (f"{epoch}-3", expected), "the event of records")
    t.equal({event["id"] for event in events if event["event"] == "heartbeat"}, {f"{epoch}-0", f"{epoch}-3"}, "places that heartbeats tell")
    lines = [json.loads(line) for line in ndjson.stdout.splitlines()]
    t.equal([line for line in lines if line["type"] == "records"], [expected], "the line of records")
    t.stop(server.process)
    t.equal((sse.wait(), ndjson.wait()), (0, 0), "exit codes of curl: its answers were whole")
    t.contains(sse.stdout.split("\n\n")[-2], "event: end\ndata: ", "the last event")
    is_event(t, json.loads(ndjson.stdout.splitlines()[-1]), "end", code="stopping", next=f"{epoch}-3")


@test("a thousand streams of one queue all get every line in order", seconds=180)
def thousand(t):
    allow_descriptors(t, 12_000, least=2_500)
    count, lines = 1000, [b"line %06d of a queue that a thousand read" % number for number in range(1200)]
    server = served.serve(t)
    request = f"GET {server.path('/stream', offset='oldest')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    sockets = [server.socket() for _ in range(count)]
    t.later(lambda: close_all(sockets))
    for one in sockets:
        one.sendall(request)
    t.until("all to be open", lambda: server.metric("sluice_http_streams") == count, alive=server.process)
    expected = [line.decode() for line in lines]
    began, cpu = time.monotonic(), server.process.cpu_seconds
    reading = background(read_streams, t, sockets, expected)
    for first in range(0, len(lines), 40):
        server.pushed(lines[first:first + 40])
    events = reading.result(150)
    t.note(
        f"{count} streams, {len(lines)} lines to each in {events} events: {time.monotonic() - began:.1f} s, "
        f"{1e6 * (server.process.cpu_seconds - cpu) / events:.0f} µs of CPU an event, {server.process.status('VmHWM') >> 20} MiB")
    t.equal(server.metric("sluice_http_delivered_records_total"), count * len(lines), "delivered records")
    close_all(sockets)
    t.until("all to be closed", lambda: server.metric("sluice_http_streams") == 0, alive=server.process)
    t.true(server.process.status("VmHWM") < 400 * MIB, "memory stays bounded")


def read_streams(t, sockets, expected):
    """Reads chunked JSON lines from all until each has the expected lines; gives how many events that took."""
    poll = select.epoll()
    unread, heads, counts = {}, {}, {}
    for one in sockets:
        one.setblocking(False)
        unread[one.fileno()], heads[one.fileno()], counts[one.fileno()] = b"", False, 0
        poll.register(one.fileno(), select.EPOLLIN)
    by_number = {one.fileno(): one for one in sockets}
    events, missing = 0, len(sockets)
    while missing:
        for handle, _ in poll.poll(60):
            piece = by_number[handle].recv(1 << 20)
            if not piece:
                raise Failure(f"a stream ended behind {counts[handle]} lines")
            text = unread[handle] + piece
            if not heads[handle]:
                head, separator, text = text.partition(b"\r\n\r\n")
                if not separator:
                    unread[handle] = head
                    continue
                t.true(head.startswith(b"HTTP/1.1 200 "), f"a stream's head: {head[:200]}")
                heads[handle] = True
            *whole, unread[handle] = text.split(b"\n")
            for line in whole:
                # A chunk's length, or the end of a chunk.
                if not line.startswith(b"{"):
                    continue
                event = json.loads(line)
                found = event.get("lines", [])
                place = counts[handle]
                t.true(found == expected[place:place + len(found)], f"the lines from {place} on: {found[:3]}")
                counts[handle] += len(found)
                events += 1
                if found and counts[handle] == len(expected):
                    missing -= 1
    return events


# Slow, broken, killed


@test("clients that stop reading cost bounded memory, slow neither pushes nor other streams, and are cut off in the end", seconds=180)
def stalled(t):
    server = server_with(t, "response_timeout: 10s")
    watch = Watch(server)
    lines = [line.hex().encode() for line in (t.random.randbytes(200) for _ in range(100_000))]
    quick = Stream(server, offset="oldest")
    stalled = []
    for index in range(100):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect((server.host, server.port))
        # Each of another size, so that no two can be sent the same event.
        one.sendall(f"GET {server.path('/stream', offset='oldest', max_bytes=250_000 + index)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        stalled.append(one)
    t.later(lambda: close_all(stalled))
    t.until("all to be open", lambda: server.metric("sluice_http_streams") == 101, alive=server.process)
    reading = background(quick.lines, len(lines))
    most = 0
    for first in range(0, len(lines), 5000):
        server.pushed(lines[first:first + 5000])
        most = max(most, server.metric("sluice_http_response_memory_bytes"))
    t.same_lines(lines, [line.encode() for line in reading.result(60)], "what a stream gets beside those that stopped")
    # An event of each, and what is on its way.
    t.true(most < 100 * 400 * KIB, f"memory for answers: an event for each, found {most}")
    t.until("them to be cut off", lambda: server.metric("sluice_http_stalled_connections_total", stall="response") == 100, alive=server.process)
    t.until("their memory to come back", lambda: server.metric("sluice_http_streams") == 1 and server.metric("sluice_http_response_memory_bytes") < MIB)
    quick.close()
    watch.end(t)
    t.note(f"{most / MIB:.0f} MiB of answers at most for 100 that stopped")


@test("clients that ask for a backlog all at once and don't read cost an event each, however much there is")
def stalled_at_once(t):
    server = served.serve(t)
    lines = [line.hex().encode() for line in (t.random.randbytes(100) for _ in range(150_000))]
    for first in range(0, len(lines), 10_000):
        server.pushed(lines[first:first + 10_000])
    before = server.process.status("VmRSS")
    stalled = []
    t.later(lambda: close_all(stalled))
    for _ in range(200):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect((server.host, server.port))
        one.sendall(f"GET {server.path('/stream', offset='oldest')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        stalled.append(one)
    t.until("each to have begun", lambda: all(one.recv(1, socket.MSG_PEEK) for one in stalled), alive=server.process)
    # Until nothing more goes into the kernel's buffers.
    sent = []
    t.until("them to stall", lambda: sent.append(server.metric("sluice_http_delivered_bytes_total")) or (time.sleep(0.5) or len(sent) > 2 and sent[-1] == sent[-3]))
    used = server.process.status("VmHWM") - before
    t.true(used < 200 * MIB, f"200 stalled streams of 300 KiB an event take less than 200 MiB, found {used / MIB:.0f}")
    t.note(f"{used / MIB:.0f} MiB for 200 streams, {sent[-1] / MIB:.0f} MiB of lines sent")


@test("a stop isn't held up by streams whose clients have stopped reading")
def stop_with_stalled(t):
    server = served.serve(t)
    stalled = []
    t.later(lambda: close_all(stalled))
    for _ in range(20):
        one = server.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(f"GET {server.path('/stream', offset='oldest')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        stalled.append(one)
    line = b"x" * MIB
    for _ in range(16):
        server.pushed([line])
    t.until("each to have begun", lambda: all(one.recv(1, socket.MSG_PEEK) for one in stalled), alive=server.process)
    reading = Stream(server, offset="newest")
    is_event(t, next(reading), "heartbeat", lag=0)
    t.stop(server.process)
    is_event(t, next(reading), "end", code="stopping")
    t.equal(list(reading), [], "what comes behind the end")


class CuttingProxy:
    """Passes bytes on, and cuts each connection behind a random count of what the server sent."""

    def __init__(self, t, server):
        self.t = t
        self.server = server
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, self.t.random.choice((50, 500, 50_000, 500_000))), daemon=True).start()

    def _serve(self, client, most):
        limit = self.t.random.randrange(most)
        with client:
            try:
                with socket.create_connection((self.server.host, self.server.port), timeout=10) as upstream:
                    client.settimeout(10)
                    head = b""
                    while b"\r\n\r\n" not in head:
                        piece = client.recv(1 << 16)
                        if not piece:
                            return
                        head += piece
                    upstream.sendall(head)
                    while limit > 0:
                        piece = upstream.recv(min(limit, 1 << 16))
                        if not piece:
                            return
                        client.sendall(piece)
                        limit -= len(piece)
                    self.cuts += 1
            except OSError:
                pass

    def close(self):
        self._listener.close()


@test("streams that go on by Last-Event-ID miss and double nothing, over cut connections and a server killed again and again", seconds=240)
def resumed(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = [b"line %06d %s" % (n, b"x" * (n * 7919 % 90)) for n in range(120_000)]
    proxy = CuttingProxy(t, server)
    t.later(proxy.close)
    met = {"connections": 0, "kills": 0}
    ended = threading.Event()

    def follow(**query):
        """All lines in order, from as many streams as it takes."""
        found, place = [], None
        while len(found) < len(lines) and not ended.is_set():
            try:
                stream = Stream(server, headers={"Last-Event-ID": place} if place else {}, port=proxy.port, max_bytes=64 * KIB, heartbeat="1s", timeout=10, **query)
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
                continue
            met["connections"] += 1
            try:
                if stream.status == 503:
                    continue
                t.equal(stream.status, 200, "status of a stream that goes on")
                for event in stream:
                    if event["type"] == "records":
                        t.equal(number(event["first"]), len(found), "where an event begins")
                        found += event["lines"]
                        t.equal(number(event["next"]), len(found), "where an event ends")
                    elif event["type"] not in ("heartbeat", "end"):
                        raise Failure(f"expected no {event}")
                    place = event["next"]
                    if len(found) == len(lines):
                        break
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                pass
            finally:
                stream.close()
        return found

    followers = [background(lambda: follow(offset="oldest")), background(lambda: follow(consumer="job"))]
    t.later(ended.set)
    for first in range(0, len(lines), 2000):
        while True:
            try:
                answer = server.push(lines[first:first + 2000], key=f"batch-{first}")
                if answer.status == 200:
                    break
            except (OSError, http.client.HTTPException):
                pass
        if t.random.random() < 0.2:
            server.process.kill()
            met["kills"] += 1
            server = served.serve(t)
            proxy.server = server
    for follower in followers:
        t.same_lines(lines, [line.encode() for line in follower.result(120)], "what a stream gets")
    t.true(proxy.cuts >= 10 and met["kills"] >= 3, f"cuts and kills, found {proxy.cuts} and {met}")
    # What the consumer was sent before the last kill counts as given.
    answer = server.send_json("POST", server.path("/consumers/job/commit"), {"offset": f"{server.facts()['epoch']}-{len(lines)}"})
    t.equal((answer.status, answer.json["lag_records"]), (200, 0), "the answer to committing all that came")
    t.note(f"{len(lines)} lines to two streams over {met['connections']} connections, {proxy.cuts} cuts, {met['kills']} kills")


# Consumers, gaps, tokens


@test("a consumer's stream begins at its cursor, is committed by what came, and ends when it is set elsewhere or deleted")
def consumers(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = [b"line %d" % i for i in range(10)]
    server.pushed(lines)
    stream = Stream(server, consumer="job", max_bytes=28)
    is_event(t, next(stream), "records", lines=[line.decode() for line in lines[:4]])
    commit = stream.place
    t.equal(server.consumer("job")["lag_records"], 10, "sending commits nothing")
    answer = server.send_json("POST", server.path("/consumers/job/commit"), {"offset": commit})
    t.equal((answer.status, answer.json["lag_records"]), (200, 6), "a commit of what came")
    t.equal(stream.lines(6), [line.decode() for line in lines[4:]], "the rest")
    server.process.kill()
    server = served.serve(t)
    stream = Stream(server, consumer="job", heartbeat="60s")
    t.equal(stream.lines(6), [line.decode() for line in lines[4:]], "what comes again after kill -9 without a commit")
    answer = server.pull(consumer="job", commit=stream.place)
    t.equal(answer.status, 204, "a pull that commits what a stream gave")
    server.until_waiting()
    server.send_json("POST", server.path("/consumers/job/seek"), {"to": "oldest"})
    is_event(t, next(stream), "error", code="consumer_moved", status=409)
    t.equal(list(stream), [], "what comes behind the error")
    stream = Stream(server, consumer="job", heartbeat="60s")
    t.equal(stream.lines(10), [line.decode() for line in lines], "what comes at the new place")
    server.until_waiting()
    t.equal(server.request("DELETE", server.path("/consumers/job")).status, 204, "the answer to deleting")
    is_event(t, next(stream), "error", code="unknown_consumer", status=404)
    t.equal(server.get(server.path("/stream", consumer="job")).code, "unknown_consumer", "the answer to a stream of no consumer")


@test("lost records are a gap in a stream, exact, and the stream goes on behind it")
def gaps(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = hard_lines(t, 90 * KIB)
    server, parts = served.with_damaged_block(server, lines)
    first, end = len(parts[0]), len(parts[0]) + len(parts[1])
    for query in ({"offset": "oldest"}, {"consumer": "job"}):
        stream = Stream(server, **query)
        t.equal(stream.lines(first), [line.decode(errors="replace") for line in parts[0]], "the records before the gap")
        gap = next(stream)
        is_event(t, gap, "gap", reason="corrupt_block", records=len(parts[1]), bytes=sum(len(line) + 1 for line in parts[1]))
        t.equal((number(gap["first"]), number(gap["next"])), (first, end), "its place")
        t.equal(stream.lines(len(parts[2])), [line.decode(errors="replace") for line in parts[2]], "the records behind the gap")
    answer = server.send_json("POST", server.path("/consumers/job/commit"), {"offset": stream.place})
    t.equal((answer.status, answer.json["lag_records"]), (200, 0), "a commit past the gap")


@test("records that go while a stream is away, or waits for its client, are a gap of their number")
def gone(t):
    server = served.serve(t, "--max-size", "8MiB", "--keep", "0s")
    server.make_consumer("slow", hold="1MiB")
    lines = [t.random.randbytes(150).hex().encode() for _ in range(90_000)]
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((server.host, server.port))
    t.later(slow.close)
    slow.sendall(f"GET {server.path('/stream', offset='oldest', max_bytes=4096)} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    away = Stream(server, offset="oldest")
    server.pushed(lines[:100])
    t.equal(away.lines(100), [line.decode() for line in lines[:100]], "the first lines")
    place = away.place
    away.close()
    for first in range(100, len(lines), 2000):
        server.pushed(lines[first:first + 2000])
    oldest = number(server.facts()["start_offset"])
    t.true(oldest > 1000, f"much is gone, found {oldest}")
    problem = server.get(server.path("/stream", offset=place))
    t.equal((problem.status, problem.code), (410, "offset_gone"), "the answer to who begins at what is gone")
    for stream, first in ((Stream(server, headers={"Last-Event-ID": place}, offset="oldest"), 100), (Stream(server, consumer="slow"), 0)):
        gap = next(stream)
        is_event(t, gap, "gap", reason="retention", records=oldest - first)
        t.equal((number(gap["first"]), number(gap["next"])), (first, oldest), "the gap's place")
        event = next(stream)
        t.equal((number(event["first"]), event["lines"][0]), (oldest, lines[oldest].decode()), "what comes behind the gap")
    # Who stopped in the middle: what it was sent, then the gap, then the rest; together all that there was.
    slow.settimeout(60)
    text, count = b"", 0
    while count < len(lines):
        piece = slow.recv(1 << 20)
        t.true(piece, "the slow stream goes on")
        *whole, text = (text + piece).split(b"\n")
        for line in whole:
            if not line.startswith(b"{"):
                continue
            event = json.loads(line)
            if event["type"] in ("records", "gap"):
                t.equal(number(event["first"]), count, f"where an event of the slow stream begins, {line[:100]}")
                if event["type"] == "records":
                    t.equal([line.encode() for line in event["lines"]], lines[count:number(event["next"])], "its lines")
                count = number(event["next"])


@test("a stream needs a token that may read its queue")
def tokens(t):
    secrets = {
        name: t.sluice("token", name, "--scope", scope, "--append", "tokens").strip()
        for name, scope in (("reader", "read@q"), ("writer", "write@q"), ("other", "read@other"), ("all", "admin@*"))
    }
    server_process = t.start_sluice("serve", "q", "--create", "--listen", "127.0.0.1:0", "--tokens", "tokens")
    found = t.until("the server to listen", lambda: re.search(r"listening .*?server\.address=(\S+):(\d+) ", server_process.stderr), alive=server_process)

    def ask(name, **query):
        connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=30)
        headers = {"Authorization": f"Bearer {secrets[name]}"} if name else {}
        connection.request("GET", f"/v1/queues/q/stream?{urllib.parse.urlencode(query)}", headers=headers)
        answer = connection.getresponse()
        line = answer.readline()
        answer.close()
        connection.close()
        return answer.status, json.loads(line)

    t.until("the queue to be served", lambda: ask("reader", offset="newest")[0] != 503, alive=server_process)
    for name, expected in ((None, 401), ("writer", 403), ("other", 403), ("reader", 200), ("all", 200)):
        status, line = ask(name, offset="newest")
        t.equal(status, expected, f"the answer to {name}, {line}")
        if status == 200:
            is_event(t, line, "heartbeat", lag=0)

    # One that is taken back ends what it has opened.
    connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=60)
    connection.request("GET", "/v1/queues/q/stream?offset=newest&heartbeat=1s", headers={"Authorization": f"Bearer {secrets['reader']}"})
    answer = connection.getresponse()
    is_event(t, json.loads(answer.readline()), "heartbeat", lag=0)
    rest = [line for line in t.read("tokens").splitlines(keepends=True) if not line.startswith(b"reader")]
    t.write("tokens.new", b"".join(rest))
    os.chmod(t.path("tokens.new"), 0o600)
    os.rename(t.path("tokens.new"), t.path("tokens"))
    events = []
    while not events or events[-1]["type"] == "heartbeat":
        events.append(json.loads(answer.readline()))
    t.equal((events[-1]["type"], events[-1]["code"]), ("error", "unauthorized"), "what ends a stream whose token was taken back")
    t.equal(answer.readline(), b"", "nothing comes behind it")
    connection.close()
