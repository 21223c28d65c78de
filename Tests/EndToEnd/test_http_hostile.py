"""Clients that mean harm, or are only broken: memory stays bounded, and another client is served meanwhile."""

import gzip
import os
import re
import resource
import select
import socket
import struct
import time
import zlib

import corpus
from harness import Failure, background, test
import served

MIB = 1 << 20
MEMORY = 400 * MIB


def allow_descriptors(t, count, least=12_000):
    """For this process, and for the server that it starts: `count`, or as many as may be; gives how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        for ceiling in (max(hard, count), hard):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, ceiling), ceiling))
                break
            except (ValueError, OSError):
                pass
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < least:
        raise Failure(f"this test needs {least} descriptors, and may have {hard}: raise 'ulimit -n', or run it as root")
    return soft


def server_with(t, limits="", queue="{ name: q, path: q }"):
    t.pipeline(f"""
queue: {queue}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
server: {{ listen: "127.0.0.1:0", limits: {{ {limits} }} }}
""")
    return served.Server(t, t.start_run())


class Watch:
    """Another client, that asks all the time; and the server's memory."""

    def __init__(self, server):
        self.server = server
        self.slowest = 0
        self.answers = 0
        self._ends = False
        self._asking = background(self._ask)

    def _ask(self):
        while not self._ends:
            began = time.monotonic()
            answer = self.server.get("/v1/queues", timeout=30)
            if answer.status != 200:
                raise Failure(f"another client got {answer}")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers += 1
            time.sleep(0.02)

    def end(self, t, most=MEMORY):
        """Checks and notes both."""
        self._ends = True
        self._asking.result()
        peak = self.server.process.status("VmHWM")
        t.true(peak is not None and peak < most, f"memory under {most >> 20} MiB, found {(peak or 0) >> 20}")
        t.true(self.server.process.is_running, f"the server runs\n{self.server.process.stderr_tail}")
        t.note(f"{peak >> 20} MiB at most; another client got {self.answers} answers meanwhile, the slowest in {1000 * self.slowest:.0f} ms")


def connect_many(server, count, first=2):
    """So many connections, from several addresses: one has ports for 28,000."""
    connections = []
    for number in range(count):
        one = socket.socket()
        one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        one.bind((f"127.0.0.{first + number // 5000}", 0))
        one.connect((server.host, server.port))
        connections.append(one)
    return connections


def close_all(connections):
    for one in connections:
        one.close()


def read_answers(connections, seconds=60):
    """What each was answered, until its end or its whole body is there; None for who got nothing."""
    poll = select.epoll()
    parts = {}
    for one in connections:
        one.setblocking(False)
        parts[one.fileno()] = (one, bytearray())
        poll.register(one.fileno(), select.EPOLLIN)
    deadline = time.monotonic() + seconds
    open_ones = set(parts)
    while open_ones and time.monotonic() < deadline:
        for number, _ in poll.poll(1):
            one, text = parts[number]
            try:
                piece = one.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                piece = b""
            text += piece
            head, separator, body = text.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if not piece or (separator and (b" 204 " in head[:20] or length and len(body) >= int(length[1]))):
                open_ones.discard(number)
                poll.unregister(number)
    poll.close()
    return [bytes(text) or None for _, text in parts.values()]


def exchange(server, data, half_close=False, seconds=20):
    """Sends raw bytes, and gives what comes back until the end, or until nothing more comes."""
    with server.socket(timeout=seconds) as one:
        try:
            one.sendall(data)
            if half_close:
                one.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return read_answers([one], seconds)[0] or b""


@test("ten thousand idle connections, and then ten thousand waiting pulls: memory stays bounded, all get the next record, and all may leave at once", seconds=300)
def ten_thousand(t):
    # The server leaves half of its descriptors to queues, sources and sinks.
    count = min(10_000, allow_descriptors(t, 22_000) // 2 - 100)
    server = server_with(t, "idle_timeout: 300s, header_timeout: 300s")
    watch = Watch(server)
    empty = server.process.status("VmRSS")
    idle = connect_many(server, count)
    t.later(lambda: close_all(idle))
    t.until("all idle connections", lambda: (server.metric("sluice_http_connections") or 0) >= count, alive=server.process)
    with_idle = server.process.status("VmRSS")
    close_all(idle)
    t.until("all connections to be gone", lambda: server.metric("sluice_http_connections") < 100, alive=server.process)
    waiting = connect_many(server, count, first=10)
    t.later(lambda: close_all(waiting))
    for one in waiting:
        one.sendall(f"GET {server.path('/records', offset='newest', wait='55s')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    t.until("all pulls to wait", lambda: (server.metric("sluice_http_waiting_requests") or 0) >= count, seconds=45, alive=server.process)
    with_waiting = server.process.status("VmRSS")
    began = time.monotonic()
    server.pushed([b"for all"])
    answers = read_answers(waiting)
    took = time.monotonic() - began
    good = sum(answer is not None and answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nfor all\n") for answer in answers)
    other = next((one for one in answers if not one or not one.endswith(b"for all\n")), None)
    t.equal(good, count, f"pulls that got the record; one of the others: {other!r}")
    close_all(waiting)
    t.until("all connections to be gone", lambda: server.metric("sluice_http_connections") < 100, alive=server.process)
    watch.end(t)
    t.note(f"{count} of each: {empty >> 20} MiB alone, {with_idle >> 20} with idle connections, {with_waiting >> 20} with waiting pulls; the record reached all after {took:.1f} s")


@test("one connection more than max_connections waits until another one ends", seconds=60)
def too_many(t):
    server = server_with(t, "max_connections: 20")
    many = connect_many(server, 40)
    t.later(lambda: close_all(many))
    for one in many:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answers = read_answers(many[:20])
    close_all(many[:20])
    answers += read_answers(many[20:])
    t.equal(sum(answer is not None and answer.startswith(b"HTTP/1.1 200 ") for answer in answers), 40, "answers in the end")


@test("headers that come a byte at a time are cut off in their time, and others are served meanwhile")
def slow_headers(t):
    server = server_with(t, "header_timeout: 1s")
    watch = Watch(server)
    slow = connect_many(server, 300)
    t.later(lambda: close_all(slow))
    left = {one.fileno(): one for one in slow}
    head = f"GET /healthz HTTP/1.1\r\nHost: {'x' * 1000}\r\n".encode()
    for byte in head:
        for number, one in list(left.items()):
            try:
                one.setblocking(False)
                one.send(bytes([byte]))
                if one.recv(100) == b"":
                    del left[number]
            except BlockingIOError:
                pass
            except OSError:
                del left[number]
        if not left:
            break
        time.sleep(0.05)
    t.equal(len(left), 0, "connections that are still open after all of their bytes")
    t.equal(server.metric("sluice_http_stalled_connections_total", stall="header"), 300, "connections that are counted as stalled")
    watch.end(t)


@test("a body that stops coming is cut off, and nothing of it stays under a key")
def slow_body(t):
    server = server_with(t, "body_timeout: 1s")
    watch = Watch(server)
    slow = connect_many(server, 100)
    t.later(lambda: close_all(slow))
    for number, one in enumerate(slow):
        one.sendall(f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k{number}\r\nContent-Length: 1000\r\n\r\nhalf a line".encode())
    answers = read_answers(slow, 20)
    t.true(all(answer is None or not answer.startswith(b"HTTP/1.1 200") for answer in answers), f"no 200 for half a body, found {set(answers)}")
    t.equal(server.facts()["records"], 0, "records in the queue")
    watch.end(t)


@test("clients that read a byte a second are cut off; the memory for answers is bounded, comes back, and others are served meanwhile")
def slow_readers(t):
    server = server_with(t, "response_timeout: 2s")
    lines = [line[:-1] for line in corpus.lines(100_000, t.seed)]
    for first in range(0, len(lines), 20_000):
        server.pushed(lines[first:first + 20_000])
    for _ in range(4):
        server.pushed([b"x" * (12 * MIB)])
    watch = Watch(server)
    slow = connect_many(server, 60)
    t.later(lambda: close_all(slow))
    for one in slow:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(f"GET {server.path('/records', offset='oldest', max_bytes='64MiB')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    t.until("memory for answers to be in use", lambda: (server.metric("sluice_http_response_memory_bytes") or 0) > MIB, alive=server.process)
    ends = [False] * len(slow)

    def all_ended():
        for index, one in enumerate(slow):
            if not ends[index]:
                one.setblocking(False)
                try:
                    ends[index] = one.recv(1) == b""
                except BlockingIOError:
                    pass
                except OSError:
                    ends[index] = True
        # A byte of each, and then a rest: that is what such a client does.
        time.sleep(0.5)
        return server.metric("sluice_http_response_memory_bytes") == 0

    t.until("the memory for answers to come back", all_ended, alive=server.process)
    # Answers of 64 MiB for four at once, and what a queue and its reader need.
    watch.end(t, most=MEMORY + 256 * MIB)
    t.same_lines(lines, server.pull(offset="oldest", max_records=len(lines), max_bytes="64MiB").lines, "what another gets afterwards")


@test("headers, targets and bodies that are too large are refused, and cost nothing")
def too_large(t):
    server = server_with(t)
    watch = Watch(server)
    for what, request in (
        ("a header field of 1 MiB", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * MIB + b"\r\n\r\n"),
        ("a field's name of 1 MiB", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"x" * MIB + b": x\r\n\r\n"),
        ("ten thousand fields", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: x\r\n" % i for i in range(10_000)) + b"\r\n"),
        ("fields without an end", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 100_000),
        ("a target of 1 MiB", b"GET /" + b"x" * MIB + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a query of 1 MiB", b"GET /v1/queues?" + b"x" * MIB + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a method of 1 MiB", b"G" * MIB + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ):
        answer = exchange(server, request)
        t.true(re.match(rb"HTTP/1\.1 4(00|14|31|13) ", answer) or answer == b"", f"{what}: a refusal, found {answer[:200]!r}")
    # As large as it may be, and larger than it says.
    answer = server.push([b"x" * 1000] * 100_000)
    t.equal((answer.status, answer.code), (413, "body_too_large"), f"a body of 100 MB, {answer}")
    for length in ("99999999999999999999999", "-1", "1e3", "0x10", "+5", "5, 6"):
        answer = exchange(server, f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nhello\r\n".encode())
        t.true(not answer.startswith(b"HTTP/1.1 200"), f"Content-Length: {length}, found {answer[:200]!r}")
    consumer = server.request("PUT", server.path("/consumers/job"), body=b" " * MIB, headers={"Content-Type": "application/json"})
    t.equal(consumer.status, 413, f"a wish for a consumer of 1 MiB, {consumer}")
    watch.end(t)


@test("gzip that swells to gigabytes is refused, keyed or not, and costs nothing")
def bombs(t):
    server = server_with(t)
    watch = Watch(server)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"".join([packer.compress(bytes(64 * MIB)) for _ in range(32)] + [packer.flush()])
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    lines = b"".join([packer.compress(b"x\n" * (32 * MIB)) for _ in range(16)] + [packer.flush()])
    members = gzip.compress(b"x\n" * MIB) * 400
    empty = gzip.compress(b"") * 500_000
    t.note(f"2 GiB in {len(zeros) >> 20} MiB, 1 GiB of lines in {len(lines) >> 10} KiB, 800 MiB in 400 members, {len(empty) >> 20} MiB of empty members")
    for what, body, codes in (
        ("2 GiB of zeros", zeros, {"line_too_long", "body_too_large"}), ("1 GiB of short lines", lines, {"body_too_large"}), ("400 members", members, {"body_too_large"}),
    ):
        for key in (None, "bomb"):
            headers = {"Content-Encoding": "gzip"} | ({"Idempotency-Key": key} if key else {})
            answer = server.request("POST", server.path("/records"), body=body, headers=headers)
            t.equal(answer.status, 413, f"{what}, key {key}: {answer}")
            t.true(answer.code in codes, f"{what}: {answer}")
    answer = server.request("POST", server.path("/records"), body=empty, headers={"Content-Encoding": "gzip"})
    t.equal((answer.status, answer.json.get("records")), (200, 0), "half a million empty members")
    for depth in (100_000, 4_000_000):
        answer = server.request("POST", server.path("/records"), body=b"[" * depth, headers={"Content-Type": "application/json"})
        t.equal(answer.status, 400, f"JSON {depth} deep that doesn't end: {answer}")
        answer = server.request("POST", server.path("/records"), body=b"[" * depth + b"]" * depth, headers={"Content-Type": "application/json"})
        t.true(answer.status in (200, 400, 413), f"JSON {depth} deep: {answer}")
    answer = server.request("PUT", server.path("/consumers/deep"), body=b'{"hold":' + b"[" * 30_000 + b"]" * 30_000 + b"}", headers={"Content-Type": "application/json"})
    t.equal(answer.status, 400, f"a deep wish for a consumer: {answer}")
    watch.end(t, most=MEMORY + 256 * MIB)


@test("names reach no file outside of their place")
def traversal(t):
    t.write("secret.gz", b"treasure")
    server = server_with(t)
    server.pushed([b"one"])
    before = sorted(os.path.relpath(os.path.join(folder, name), t.directory) for folder, _, names in os.walk(t.directory) for name in names)
    names = ["..", "../..", "../secret.gz", "..%2fsecret.gz", "%2e%2e", "%2e%2e%2fsecret.gz", "..%5c..", "%00", "q%00", "..%252fsecret.gz", "/etc/passwd", "%2fetc%2fpasswd",
             "./q", "q/../q", "....//", "lock", "queue.json", "segments", "job.tmp", "job.files", "%c0%ae%c0%ae%2f", "\u202e", "q;x", "q%0a", "a" * 5000]
    for name in names:
        for method, path in (
            ("GET", f"/v1/queues/{name}"), ("GET", f"/v1/queues/{name}/records?offset=oldest"), ("POST", f"/v1/queues/{name}/records"),
            ("GET", f"/v1/queues/q/segments/{name}"), ("GET", f"/v1/queues/q/consumers/{name}"), ("PUT", f"/v1/queues/q/consumers/{name}"),
            ("DELETE", f"/v1/queues/q/consumers/{name}"), ("POST", f"/v1/queues/q/consumers/{name}/seek"),
        ):
            data = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
            answer = exchange(server, data)
            t.true(b"treasure" not in answer and b"root:" not in answer, f"nothing of another file for {method} {path}")
            status = int(answer[9:12] or 0)
            known = status == 201 and name in ("lock", "queue.json", "segments")
            t.true(status >= 400 or known or (status == 200 and name in ("./q", "q/../q")) or (status in (200, 204) and name in ("lock", "queue.json", "segments")),
                   f"a refusal for {method} {path}, found {answer[:300]!r}")
    for name in ("lock", "queue.json", "segments"):
        server.request("DELETE", server.path(f"/consumers/{name}"))
    after = sorted(os.path.relpath(os.path.join(folder, name), t.directory) for folder, _, names in os.walk(t.directory) for name in names)
    t.equal([name for name in after if name not in before], [], "files that appeared")
    t.equal(server.pull(offset="oldest").lines, [b"one"], "the queue")


MALFORMED = [
    b"\r\n\r\n", b"\x00" * 100, b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: y\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n", b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n", b"get / http/1.1\r\nhost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET http://other/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT x:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n",
]


@test("requests that are none are refused or hung up on, and what could be two requests is never taken as two")
def malformed(t):
    server = server_with(t, "header_timeout: 1s")
    watch = Watch(server)
    for data in MALFORMED:
        answer = exchange(server, data, half_close=True)
        t.true(answer == b"" or answer.startswith(b"HTTP/1."), f"an answer or none for {data[:60]!r}, found {answer[:100]!r}")
        t.true(b"HTTP/1.1 500" not in answer, f"no failure for {data[:60]!r}, found {answer[:200]!r}")
    head = f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\n".encode()
    inner = f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nsmuggled\n".encode()
    for what, data in (
        ("a length and chunks", head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner),
        ("two lengths", head + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner),
        ("chunks in a strange coat", head + b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner),
        ("a blank before the colon", head + b"Content-Length : %d\r\n\r\n" % len(inner) + inner),
        ("a chunk's bad size", head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + inner),
        ("a chunk's negative size", head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + inner),
        ("a chunk's huge size", head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + inner),
    ):
        exchange(server, data, half_close=True)
        found = [line for line in server.pull(offset="oldest").lines if line == b"smuggled"]
        t.equal(found, [], f"{what}: records of the request within the request")
    watch.end(t)


@test("made-up requests, and real ones with bytes changed, don't end it")
def made_up(t):
    server = server_with(t, "header_timeout: 1s, body_timeout: 1s")
    server.pushed([line[:-1] for line in corpus.lines(1000, t.seed)])
    draw = t.random
    seeds = [
        f"GET {server.path('/records', offset='oldest', max_bytes='1KiB')} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode(),
        f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nIdempotency-Key: k\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode(),
        f"PUT {server.path('/consumers/job')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 24\r\n\r\n{{\"start_at\": \"oldest\"   }}".encode(),
        f"GET {server.path('/segments/00000000000000000000.gz')} HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-9\r\n\r\n".encode(),
    ]
    count = 2000 if t.sizes.name == "full" else 300
    watch = Watch(server)
    for _ in range(count):
        data = bytearray(draw.choice(seeds) * draw.choice((1, 1, 1, 3)))
        for _ in range(draw.choice((0, 1, 3, 20))):
            position = draw.randrange(len(data))
            action = draw.randrange(3)
            if action == 0:
                data[position] = draw.randrange(256)
            elif action == 1:
                del data[position:position + draw.randrange(1, 20)]
                data = data or bytearray(b"\n")
            else:
                data[position:position] = draw.randbytes(draw.randrange(1, 20))
        exchange(server, bytes(data), half_close=True, seconds=10)
    watch.end(t)
    t.note(f"{count} requests")


@test("a client that closes its sending half still gets its answer")
def half_closed(t):
    server = server_with(t)
    server.pushed([b"one", b"two"])
    data = f"GET {server.path('/records', offset='oldest')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    answer = exchange(server, data, half_close=True)
    t.true(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\none\ntwo\n"), f"the answer to who closed his half, found {answer!r}")
    body = b"three\n"
    data = f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    answer = exchange(server, data, half_close=True)
    t.true(answer.startswith(b"HTTP/1.1 200 "), f"the answer to a push whose client closed his half, found {answer!r}")
    data = f"GET {server.path('/records', offset='newest', wait='50s')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    answer = exchange(server, data, half_close=True)
    t.true(answer.startswith(b"HTTP/1.1 204 "), f"the answer to who waits and closes his half: his wait ends, found {answer!r}")
    t.equal(server.metric("sluice_http_waiting_requests"), 0, "requests that wait")


@test("three thousand clients that break off in the middle, with a reset, leave nothing behind", seconds=180)
def resets(t):
    allow_descriptors(t, 22_000)
    server = server_with(t)
    server.make_consumer("job")
    server.pushed([b"x" * 100_000] * 100)
    watch = Watch(server)
    requests = (
        f"GET {server.path('/records', offset='oldest', max_bytes='8MiB')} HTTP/1.1\r\nHost: localhost\r\n\r\n", f"GET {server.path('/records', offset='newest', wait='50s')} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"POST {server.path('/records')} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: r\r\nContent-Length: 100000\r\n\r\nhello", "GET / HTT",
    )
    records = server.facts()["records"]
    for _ in range(3):
        many = connect_many(server, 1000)
        for number, one in enumerate(many):
            one.sendall(requests[number % len(requests)].encode())
        for one in many:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        close_all(many)
    t.until("all to be gone", lambda: (server.metric("sluice_http_connections"), server.metric("sluice_http_waiting_requests"), server.metric("sluice_http_response_memory_bytes")) <= (20, 0, 0),
            alive=server.process)
    t.equal(server.metric("sluice_http_waiting_requests"), 0, "waits of who has gone")
    t.equal(server.facts()["records"], records, "records of pushes that broke off")
    watch.end(t)
