"""Pulling over HTTP: waiting, limits, commits, gaps, losses, consumers, segments, health."""

import base64
import glob
import gzip
import json
import re
import socket
import subprocess
import time

from corpus import hard_lines
from endpoints import free_port
from harness import background, test
import served
from served import number

KIB = 1 << 10
MIB = 1 << 20


def byte_count(lines):
    return sum(len(line) + 1 for line in lines)


def is_problem(t, answer, status, code, what):
    t.equal((answer.status, answer.code), (status, code), f"{what}: status and code of {answer}")
    t.true(answer.json["detail"], f"{what}: a detail says what to do")
    return answer.json


# Waiting


@test("a server with nothing to do does nothing, however many pulls and streams wait")
def idle(t):
    calls = t.path("calls")
    server = served.serve(t, prefix=(t.program("strace"), "-D", "-f", "-qq", "-o", calls))
    server.make_consumer("job")
    waiting = [background(lambda: server.pull(consumer="job", wait="50s")) for _ in range(50)]
    streams = [server.socket() for _ in range(50)]
    for stream in streams:
        t.later(stream.close)
        stream.sendall(f"GET {server.path('/stream', offset='newest', heartbeat='60s')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    server.until_waiting(100)

    def lines():
        with open(calls, "rb") as file:
            return file.read().count(b"\n")

    # Each connection has a timer from its beginning that is set once more, and threads end that were idle for some seconds.
    made = []
    while len(made) < 7:
        before = lines()
        time.sleep(5)
        made.append(lines() - before)
        # The dispatch library looks at its own threads each second, with five calls.
        if made[-1] < 100:
            break
    t.true(made[-1] < 100, f"an idle server soon makes hardly a system call in five seconds, found {made}")
    server.pushed([b"at last"])
    for one in waiting:
        t.equal(one.result().lines, [b"at last"], "what a waiting pull gets")
    for stream in streams:
        text = b""
        while b"at last" not in text:
            piece = stream.recv(1 << 16)
            t.true(piece, f"a stream goes on, found {text}")
            text += piece
    t.note(f"system calls in five seconds: {made}")


@test("a waiting pull is answered when a record is pushed, appended to a tailed file, or sent as a datagram")
def wait_is_ended(t):
    port = free_port(socket.SOCK_DGRAM)
    t.write("in.log", b"")
    t.pipeline(f"""
queue: {{ name: q, path: q }}
sources:
  app: {{ type: file, paths: [in.log] }}
  network: {{ type: syslog, listen: "udp://127.0.0.1:{port}", format: raw }}
""")
    server = served.run(t)
    server.make_consumer("job")
    t.until("the socket to be open", lambda: "syslog: listening" in server.process.stderr, alive=server.process)

    def push():
        server.pushed([b"pushed"])

    def append():
        with open(t.path("in.log"), "ab") as file:
            file.write(b"appended\n")

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"<14>1 - host app - - - sent", ("127.0.0.1", port))

    commit = None
    for act, expected in ((push, b"pushed"), (append, b"appended"), (send, b"<14>1 - host app - - - sent")):
        waiting = background(lambda: server.pull(consumer="job", wait="50s", commit=commit))
        server.until_waiting()
        began = time.monotonic()
        act()
        answer = waiting.result()
        t.equal((answer.status, answer.lines), (200, [expected]), f"the answer to who waited for what is {expected}")
        t.note(f"{expected.split()[-1].decode()}: answered {1000 * (time.monotonic() - began):.0f} ms later")
        commit = answer.next
    # The same with curl, and for who remembers his place himself.
    url = server.url + server.path("/records", offset=commit, wait="50s")
    curl = t.start(t.program("curl"), "-sS", "--fail", "--compressed", url, label="curl")
    server.until_waiting()
    push()
    t.equal(curl.wait(), 0, f"exit code of curl\n{curl.stderr_tail}")
    t.equal(curl.stdout, "pushed\n", "what curl prints")


@test("a pull with min_bytes waits for so many, and takes what there is when its time is over")
def min_bytes(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = [b"first", b"second", b"x" * 5000, b"behind"]
    waiting = background(lambda: server.pull(consumer="job", wait="50s", min_bytes=5000))
    server.until_waiting()
    for line in lines[:3]:
        server.pushed([line])
    t.equal(waiting.result().lines, lines[:3], "what came when there were 5000 bytes")
    answer = server.pull(consumer="job", wait="300ms", min_bytes="64KiB")
    t.equal((answer.status, answer.lines), (200, lines[:3]), "what there is when the time is over")
    answer = server.pull(consumer="job", min_bytes="64KiB")
    t.equal((answer.status, answer.lines), (200, lines[:3]), "what there is for who doesn't wait")
    # More than max_bytes is never there: what fits is enough.
    answer = server.pull(consumer="job", wait="50s", min_bytes="1MiB", max_bytes=20)
    t.equal((answer.status, answer.lines), (200, lines[:2]), "with max_bytes below min_bytes")
    answer = server.pull(consumer="job", commit=answer.next, wait="50s", min_bytes="1MiB", max_records=1, timeout=70)
    t.equal((answer.status, answer.lines), (200, lines[2:3]), "a batch of max_records is answered at once")
    t.equal(server.pull(consumer="job", commit=answer.next, wait="100ms").status, 204, "nothing within the time")
    t.equal(server.pull(consumer="job").status, 204, "nothing for who doesn't wait")


@test("a graceful stop answers who waits, and ends with 0")
def stop_answers(t):
    server = served.serve(t)
    server.make_consumer("job")
    server.pushed([b"one"])
    commit = server.pull(consumer="job").next
    empty = background(lambda: server.pull(consumer="job", commit=commit, wait="50s"))
    some = background(lambda: server.pull(offset="oldest", min_bytes="1MiB", wait="50s"))
    server.until_waiting(2)
    t.stop(server.process)
    t.equal(empty.result().status, 204, "the answer to who waited for the next record")
    t.equal(some.result().lines, [b"one"], "the answer to who waited for more")
    server = served.serve(t)
    t.equal(server.consumer("job")["lag_records"], 0, "the commit of the stopped process")


# Limits


@test("max_records and max_bytes are never exceeded but by one longer record, and every record comes once, plain and compressed")
def limits(t):
    server = served.serve(t)
    draw = t.random
    lines = [base64.b64encode(draw.randbytes(draw.choice((0, 3, 30, 300, 3000, 30_000))))[draw.randrange(4):] for _ in range(4000)]
    place = 0
    while place < len(lines):
        count = draw.choice((1, 5, 50, 500))
        server.pushed(lines[place:place + count])
        place += count
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        found, offset, batches = [], "oldest", 0
        while True:
            max_bytes = draw.choice((1, 50, 500, 50 * KIB, MIB, 4 * MIB))
            max_records = draw.choice((None, 1, 7, 1000))
            answer = server.pull(headers=headers, offset=offset, max_bytes=max_bytes, max_records=max_records)
            if answer.status == 204:
                break
            got = answer.lines
            t.equal(answer.status, 200, "status")
            t.equal(answer.headers.get("Content-Encoding"), "gzip" if headers else None, "encoding")
            t.true(byte_count(got) <= max_bytes or len(got) == 1, f"{byte_count(got)} bytes in {len(got)} records where {max_bytes} bytes were allowed")
            t.true(len(got) <= (max_records or 1 << 30), f"{len(got)} records where {max_records} were allowed")
            t.equal((number(answer.first), number(answer.next)), (len(found), len(found) + len(got)), "offsets")
            found += got
            t.equal(int(answer.headers["Sluice-Lag"]), len(lines) - len(found), "lag")
            t.equal(int(answer.headers["Sluice-Lag-Bytes"]), byte_count(lines[len(found):]), "lag in bytes")
            offset = answer.next
            batches += 1
        t.same_lines(lines, found, "all batches")
        t.note(f"{batches} batches")


@test("a batch is gzip for who accepts it, and only then")
def encodings(t):
    server = served.serve(t)
    server.pushed([b"one", b"two"])
    for accepted, expected in (
        (None, None), ("gzip", "gzip"), ("deflate, gzip;q=0.5", "gzip"), ("*", "gzip"), ("x-gzip", "gzip"), ("gzip;q=0", None), ("identity", None),
        ("br, *;q=0", None), ("GZIP", "gzip"), ("gzip;q=0.000, *", None), ("zstd", None),
    ):
        answer = server.pull(headers={"Accept-Encoding": accepted} if accepted else {"Accept-Encoding": ""}, offset="oldest")
        t.equal(answer.headers.get("Content-Encoding"), expected, f"Content-Encoding for Accept-Encoding: {accepted}")
        t.equal((answer.lines, answer.headers["Vary"]), ([b"one", b"two"], "Accept-Encoding"), f"lines and Vary for {accepted}")
        t.equal(answer.headers["Content-Type"], "text/plain; charset=utf-8", "Content-Type")


# Commits


@test("a commit moves the cursor within what was given, is itself fine again, and is refused elsewhere")
def commits(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = [b"line %d" % i for i in range(10)]
    server.pushed(lines)
    first = server.pull(consumer="job", max_records=4)
    t.equal(server.pull(consumer="job", max_records=4).lines, lines[:4], "what comes again without a commit")
    epoch = first.next.partition("-")[0]
    beyond = server.pull(consumer="job", commit=f"{epoch}-5", wait="50s")
    problem = is_problem(t, beyond, 409, "commit_out_of_range", "a commit of what wasn't given")
    t.equal((problem["cursor"], problem["delivered_end"]), (f"{epoch}-0", first.next), "cursor and delivered end that it tells")
    second = server.pull(consumer="job", commit=first.next, max_records=3)
    t.equal(second.lines, lines[4:7], "what comes behind the commit")
    t.equal(server.pull(consumer="job", commit=first.next, max_records=3).lines, lines[4:7], "what comes when the same commit is sent again")
    is_problem(t, server.pull(consumer="job", commit=f"{epoch}-3"), 409, "commit_out_of_range", "a commit before the cursor")
    t.equal(server.consumer("job")["cursor"], first.next, "the cursor after refusals")
    # Within a batch, by the operation of its own.
    answer = server.send_json("POST", server.path("/consumers/job/commit"), {"offset": f"{epoch}-6"})
    t.equal((answer.status, answer.json["cursor"], answer.json["lag_records"]), (200, f"{epoch}-6", 4), "a commit within what was given")
    answer = server.send_json("POST", server.path("/consumers/job/commit"), {"offset": f"{epoch}-8"})
    is_problem(t, answer, 409, "commit_out_of_range", "a commit of what wasn't given, by POST")
    rest = server.pull(consumer="job")
    t.equal(rest.lines, lines[6:], "the rest")
    # It is applied before the wait.
    waiting = background(lambda: server.pull(consumer="job", commit=rest.next, wait="50s"))
    server.until_waiting()
    t.equal(server.consumer("job")["cursor"], rest.next, "the cursor while the pull waits")
    server.process.kill()
    server = served.serve(t)
    t.equal(number(server.consumer("job")["cursor"]), 10, "the cursor after kill -9 of the process that waited")
    try:
        waiting.result()
    except OSError:
        pass  # its server was killed
    except Exception as error:
        t.true("Remote" in repr(error) or "Incomplete" in repr(error), f"a broken connection, found {error!r}")


@test("after a restart what was durable at its opening counts as given, and offsets of earlier epochs stay valid up to its end")
def commits_over_restarts(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = [b"line %d" % i for i in range(10)]
    server.pushed(lines)
    given = server.pull(consumer="job", max_records=6)
    t.stop(server.process)
    server = served.serve(t)
    server.process.kill()
    server = served.serve(t)
    epoch = server.facts()["epoch"]
    t.equal(server.consumer("job")["cursor"], f"{epoch}-0", "the cursor, with the new epoch")
    server.pushed([b"new"])
    # Given by an earlier process, under an earlier epoch.
    t.equal(server.pull(consumer="job", commit=given.next, max_records=2).lines, lines[6:8], "what comes behind a commit of before")
    is_problem(t, server.pull(consumer="job", commit=f"{epoch}-11"), 409, "commit_out_of_range", "a commit behind what was there at the opening")
    t.equal(server.pull(consumer="job", commit=f"{epoch}-10").lines, [b"new"], "what comes behind the durable end at the opening")
    # What an earlier epoch never had.
    problem = is_problem(t, server.pull(consumer="job", commit="1-11"), 410, "stale_epoch", "an offset that epoch 1 never made durable")
    t.equal(problem["oldest"], f"{epoch}-0", "the oldest that it tells")
    for place in (f"{epoch + 1}-0", "999999999-3"):
        is_problem(t, server.pull(offset=place), 410, "stale_epoch", "an offset of an epoch to come")


# Gaps and losses


@test("a damaged block is a gap at the head of a batch, exact, and the records around it come")
def gaps(t):
    server = served.serve(t)
    server.make_consumer("job")
    lines = hard_lines(t, 90 * KIB)
    server, parts = served.with_damaged_block(server, lines)
    one = server.pull(consumer="job", wait="50s", min_bytes="1MiB")
    t.equal((one.lines, one.headers["Sluice-Gap"]), (parts[0], None), "a batch ends before a gap, and is answered at once")
    two = server.pull(consumer="job", commit=one.next, wait="50s", min_bytes="1MiB")
    first, end = len(parts[0]), len(parts[0]) + len(parts[1])
    t.equal(two.headers["Sluice-Gap"], f"{first}-{end};corrupt_block;{len(parts[1])};{byte_count(parts[1])}", "the gap")
    t.equal((number(two.first), two.lines, number(two.next)), (first, parts[2], len(lines)), "first, lines and next of the batch with the gap")
    t.equal(server.pull(consumer="job", commit=two.next).status, 204, "what comes behind it")
    array = server.pull(offset=one.next, format="json_array")
    t.equal((array.headers["Sluice-Gap"], len(array.json)), (two.headers["Sluice-Gap"], len(parts[2])), "the same as a JSON array")
    t.equal(server.request("POST", server.path("/seal")).status, 200, "the answer to sealing")
    t.equal(server.pull(offset=one.next).headers["Sluice-Gap"], two.headers["Sluice-Gap"], "the gap in the sealed segment")


@test("a consumer whose hold is used up is told its exact losses with 410 until it commits past them, and gets all that is left")
def lost_data(t):
    server = served.serve(t, "--max-size", "8MiB", "--keep", "0s")
    server.make_consumer("slow", hold="1MiB")
    server.make_consumer("new", hold="1MiB")
    lines = hard_lines(t, 24 * MIB)
    for first in range(0, len(lines), 2000):
        server.pushed(lines[first:first + 2000])
    before = server.facts()
    t.true(number(before["start_offset"]) > 0, "the queue had to delete records")
    first = server.pull(consumer="slow", wait="50s")
    problem = is_problem(t, first, 410, "data_lost", "a pull of what is gone")
    lost = problem["lost_records"]
    t.equal((lost, problem["lost_bytes"]), (number(before["start_offset"]), byte_count(lines[:lost])), "what it says is lost")
    t.equal(problem["oldest"], before["start_offset"], "where it says that it goes on")
    t.true(problem["reason"], "a reason")
    again = is_problem(t, server.pull(consumer="slow"), 410, "data_lost", "the same pull again")
    t.equal(again, problem, "the losses that it tells again")
    t.equal(server.consumer("slow")["lost_records"], lost, "its losses, before it passed them")
    # One goes on in the next pull, the other by a commit of its own.
    answer = server.send_json("POST", server.path("/consumers/new/commit"), {"offset": problem["oldest"]})
    t.equal((answer.status, answer.json["lost_records"], answer.json["lost_bytes"]), (200, lost, problem["lost_bytes"]), "the commit past the losses")
    found = server.drain("new", max_bytes="4MiB")
    t.same_lines(lines[lost:], found, "what was left for one")
    after = server.pull(consumer="slow", commit=problem["oldest"], max_records=5)
    t.equal(after.lines, lines[lost:lost + 5], "what the other gets with its commit")
    facts = server.consumer("slow")
    t.equal((facts["lost_records"], facts["lost_bytes"]), (lost, problem["lost_bytes"]), "its losses")
    is_problem(t, server.pull(offset=f"{before['epoch']}-0"), 410, "offset_gone", "reading without a consumer from what is gone")
    t.equal(server.pull(offset="oldest", max_records=1).lines, lines[lost:lost + 1], "the oldest that is kept")
    t.note(f"{len(lines)} pushed, {lost} lost")


# Without a consumer


@test("without a consumer records are read by offset, time, oldest and newest, and nothing is remembered")
def stateless(t):
    server = served.serve(t)
    server.pushed([b"one", b"two"])
    # The time of an append stands in milliseconds and better: the next one is later by more than that.
    between = time.time() + 0.05
    t.until("the clock to go on", lambda: time.time() > between + 0.05)
    server.pushed([b"three"])
    epoch = server.facts()["epoch"]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(between)) + f".{int(between % 1 * 1000):03}Z"
    for offset, expected in (
        ("oldest", [b"one", b"two", b"three"]), (f"{epoch}-0", [b"one", b"two", b"three"]), (f"{epoch}-1", [b"two", b"three"]),
        (stamp, [b"three"]), ("2001-01-01T00:00:00Z", [b"one", b"two", b"three"]), ("2001-01-01T01:00:00+01:00", [b"one", b"two", b"three"]),
    ):
        for _ in range(2):
            t.equal(server.pull(offset=offset).lines, expected, f"from {offset} on")
    for offset in ("newest", f"{epoch}-3", "2100-01-01T00:00:00Z"):
        answer = server.pull(offset=offset)
        t.equal((answer.status, answer.next), (204, f"{epoch}-3"), f"from {offset} on")
    waiting = background(lambda: server.pull(offset="newest", wait="50s"))
    server.until_waiting()
    server.pushed([b"four"])
    t.equal(waiting.result().lines, [b"four"], "what a wait at the newest gets")
    t.equal(server.facts()["consumers"], [], "consumers")


@test("a JSON array has JSON records as they are, and all others as strings")
def json_array(t):
    server = served.serve(t)
    lines = [b'{"a": [1, 2.50]}', b"text \"quoted\" \\ \t", b"", b"17", b"null", b'"string"', "grüße".encode(), b"\xff\xfe", b"{broken", b"\x00\x1f", b"[1]", b"1 2"]
    server.pushed(lines)
    for headers in ({"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip"}):
        answer = server.pull(headers=headers, offset="oldest", format="json_array")
        body = served.whole_member(answer.body) if answer.headers.get("Content-Encoding") == "gzip" else answer.body
        t.equal(answer.headers["Content-Type"], "application/json", "Content-Type")
        t.equal(
            json.loads(body),
            [{"a": [1, 2.5]}, "text \"quoted\" \\ \t", "", 17, None, "string", "grüße", "\ufffd\ufffd", "{broken", "\x00\x1f", [1], "1 2"], "the array")
        t.true(b"2.50" in body, "numbers stay as they were written")
    t.equal(server.pull(offset="newest", format="json_array").status, 204, "nothing is no empty array")


# Mistakes


@test("an unknown consumer is 404 with the request that makes it, and that request makes it")
def unknown(t):
    server = served.serve(t)
    server.pushed([b"one"])
    problem = is_problem(t, server.pull(consumer="nightly"), 404, "unknown_consumer", "a pull by nobody")
    found = re.search(r"PUT (\S+?)NAME and (\{.*?\})", problem["detail"])
    t.true(found, f"the detail names the request, found {problem['detail']}")
    answer = server.request("PUT", found[1] + "nightly", body=found[2].encode(), headers={"Content-Type": "application/json"})
    t.equal(answer.status, 201, "the answer to that request")
    t.equal(server.pull(consumer="nightly").lines, [b"one"], "the pull after it")
    is_problem(t, server.get("/v1/queues/other/records?offset=oldest"), 404, "unknown_queue", "another queue")
    is_problem(t, server.get("/v1/nothing"), 404, "no_such_path", "another path")
    is_problem(t, server.request("PATCH", server.path("/records")), 405, "method_not_allowed", "another method")


@test("a parameter that is wrong is named, with what is allowed")
def bad_parameters(t):
    server = served.serve(t)
    server.make_consumer("job")
    for query, word in (
        ("", "consumer"), ("consumer=job&offset=oldest", "both"), ("offset=soon", "offset"), ("offset=1-", "offset"), ("offset=-1", "offset"),
        ("offset=1-99999999999999999999", "offset"), ("offset=oldest&commit=1-0", "commit"), ("consumer=job&commit=x", "commit"),
        ("offset=oldest&max_bytes=0", "max_bytes"), ("offset=oldest&max_bytes=65MiB", "max_bytes"), ("offset=oldest&max_bytes=-1", "max_bytes"),
        ("offset=oldest&max_records=0", "max_records"), ("offset=oldest&max_records=1e3", "max_records"), ("offset=oldest&min_bytes=x", "min_bytes"),
        ("offset=oldest&wait=56s", "wait"), ("offset=oldest&wait=20", "wait"), ("offset=oldest&wait=-1s", "wait"), ("offset=oldest&format=xml", "format"),
        ("offset=oldest&offset=oldest", "twice"), ("offset=oldest&max_byte=1", "max_byte"), ("offset=%zz", "%"), ("offset=1-7", "offset"),
    ):
        answer = server.get(f"/v1/queues/q/records?{query}")
        problem = is_problem(t, answer, 400, "bad_parameter", query)
        t.true(word in problem["detail"], f"{query}: the detail names '{word}', found {problem['detail']}")


# Consumers


@test("consumers are made, listed, shown, changed, moved and deleted")
def consumers(t):
    server = served.serve(t)
    server.pushed([b"line %d" % i for i in range(5)])
    epoch = server.facts()["epoch"]
    t.equal(server.request("PUT", server.path("/consumers/plain")).status, 201, "a consumer without a body")
    for name, start, cursor in (("old", "oldest", 0), ("new", "newest", 5), ("there", f"{epoch}-2", 2), ("then", "2001-01-01T00:00:00Z", 0)):
        made = server.make_consumer(name, start_at=start, mode="cursor", hold="1GiB")
        t.equal((made["name"], made["kind"], made["mode"], made["cursor"], made["hold"]), (name, "pull", "cursor", f"{epoch}-{cursor}", "1GiB"), f"consumer {name}")
        t.equal(made["lag_records"], 5 - cursor, f"lag of {name}")
    again = server.send_json("PUT", server.path("/consumers/old"), {"start_at": "newest", "hold": "7d"})
    t.equal((again.status, again.json["cursor"], again.json["hold"]), (200, f"{epoch}-0", "7d"), "a consumer that was there")
    for hold in ("all", "50%", "2GiB", "36h"):
        server.send_json("PUT", server.path("/consumers/old"), {"hold": hold})
        t.equal(server.consumer("old")["hold"], hold, "its hold")
    listed = server.get(server.path("/consumers")).json["consumers"]
    t.equal(sorted(one["name"] for one in listed), ["new", "old", "plain", "then", "there"], "the list")
    t.equal(sorted(one["name"] for one in server.facts()["consumers"]), ["new", "old", "plain", "then", "there"], "the queue's consumers")
    for to, cursor in (("newest", 5), (f"{epoch}-3", 3), ("oldest", 0)):
        answer = server.send_json("POST", server.path("/consumers/there/seek"), {"to": to})
        t.equal((answer.status, answer.json["cursor"]), (200, f"{epoch}-{cursor}"), f"seek to {to}")
    t.equal(len(server.drain("there")), 5, "records after the seek back")
    t.equal(server.request("DELETE", server.path("/consumers/there")).status, 204, "deletion")
    is_problem(t, server.get(server.path("/consumers/there")), 404, "unknown_consumer", "a deleted consumer")
    is_problem(t, server.request("DELETE", server.path("/consumers/there")), 404, "unknown_consumer", "a second deletion")
    t.true(not glob.glob(t.path("q/consumers/there*")), "the deleted consumer's file is gone")
    is_problem(t, server.send_json("PUT", server.path("/consumers/old"), {"mode": "loan"}), 422, "unsupported_mode", "a mode that is none")
    for name in ("UPPER", "-x", "a" * 65, "a.tmp", "%2e%2e", "a%2fb", "b%20c"):
        is_problem(t, server.send_json("PUT", server.path(f"/consumers/{name}"), {}), 422, "bad_name", f"the name {name}")
    for body in (b"{", b"[]", b'{"hold": 7}', b'{"holds": "7d"}', b'{"hold": "lots"}', b'{"start_at": "soon"}', b"\xff"):
        answer = server.request("PUT", server.path("/consumers/bad"), body=body, headers={"Content-Type": "application/json"})
        t.equal(answer.status, 400, f"status for {body}, {answer}")
        t.true(answer.code in ("bad_body", "bad_parameter"), f"its code, {answer}")
    is_problem(t, server.get(server.path("/consumers/bad")), 404, "unknown_consumer", "a consumer of a bad body")
    before = server.facts()["consumers"]
    t.stop(server.process)
    server = served.serve(t)
    after = server.facts()["consumers"]
    t.equal([(one["name"], one["hold"], number(one["cursor"])) for one in after], [(one["name"], one["hold"], number(one["cursor"])) for one in before], "after a restart")


@test("a sink's consumer is shown, and only its sink moves it")
def sinks(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline("""
queue: { name: q, path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    server = served.run(t)
    t.until("the sink to have all", lambda: t.size("out.log") == 8 and server.consumer("out")["lag_records"] == 0, alive=server.process)
    t.equal(server.consumer("out")["kind"], "sink", "its kind")
    epoch = server.facts()["epoch"]
    for answer in (
        server.pull(consumer="out"), server.send_json("POST", server.path("/consumers/out/commit"), {"offset": f"{epoch}-0"}),
        server.send_json("POST", server.path("/consumers/out/seek"), {"to": "oldest"}), server.request("DELETE", server.path("/consumers/out")),
        server.send_json("PUT", server.path("/consumers/out"), {"hold": "1GiB"}),
    ):
        is_problem(t, answer, 409, "wrong_mode", "a sink's consumer")


# Segments


@test("sealed segments are static files: ETag, ranges, HEAD, 304, 416, and a download that curl resumes")
def segments(t):
    server = served.serve(t)
    lines = hard_lines(t, 3 * MIB)
    server.pushed(lines[:len(lines) // 2])
    server.pushed(lines[len(lines) // 2:])
    sealed = server.request("POST", server.path("/seal"))
    t.equal(sealed.status, 200, f"the answer to sealing {sealed}")
    server.pushed([b"behind"])
    listed = [one for one in server.get(server.path("/segments")).json["segments"] if "url" in one]
    t.equal([(one["first_offset"], one["next_offset"]) for one in listed], [(0, len(lines))], "the sealed segments")
    url, size = listed[0]["url"], listed[0]["stored_bytes"]
    whole = server.get(url)
    on_disk = t.read(f"q/segments/{listed[0]['name']}")
    t.equal(len(whole.body), size, "its length")
    t.true(whole.body == on_disk and gzip.decompress(whole.body).split(b"\n")[:-1] == lines, "the file as it is on the disk, of these lines")
    tag = whole.headers["ETag"]
    t.equal(
        (whole.headers["Content-Type"], whole.headers["Accept-Ranges"], whole.headers["Cache-Control"], whole.headers.get("Content-Encoding")),
        ("application/gzip", "bytes", "public, max-age=31536000, immutable", None), "its headers")
    head = server.request("HEAD", url)
    t.equal((head.status, head.body, head.headers["ETag"], head.headers["Content-Length"]), (200, b"", tag, str(size)), "HEAD")
    for tags, status in ((tag, 304), (f'"other", {tag}', 304), ("*", 304), ('"other"', 200), (f"W/{tag}", 304)):
        answer = server.get(url, headers={"If-None-Match": tags})
        t.equal((answer.status, answer.headers["ETag"]), (status, tag), f"If-None-Match: {tags}")
    for text, expected in (
        ("bytes=0-99", (0, 100)), ("bytes=100-", (100, size)), ("bytes=-100", (size - 100, size)), (f"bytes={size - 1}-{size + 7}", (size - 1, size)),
        (f"bytes=-{size + 7}", (0, size)), ("BYTES=5-5", (5, 6)),
    ):
        answer = server.get(url, headers={"Range": text})
        first, end = expected
        t.equal((answer.status, answer.headers["Content-Range"]), (206, f"bytes {first}-{end - 1}/{size}"), f"Range: {text}")
        t.true(answer.body == on_disk[first:end], f"the bytes of {text}")
    for text in (f"bytes={size}-", "bytes=-0"):
        answer = server.get(url, headers={"Range": text})
        t.equal((answer.status, answer.headers["Content-Range"]), (416, f"bytes */{size}"), f"Range: {text}")
    for headers in ({"Range": "bytes=0-1,5-6"}, {"Range": "lines=0-1"}, {"Range": "bytes=9-3"}, {"Range": "bytes=0-9", "If-Range": '"other"'}):
        t.equal((server.get(url, headers=headers).status, len(server.get(url, headers=headers).body)), (200, size), f"{headers}")
    t.equal(server.get(url, headers={"Range": "bytes=0-9", "If-Range": tag}).status, 206, "If-Range with its tag")
    # A download that broke off goes on.
    t.write("part.gz", on_disk[:size // 3])
    t.call(t.program("curl"), "-sS", "--fail", "-C", "-", "-o", t.path("part.gz"), server.url + url)
    t.true(t.read("part.gz") == on_disk, "what curl resumed")
    for name in ("00000000000000000001.gz", f"{len(lines):020}.gz", "..%2f..%2fqueue.json", "queue.json", "%2e%2e"):
        answer = server.get(server.path(f"/segments/{name}"))
        t.equal(answer.status, 404, f"status for segment {name}, {answer}")


# Health and metrics


@test("readyz tells a full queue and its consumer, healthz goes on, and both are well again when there is room")
def health(t):
    server = served.serve(t, "--max-size", "8MiB", "--keep", "0s")
    server.make_consumer("slow")
    t.equal((server.get("/healthz").json["status"], server.get("/readyz").json["status"]), ("ok", "ok"), "health at the start")
    lines = hard_lines(t, 24 * MIB)
    taken = []

    def fill():
        for first in range(0, len(lines), 1000):
            server.pushed(lines[first:first + 1000], timeout=300)
            taken.append(1000)
            if served.number(server.consumer("slow")["cursor"]) > 0:
                return

    filling = background(fill)
    t.until("the queue to be full", lambda: server.facts()["is_full"], alive=server.process)
    answer = server.push([b"one more"])
    is_problem(t, answer, 429, "queue_full", "a push into a full queue")
    t.true(int(answer.headers["Retry-After"]) > 0, "when to ask again")
    t.equal((server.facts()["is_full"], server.facts()["full_because_of"]), (True, "slow"), "who holds it")
    ready = server.get("/readyz")
    bad = [check for check in ready.json["checks"] if not check["ok"]]
    t.equal((ready.status, ready.json["status"], [check["name"] for check in bad]), (503, "failing", ["queue.q"]), "what readyz says")
    t.true("slow" in bad[0]["detail"], f"because of whom, {bad}")
    t.equal(server.get("/healthz").status, 200, "healthz")
    t.equal(server.metric("sluice_queue_full", queue="q"), 1, "the metric")
    # The push that was on its way when the queue became full is taken as soon as there is room.
    found = server.drain("slow", max_bytes="4MiB")
    filling.result()
    t.until("room", lambda: server.get("/readyz").status == 200, alive=server.process)
    found += server.drain("slow", max_bytes="4MiB")
    t.same_lines(lines[:sum(taken)], found, "what was acknowledged")
    server.pushed([b"again"])
    t.equal(server.get("/readyz").status, 200, "readyz with room")


@test("metrics are what promtool and a strict parser take, and count what happened")
def metrics(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline("""
queue: { name: q, path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    server = served.run(t)
    server.make_consumer("job")
    server.pushed([b"three"])
    t.until("all to be there", lambda: server.facts()["records"] == 3 and server.consumer("out")["lag_records"] == 0, alive=server.process)
    server.pull(consumer="job")
    server.pull(consumer="nobody")
    answer = server.get("/metrics")
    t.equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "Content-Type")
    done = subprocess.run([t.program("promtool"), "check", "metrics"], input=answer.body, capture_output=True, timeout=60)
    t.equal((done.returncode, done.stdout + done.stderr), (0, b""), "what promtool finds")
    for name, labels, expected in (
        ("sluice_queue_records_total", {"queue": "q"}, 3), ("sluice_queue_bytes_total", {"queue": "q"}, 14), ("sluice_queue_full", {"queue": "q"}, 0),
        ("sluice_consumer_lag_records", {"queue": "q", "consumer": "job", "kind": "pull"}, 3),
        ("sluice_consumer_lag_records", {"queue": "q", "consumer": "out", "kind": "sink"}, 0),
        ("sluice_source_records_total", {"queue": "q", "source": "app"}, 2), ("sluice_sink_delivered_records_total", {"queue": "q", "sink": "out"}, 3),
        ("sluice_http_pushed_records_total", {"queue": "q"}, 1), ("sluice_http_delivered_records_total", {"queue": "q"}, 3),
        ("sluice_http_requests_total", {"operation": "pullRecords", "code": "200"}, 1), ("sluice_http_requests_total", {"operation": "pullRecords", "code": "404"}, 1),
    ):
        t.equal(server.metric(name, **labels), expected, f"{name} {labels}")
