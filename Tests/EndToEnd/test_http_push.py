"""Pushing over HTTP: what forms a body may have, what is refused, and keys that make a retry safe."""

import gzip
import http.client
import json
import socket
import time

import corpus
from harness import Failure, background, test
import served

MIB = 1 << 20


def post(server, body, **headers):
    return server.request("POST", server.path("/records"), body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def is_problem(t, answer, status, code, what):
    t.equal((answer.status, answer.code), (status, code), f"{what}: status and code of {answer}")
    return answer.json


def all_lines(server):
    """Every record that the queue has."""
    found, offset = [], "oldest"
    while True:
        answer = server.pull(offset=offset, max_bytes="64MiB")
        if answer.status == 204:
            return found
        found += answer.lines
        offset = answer.next


@test("a pushed body is lines, plain or of several gzip members, or a JSON array, and is there when it is answered")
def bodies(t):
    server = served.serve(t)
    lines = [line[:-1] for line in corpus.lines(3000, t.seed)]
    text = b"".join(line + b"\n" for line in lines)
    half = len(text) // 2
    big = b"x" * (3 * MIB)
    for what, body, headers, expected in (
        ("plain", text, {"Content_Type": "text/plain"}, lines),
        ("no type at all", b"one\ntwo\n", {}, [b"one", b"two"]),
        ("what curl calls it", b"a=1&b=2\n", {"Content_Type": "application/x-www-form-urlencoded"}, [b"a=1&b=2"]),
        ("ndjson", b'{"a": 1}\n{"b": "\xc3\xbc"}\n', {"Content_Type": "application/x-ndjson"}, [b'{"a": 1}', '{"b": "ü"}'.encode()]),
        ("a last line without its end", b"one\ntwo", {}, [b"one", b"two"]),
        ("empty lines, CR, NUL, and bytes that are no UTF-8", b"\n\r\n\x00\n\xff\xfe\n", {}, [b"", b"\r", b"\x00", b"\xff\xfe"]),
        ("a line of 3 MiB", b"before\n" + big + b"\nbehind\n", {}, [b"before", big, b"behind"]),
        ("gzip", gzip.compress(text), {"Content_Encoding": "gzip"}, lines),
        ("two gzip members, cut within a line", gzip.compress(text[:half]) + gzip.compress(text[half:]), {"Content_Encoding": "gzip"}, lines),
        ("twenty gzip members, some empty", b"".join(gzip.compress(b"%d\n" % i if i % 3 else b"") for i in range(20)), {"Content_Encoding": "x-gzip"},
         [b"%d" % i for i in range(20) if i % 3]),
        ("a JSON array", b' [ {"a":\n1}, "text", 2.50, null, ["x"], "gr\\u00fc\xc3\x9fe" ]\n', {"Content_Type": "application/json"},
         [b'{"a":1}', b"text", b"2.50", b"null", b'["x"]', "grüße".encode()]),
        ("a JSON array as gzip", gzip.compress(b'["one", "two"]'), {"Content_Type": "application/json; charset=utf-8", "Content_Encoding": "gzip"}, [b"one", b"two"]),
        ("what Flume sends", json.dumps([{"headers": {"host": "web1"}, "body": "one\ttwo"}, {"headers": {}, "body": ""}]).encode(), {"Content_Type": "application/json"},
         [b'{"headers": {"host": "web1"}, "body": "one\\ttwo"}', b'{"headers": {}, "body": ""}']),
        ("nothing", b"", {}, []),
        ("an empty array", b"[]", {"Content_Type": "application/json"}, []),
    ):
        answer = post(server, body, **headers)
        t.equal(answer.status, 200, f"{what}: status of {answer}")
        given = answer.json
        t.equal((given["records"], given["bytes"], given["replayed"]), (len(expected), sum(len(line) + 1 for line in expected), False), f"{what}: what the answer counts")
        t.equal(served.number(given["next"]) - served.number(given["first"]), len(expected), f"{what}: the offsets that it tells")
        if expected:
            found = server.pull(offset=given["first"], max_bytes="64MiB").lines
            t.same_lines(expected, found, what)
    # The tools that people push with.
    t.write("in.log", text)
    end = server.facts()["durable_end"]
    t.call(t.program("curl"), "-sS", "--fail", "--data-binary", f"@{t.path('in.log')}", server.url + server.path("/records"))
    t.same_lines(lines, server.pull(offset=end, max_bytes="64MiB").lines, "what curl sent")
    end = server.facts()["durable_end"]
    t.call(t.program("curl"), "-sS", "--fail", "-T", "-", "-X", "POST", server.url + server.path("/records"), input=text)
    t.same_lines(lines, server.pull(offset=end, max_bytes="64MiB").lines, "what curl sent in chunks")


@test("what can't be taken is refused with what to do, and nothing of it is in the queue")
def refusals(t):
    server = served.serve(t)
    line = b"x" * 1000 + b"\n"
    mib9 = line * (9 * MIB // len(line))
    whole = gzip.compress(line * 1000)
    for what, body, headers, status, code in (
        ("a keyed body of 9 MiB", mib9, {"Idempotency_Key": "large"}, 413, "body_too_large"),
        ("a keyed body of 9 MiB, compressed", gzip.compress(mib9, 1), {"Idempotency_Key": "large", "Content_Encoding": "gzip"}, 413, "body_too_large"),
        ("a JSON array of 9 MiB", b'["' + b"x" * (9 * MIB) + b'"]', {"Content_Type": "application/json"}, 413, "body_too_large"),
        ("a line of 17 MiB", b"x" * (17 * MIB), {}, 413, "line_too_long"),
        ("zstd", b"x", {"Content_Encoding": "zstd"}, 415, "unsupported_encoding"),
        ("gzip of gzip", b"x", {"Content_Encoding": "gzip, gzip"}, 415, "unsupported_encoding"),
        ("no gzip, with a key", b"plain", {"Content_Encoding": "gzip", "Idempotency_Key": "no"}, 400, "bad_body"),
        ("no gzip", b"plain", {"Content_Encoding": "gzip"}, 400, "bad_body"),
        ("half a member, with a key", whole[:len(whole) // 2], {"Content_Encoding": "gzip", "Idempotency_Key": "half"}, 400, "bad_body"),
        ("a member with another checksum, with a key", whole[:-8] + bytes(4) + whole[-4:], {"Content_Encoding": "gzip", "Idempotency_Key": "crc"}, 400, "bad_body"),
        ("an object", b'{"a": 1}', {"Content_Type": "application/json"}, 400, "bad_body"),
        ("no JSON", b"[1, 2", {"Content_Type": "application/json"}, 400, "bad_body"),
        ("an array and more", b"[1] [2]", {"Content_Type": "application/json"}, 400, "bad_body"),
        ("a string with a line feed", b'["one", "two\\nthree"]', {"Content_Type": "application/json"}, 400, "bad_body"),
        ("a key of 129 bytes", b"x\n", {"Idempotency_Key": "k" * 129}, 400, "bad_parameter"),
        ("a key with a blank", b"x\n", {"Idempotency_Key": "a b"}, 400, "bad_parameter"),
        ("an empty key", b"x\n", {"Idempotency_Key": ""}, 400, "bad_parameter"),
    ):
        is_problem(t, post(server, body, **headers), status, code, what)
        t.equal(server.facts()["records"], 0, f"{what}: records in the queue")
    t.equal(server.get("/v1/queues/other").status, 404, "an unknown queue")


@test("a body that is cut off appends nothing under a key, and its key is free")
def cut(t):
    server = served.serve(t)
    lines = [b"line %d" % number for number in range(50_000)]
    text = b"".join(line + b"\n" for line in lines)
    for kind in ("length", "chunks", "chunks and gzip"):
        body = gzip.compress(text) if kind.endswith("gzip") else text
        head = f"POST {server.path('/records')} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: cut-{kind[-4:]}\r\n"
        head += f"Content-Length: {len(body)}\r\n" if kind == "length" else "Transfer-Encoding: chunked\r\n"
        head += "Content-Encoding: gzip\r\n" if kind.endswith("gzip") else ""
        with server.socket() as connection:
            connection.sendall(head.encode() + b"\r\n")
            part = body[:len(body) // 2]
            connection.sendall(part if kind == "length" else b"%x\r\n%s\r\n" % (len(part), part))
            connection.shutdown(socket.SHUT_WR)
            # It answers or hangs up; never with 200.
            answer = connection.recv(4096)
            t.true(not answer.startswith(b"HTTP/1.1 200"), f"no 200 for half a body ({kind}), found {answer[:100]}")
        t.equal(server.facts()["records"], 0, f"{kind}: records of half a body")
    given = server.pushed(lines, key="cut-ngth")
    t.equal((given["records"], given["replayed"]), (len(lines), False), "the whole body under the key of the half one")


@test("a key stands for one body: again it is only answered, also after a restart, another body is refused, and two at once append one")
def keys(t):
    server = served.serve(t)
    lines = [b"one", b"two", b"three"]
    first = server.pushed(lines, key="k1")
    t.equal(first["replayed"], False, "the first time")
    again = server.pushed(lines, key="k1")
    t.equal(again, first | {"replayed": True}, "the second time")
    packed = post(server, gzip.compress(b"one\ntwo\nthree"), Idempotency_Key="k1", Content_Encoding="gzip")
    t.equal(packed.json, first | {"replayed": True}, "the same lines in another form")
    is_problem(t, server.push([b"other"], key="k1"), 422, "key_conflict", "another body under the key")
    t.equal(server.pushed(lines, key="k" * 128)["replayed"], False, "another key, as long as may be")
    pushes = [background(lambda: server.pushed(lines, key="both")) for _ in range(8)]
    answers = [one.result() for one in pushes]
    t.equal(sorted(answer["replayed"] for answer in answers), [False] + [True] * 7, "eight at once: one appends")
    t.equal(len({answer["first"] for answer in answers}), 1, "one place for all")
    for end in (t.stop, lambda process: process.kill()):
        end(server.process)
        server = served.serve(t)
        after = server.pushed(lines, key="k1")
        t.equal((after["replayed"], served.number(after["first"]), after["records"]), (True, served.number(first["first"]), 3), "the key after a restart")
        is_problem(t, server.push([b"other"], key="k1"), 422, "key_conflict", "another body after a restart")
    server.request("POST", server.path("/seal"))
    t.equal(server.pushed(lines, key="k1")["replayed"], True, "the key after its segment was sealed")
    t.same_lines(lines * 3, all_lines(server), "all that was appended")


@test("the server killed at random between a push and its answer, the client retrying under the same key: every record is there once, in order")
def killed(t):
    kills = 100 if t.sizes.name == "full" else 10
    # One address, so that the client finds the next process.
    server = served.serve(t)
    listen = f"127.0.0.1:{server.port}"
    state = {"ends": False}
    expected, replays, retries = [], [], []

    def client():
        number = 0
        while not state["ends"]:
            lines = [b"batch %d line %d " % (number, i) + b"x" * t.random.randrange(200) for i in range(t.random.choice((1, 10, 2000)))]
            while True:
                try:
                    answer = server.push(lines, key=f"batch-{number}", timeout=30)
                except (OSError, http.client.HTTPException):
                    retries.append(number)
                    time.sleep(0.005)
                    continue
                # While it starts it says so.
                if answer.status == 503:
                    continue
                if answer.status != 200:
                    raise Failure(f"a push was answered with {answer}")
                break
            replays.append(answer.json["replayed"])
            expected.extend(lines)
            number += 1

    pushing = background(client)
    for _ in range(kills):
        taken = len(replays)
        t.until("pushes to be taken", lambda: len(replays) > taken)
        # At random within a push: that is what is tested.
        time.sleep(t.random.random() * 0.05)
        server.process.kill()
        server.process = t.start_sluice("serve", "q", "--listen", listen)
    state["ends"] = True
    pushing.result()
    t.same_lines(expected, all_lines(server), f"after {kills} kills")
    t.stop(server.process)
    t.sluice("queue", "verify", "q")
    t.true(retries, "a kill met a push, or this test shows nothing")
    t.note(f"{kills} kills, {len(replays)} pushes of {len(expected)} records, {len(retries)} retries, {sum(replays)} of them found their records there")


@test("pushes into a full queue are refused with 429 until there is room, and none of a refused one is there")
def full(t):
    server = served.serve(t, "--max-size", "8MiB", "--keep", "0s")
    server.make_consumer("slow")
    lines = corpus.hard_lines(t, 20 * MIB)
    batches = [lines[first:first + 1000] for first in range(0, len(lines), 1000)]
    sent, refused = [], []

    def fill():
        for number, batch in enumerate(batches):
            while (answer := server.push(batch, key=f"batch-{number}", timeout=300)).status == 429:
                t.equal((answer.code, answer.headers["Retry-After"].isdigit()), ("queue_full", True), "a refusal")
                refused.append(number)
                time.sleep(0.02)
            t.equal(answer.status, 200, f"{answer}")
            sent.append(number)

    filling = background(fill)
    t.until("the queue to be full", lambda: server.facts()["is_full"], alive=server.process)
    for key in (None, "other"):
        is_problem(t, server.push([b"never"], key=key), 429, "queue_full", "a push into a full queue")
    found = []

    def drained():
        found.extend(server.drain("slow", max_bytes="4MiB"))
        return len(found) == len(lines)

    t.until("all to come out", drained, alive=[server.process], seconds=100)
    filling.result()
    t.same_lines(lines, found, "what came out")
    t.note(f"{len(batches)} batches through 8 MiB, {len(refused)} refusals")
