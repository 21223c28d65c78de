"""Leases: several workers share one consumer."""

import os
import random
import signal
import socket
import sys
import time

from harness import background, test
import served
from served import number


def lines(first, end):
    return [b"%d of the log" % n for n in range(first, end)]


def lease(server, consumer="load", timeout=60, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return server.request("POST", server.path(f"/consumers/{consumer}/leases") + (f"?{text}" if text else ""), timeout=timeout)


def tell(server, answer, word, consumer="load", query=""):
    return server.request("POST", server.path(f"/consumers/{consumer}/leases/{answer.headers['Sluice-Lease']}/{word}") + query)


def span(answer):
    return number(answer.first), number(answer.next)


@test("workers get records of their own, acknowledge them in any order, and the cursor passes what is whole")
def order(t):
    server = served.serve(t)
    made = server.make_consumer("load", mode="lease")
    t.equal((made["mode"], made["kind"], made["leases"]["max_deliveries"]), ("lease", "pull", 0), "what a new consumer tells")
    t.equal(lease(server).status, 204, "a lease of nothing")
    server.pushed(lines(0, 100))
    answers = [lease(server, max_records=10) for _ in range(4)]
    t.equal([span(one) for one in answers], [(0, 10), (10, 20), (20, 30), (30, 40)], "four workers' ranges")
    t.equal([one.lines for one in answers], [lines(n, n + 10) for n in (0, 10, 20, 30)], "their records")
    t.equal([one.headers["Sluice-Deliveries"] for one in answers], ["1"] * 4, "Sluice-Deliveries")
    t.equal([tell(server, answers[n], "acknowledge").status for n in (1, 3)], [200, 200], "acknowledgements out of order")
    found = server.consumer("load")
    t.equal((number(found["cursor"]), found["lag_records"], found["leases"]["acknowledged_ahead"], found["leases"]["on_loan"]), (0, 80, 2, 2), f"the consumer {found}")
    t.equal(server.metric("sluice_consumer_leases", consumer="load"), 2, "the metric of leases")
    done = tell(server, answers[0], "acknowledge")
    t.equal(number(done.json["cursor"]), 20, "the cursor in an acknowledgement's answer")
    t.equal(tell(server, answers[0], "acknowledge").status, 200, "the same acknowledgement once more")
    tell(server, answers[2], "release")
    again = lease(server, max_records=10)
    t.equal((span(again), again.headers["Sluice-Deliveries"]), ((20, 30), "2"), "what was released")
    gzip = server.request("POST", server.path("/consumers/load/leases?max_records=5"), headers={"Accept-Encoding": "gzip"})
    t.equal((gzip.headers["Content-Encoding"], gzip.lines), ("gzip", lines(40, 45)), "a lease in gzip")


@test("leases and cursors are not mixed, and bad requests are told what is wrong")
def modes(t):
    server = served.serve(t)
    server.make_consumer("load", mode="lease", max_deliveries=3)
    server.make_consumer("nightly")
    server.pushed(lines(0, 10))
    for what, answer, expected in (
        ("a pull", server.pull(consumer="load"), (409, "wrong_mode")),
        ("a commit", server.send_json("POST", server.path("/consumers/load/commit"), {"offset": "1-0"}), (409, "wrong_mode")),
        ("a lease of a cursor", lease(server, "nightly"), (409, "wrong_mode")),
        ("another mode", server.send_json("PUT", server.path("/consumers/nightly"), {"mode": "lease"}), (409, "wrong_mode")),
        ("the other mode", server.send_json("PUT", server.path("/consumers/load"), {"mode": "cursor"}), (409, "wrong_mode")),
        ("a mode that isn't", server.send_json("PUT", server.path("/consumers/x"), {"mode": "loan"}), (422, "unsupported_mode")),
        ("deliveries of a cursor", server.send_json("PUT", server.path("/consumers/x"), {"max_deliveries": 3}), (422, "unsupported_mode")),
        ("too many deliveries", server.send_json("PUT", server.path("/consumers/x"), {"mode": "lease", "max_deliveries": 1001}), (400, "bad_body")),
        ("nobody's", lease(server, "nobody"), (404, "unknown_consumer")),
        ("too short", lease(server, duration="10ms"), (400, "bad_parameter")),
        ("too long", lease(server, duration="13h"), (400, "bad_parameter")),
        ("no lease", server.request("POST", server.path("/consumers/load/leases/7-0-0-1-1/acknowledge")), (409, "lease_lost")),
        ("no lease at all", server.request("POST", server.path("/consumers/load/leases/abc/release")), (409, "lease_lost")),
    ):
        t.equal((answer.status, answer.code), expected, f"{what}: {answer}")
        t.true(answer.json["detail"], "a detail says what to do")
    changed = server.send_json("PUT", server.path("/consumers/load"), {"mode": "lease", "max_deliveries": 7})
    t.equal((changed.status, changed.json["leases"]["max_deliveries"]), (200, 7), "another number of deliveries")
    first = lease(server)
    server.send_json("POST", server.path("/consumers/load/seek"), {"to": "oldest"})
    t.equal(tell(server, first, "acknowledge").code, "lease_lost", "a lease from before a seek")
    t.equal(span(lease(server)), (0, 10), "after a seek everything is lent again")
    t.equal(server.request("DELETE", server.path("/consumers/load")).status, 204, "deleting it")


@test("a lease that runs out is lent again before new records, and whoever waits for one gets it")
def expiry(t):
    server = served.serve(t)
    server.make_consumer("load", mode="lease")
    server.pushed(lines(0, 20))
    first = lease(server, max_records=10, duration="1s")
    kept = lease(server, max_records=10, duration="1s")
    t.equal(tell(server, kept, "extend", query="?duration=1h").status, 200, "extending")
    began = time.monotonic()
    waiting = background(lambda: lease(server, wait="30s", max_records=10))
    server.until_waiting()
    again = waiting.result()
    t.equal((span(again), again.headers["Sluice-Deliveries"]), ((0, 10), "2"), "what a waiting worker gets when a lease ends")
    t.true(time.monotonic() - began < 25, "it is woken by that, not by its own time")
    t.equal(tell(server, first, "acknowledge").code, "lease_lost", "the first worker's late acknowledgement")
    t.equal(tell(server, again, "acknowledge").status, 200, "the second's")
    t.equal(tell(server, kept, "acknowledge").status, 200, "that of who extended")
    t.equal(number(server.consumer("load")["cursor"]), 20, "the cursor")
    # One that waits is woken by a release, too, and by records.
    server.pushed(lines(20, 30))
    held = lease(server, max_records=10, duration="1h")
    waiting = background(lambda: lease(server, wait="50s"))
    server.until_waiting()
    tell(server, held, "release")
    t.equal(span(waiting.result()), (20, 30), "what was released while somebody waited")
    waiting = background(lambda: lease(server, wait="50s"))
    server.until_waiting()
    server.pushed(lines(30, 31))
    t.equal(waiting.result().lines, lines(30, 31), "a record that comes while somebody waits")


@test("a worker that went away while it waited, or before it had read, holds nothing")
def gone(t):
    server = served.serve(t)
    server.make_consumer("load", mode="lease")
    with server.socket() as connection:
        connection.sendall(b"POST %s?wait=50s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n" % server.path("/consumers/load/leases").encode())
        server.until_waiting()
    server.until_waiting(0)
    server.pushed(lines(0, 10))
    first = lease(server)
    t.equal((span(first), first.headers["Sluice-Deliveries"]), ((0, 10), "1"), "records after a worker went away")
    tell(server, first, "acknowledge")
    # An answer that is larger than what the kernel takes, and never read.
    big = [b"%07d " % n + b"x" * 1000 for n in range(60000)]
    for start in range(0, len(big), 6000):
        server.pushed(big[start:start + 6000])
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((server.host, server.port))
    connection.sendall(b"POST %s?max_bytes=60MiB&duration=12h HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n" % server.path("/consumers/load/leases").encode())
    t.true(connection.recv(16).startswith(b"HTTP/1.1 200"), "an answer begins")
    t.equal(lease(server).status, 204, "all of it is on its way to somebody")
    connection.close()
    again = t.until("the records to come back", lambda: (answer := lease(server, max_records=100)).status == 200 and answer)
    t.equal((span(again), again.headers["Sluice-Deliveries"]), ((10, 110), "1"), "what a broken connection kept doesn't count as delivered")


@test("acknowledged ranges, leases and counts survive kill -9 of the server")
def restart(t):
    server = served.serve(t)
    server.make_consumer("load", mode="lease")
    server.pushed(lines(0, 50))
    answers = [lease(server, max_records=10, duration="1h") for _ in range(4)]
    tell(server, answers[2], "acknowledge")
    tell(server, answers[1], "release")
    server.process.kill()
    server = served.serve(t)
    found = server.consumer("load")["leases"]
    t.equal((found["on_loan"], found["waiting"], found["acknowledged_ahead"]), (2, 1, 1), f"the leases {found}")
    t.equal(tell(server, answers[3], "acknowledge").status, 200, "an acknowledgement of before")
    again = lease(server, max_records=10)
    t.equal((span(again), again.headers["Sluice-Deliveries"]), ((10, 20), "2"), "what came back before")
    t.equal(span(lease(server)), (40, 50), "what is new")
    t.equal([tell(server, one, "acknowledge").status for one in (again, answers[0])], [200, 200], "the rest")
    t.equal(number(server.consumer("load")["cursor"]), 40, "the cursor")


@test("a poison record becomes a dead letter after max_deliveries, its neighbours don't, and it can be put back")
def poison(t):
    server = served.serve(t)
    server.make_consumer("load", mode="lease", max_deliveries=3)
    server.pushed(lines(0, 20))
    deliveries, taken = {}, []
    while (answer := lease(server, max_records=10)).status == 200:
        for line in answer.lines:
            deliveries[line] = deliveries.get(line, 0) + 1
        bad = b"7 of the log" in answer.lines
        t.equal(tell(server, answer, "release" if bad else "acknowledge").status, 200, "a worker's word")
        taken += [] if bad else answer.lines
    t.same_lines(sorted(taken), sorted(line for line in lines(0, 20) if line != b"7 of the log"), "what was taken")
    # In ever smaller ranges: of 10, of 3, and twice by itself.
    t.equal((deliveries[b"7 of the log"], max(deliveries.values())), (4, 4), "deliveries")
    t.equal(number(server.consumer("load")["cursor"]), 20, "the cursor")
    letters = server.get(server.path("/dead-letters")).json
    t.equal((letters["records"], letters["sinks"]), (1, [{"sink": "load", "records": 1, "pending": 0}]), f"dead letters {letters}")
    text = t.sluice("queue", "cat", "--decode", "q.dead-letters")
    t.equal(text, "7 of the log\n", "the dead letter")
    server.pushed(lines(20, 21))
    back = server.send_json("POST", server.path("/dead-letters/put-back"), {"sink": "load"})
    t.equal((back.status, back.json["records"]), (202, 1), "putting it back")
    # Not taken this time either: it becomes a dead letter once more. Then it is.
    for _ in range(3):
        answer = lease(server)
        t.equal((answer.lines, answer.headers["Sluice-Dead-Letters"]), ([b"7 of the log"], "q.dead-letters"), "what was put back goes first")
        tell(server, answer, "release")
    answer = lease(server)
    t.equal(answer.lines, lines(20, 21), "then new records")
    tell(server, answer, "acknowledge")
    t.equal(server.get(server.path("/dead-letters")).json["records"], 1, "it is a dead letter again")
    waiting = background(lambda: lease(server, wait="50s"))
    server.until_waiting()
    server.send_json("POST", server.path("/dead-letters/put-back"), {"sink": "load"})
    t.equal(waiting.result(30).lines, [b"7 of the log"], "what is put back while a worker waits")
    server.process.kill()
    server = served.serve(t)
    answer = lease(server)
    t.equal(answer.lines, [b"7 of the log"], "what was put back, after a kill")
    t.equal([tell(server, answer, word).status for word in ("extend", "acknowledge", "acknowledge")], [200, 200, 200], "a worker's words")
    t.equal((lease(server).status, server.get(server.path("/dead-letters")).json["records"]), (204, 0), "nothing is left")


@test("sluice pull --lease: workers run a command; one that fails gives its records back, and poison becomes a dead letter")
def command(t):
    server = served.serve(t)
    server.pushed(lines(0, 3000))
    script = t.write("load.sh", """
lines=$(cat)
case "$lines" in *"1234 of the log"*) exit 3;; esac
printf '%s\\n' "$lines" >> taken.$SLUICE_WORKER
sleep 0.01
""")
    failed = t.start_sluice(
        "pull", "q", "--consumer", "load", "--create", "--max-deliveries", "4", "--lease", "5s", "--workers", "4", "--batch-records", "100", "--exec", f"sh {script}")
    t.equal(failed.wait(60), 1, f"a command that fails ends a pull that doesn't follow\n{failed.stderr_tail}")
    t.contains(failed.stderr, "were given back", "what it says")
    follow = t.start_sluice("pull", "q", "--consumer", "load", "--lease", "5s", "--workers", "4", "--batch-records", "100", "--follow", "--exec", f"sh {script}")
    t.until("all to be dealt with", lambda: number(server.consumer("load")["cursor"]) == 3000, alive=follow)
    follow.signal(signal.SIGTERM)
    t.equal(follow.wait(30), 0, f"the end of a pull that follows\n{follow.stderr_tail}")
    taken = b"".join(t.read(f"taken.{n}") for n in range(1, 5) if t.size(f"taken.{n}")).splitlines()
    t.same_lines(sorted(lines(0, 3000)), sorted(taken + [b"1234 of the log"]), "what the commands took, and the dead letter")
    t.equal(t.sluice("queue", "cat", "--decode", "q.dead-letters"), "1234 of the log\n", "the dead letter")
    for wrong in (["--lease", "5s"], ["--workers", "2"], ["--lease", "5s", "--commit", "--exec", "cat"], ["--lease", "1ms", "--exec", "cat"]):
        t.sluice("pull", "q", "--consumer", "load", *wrong, code=2)


@test("ten workers and their server, killed at random: every record acknowledged, given again only where a lease died or its answer was lost")
def kills(t):
    count, workers, faults = t.sizes.lease_records, 10, t.sizes.lease_faults
    server = served.serve(t)
    address = f"{server.host}:{server.port}"
    server.make_consumer("load", mode="lease")
    for start in range(0, count, 5000):
        server.pushed(lines(start, min(count, start + 5000)))
    logs = []

    def start():
        logs.append(t.path(f"worker-{len(logs)}.log"))
        return t.start(sys.executable, os.path.join(os.path.dirname(__file__), "worker.py"), server.url, "q", "load", logs[-1], "600")

    running = [start() for _ in range(workers)]
    choose = random.Random(t.seed)
    killed = {"worker": 0, "server": 0}
    for _ in range(faults):
        if number(server.consumer("load")["cursor"]) >= count:
            break
        time.sleep(choose.random() * 0.2)
        if choose.random() < 0.25:
            server.process.kill()
            killed["server"] += 1
            server = served.serve(t, listen=address)
        else:
            index = choose.randrange(workers)
            running[index].kill()
            killed["worker"] += 1
            running[index] = start()
    t.until("all to be acknowledged", lambda: number(server.consumer("load")["cursor"]) == count, seconds=120)
    for one in running:
        one.kill()
    given, asked, acknowledged = {}, set(), {}
    # One may have been killed before it began.
    for log in filter(os.path.exists, logs):
        for line in open(log, encoding="utf-8"):
            words = line.split()
            if words[0] == "given" and line.endswith("\n"):
                for one in words[3:]:
                    given.setdefault(int(one), []).append(words[1])
            elif words[0] == "asked":
                asked.add(words[1])
            elif words[0] == "acknowledged":
                acknowledged[words[1]] = log
    t.equal(sorted(given), list(range(count)), "records that were given")
    doubled = 0
    for record, leases in given.items():
        done = [one for one in leases if one in acknowledged]
        t.true(len(done) <= 1, f"record {record} was acknowledged once at most, by {leases}")
        # Nobody heard of its acknowledgement: then it was asked for, and the answer was lost.
        t.true(done or any(one in asked for one in leases), f"somebody dealt with record {record}")
        doubled += len(leases) - 1
    t.note(f"{count} records, {killed['worker']} workers and {killed['server']} servers killed: {doubled} given again, {len(acknowledged)} leases acknowledged")
    t.true(killed["worker"] >= 5 and killed["server"] >= 2, f"enough was killed, {killed}")
