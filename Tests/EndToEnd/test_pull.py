"""`sluice pull` and `sluice push` with a server: what a kill at any system call, a server that dies, and a held directory do to them."""

import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import threading

from endpoints import free_port
from harness import test


def serve(t, directory="data/app", port=0, *arguments):
    """A server of one queue; gives the process and its URL."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    process = t.start_sluice("serve", directory, "--create", "--listen", f"127.0.0.1:{port}", *arguments)
    t.until("the server to listen", lambda: process.stderr.count("queue is served") > 0, alive=process)
    return process, f"http://127.0.0.1:{port}", port


def append(port, lines, queue="app"):
    """Appends by a plain request, so that a pull's test doesn't rest on our push."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", f"/v1/queues/{queue}/records", b"".join(lines), {"Content-Type": "text/plain"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (answer.status, body)


def corpus(count, seed=0):
    return [f"{number} {'x' * ((number * 7919 + seed) % 300)}\n".encode() for number in range(count)]


def cursor(t, url, consumer, queue="app"):
    facts = json.loads(t.sluice("queue", "show", queue, "--server", url, "--output", "json"))
    return next(one["cursor"] for one in facts["consumers"] if one["name"] == consumer)


@test("a pull into a file that is killed at any of its system calls, and run again, gives each record once", seconds=600)
def killed_at_each_call(t):
    strace = t.program("strace")
    server, url, port = serve(t)
    lines = corpus(3000)
    append(port, lines)
    expected = b"".join(lines)
    kills = 0
    for call in ("fdatasync", "fsync", "renameat,renameat2,rename", "pwrite64", "flock", "openat", "unlinkat"):
        # Reading libraries and settings opens files, too: the first openings are not ours.
        number = 40 if call == "openat" else 1
        while True:
            name = f"{call.split(',')[0]}-{number}"
            arguments = (
                "pull", "app", "--server", url, "--consumer", name.lower(), "--create", "--commit", "--batch-bytes", "100KiB")
            os.mkdir(t.path(name))
            killed = t.start_sluice(
                *arguments, "--output", f"{name}/one.log",
                prefix=(strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"))
            code = killed.wait()
            # The same job again, or the next one, whose file has another name: together they have each record once.
            names = ["one.log"]
            if number % 2 == 0 and code != 0:
                names.append("two.log")
                t.sluice(*arguments, "--output", f"{name}/two.log")
            if not os.path.exists(t.path(name, "one.log")):
                t.sluice(*arguments, "--output", f"{name}/one.log")
            found = b"".join(t.read(f"{name}/{one}") for one in names if os.path.exists(t.path(name, one)))
            t.same_lines(expected.splitlines(True), found.splitlines(True), f"killed at {call} number {number}")
            t.equal(cursor(t, url, name.lower()), len(lines), f"the cursor after a kill at {call} number {number}")
            left = [one for one in os.listdir(t.path(name)) if "partial" in one]
            t.equal(left, [], f"what is left after a kill at {call} number {number}")
            if code == 0:
                break
            kills += 1
            number += 1
    t.true(kills >= 30, f"a kill at each of many system calls, not {kills}")
    t.note(f"{kills} kills")


@test("a pull that follows ends at SIGTERM also while its server isn't there")
def follow_without_server(t):
    follower = t.start_sluice("pull", "app", "--server", f"http://127.0.0.1:{free_port()}", "--follow")
    t.until("it to wait for its server", lambda: "trying again" in follower.stderr, alive=follower)
    follower.signal(signal.SIGTERM)
    t.equal(follower.wait(10), 0, "exit code of a pull that was stopped")


@test("a pull that follows rides over a server that is killed again and again: each record once", seconds=300)
def server_is_killed(t):
    server, url, port = serve(t)
    lines = corpus(6000)
    follower = t.start_sluice(
        "pull", "app", "--server", url, "--consumer", "loader", "--create", "--commit", "--follow", "--batch-bytes", "20KiB", "--exec",
        "cat >> out.log")
    for part in range(6):
        append(port, lines[part * 1000:(part + 1) * 1000])
        if part % 2 == 0:
            t.until("something of it to come", lambda: t.size("out.log") >= sum(map(len, lines[:part * 1000 + 1])), alive=follower)
        server.kill()
        server, url, port = serve(t, "data/app", port)
    t.until("everything to come", lambda: t.size("out.log") >= sum(map(len, lines)), alive=follower, seconds=120)
    t.same_lines(lines, t.read("out.log").splitlines(True), "what the command was given")
    follower.signal(signal.SIGTERM)
    t.equal(follower.wait(30), 0, "exit code of a pull that was stopped")
    t.equal(cursor(t, url, "loader"), len(lines), "the cursor after the stop")
    t.contains(follower.stderr, "trying again", "what it told")


@test("a command that fails commits nothing, and its batch comes again from the same offset")
def command_fails(t):
    server, url, port = serve(t)
    append(port, corpus(100))
    arguments = (
        "pull", "app", "--server", url, "--consumer", "loader", "--create", "--commit", "--batch-records", "40", "--exec",
        'echo "$SLUICE_FIRST_OFFSET $SLUICE_NEXT_OFFSET $SLUICE_RECORDS $SLUICE_QUEUE $SLUICE_CONSUMER" >> log; cat >> out; test ! -e fail')
    t.write("fail", "")
    t.sluice(*arguments, code=1)
    t.equal(cursor(t, url, "loader"), 0, "the cursor")
    os.unlink(t.path("fail"))
    t.sluice(*arguments)
    t.equal(
        t.read("log").decode().splitlines(),
        ["1-0 1-40 40 app loader"] * 2 + ["1-40 1-80 40 app loader", "1-80 1-100 20 app loader"], "what the command was told")
    t.equal(cursor(t, url, "loader"), 100, "the cursor")


@test("commands on a directory go through the process that holds it")
def held_directory(t):
    server, url, port = serve(t)
    append(port, corpus(10))
    t.sluice("queue", "consumers", "create", "data/app", "job", "--from", "4")
    t.equal(len(t.sluice("pull", "data/app", "--consumer", "job", "--commit").splitlines()), 6, "lines of a pull")
    t.sluice("queue", "seek", "data/app", "job", "8")
    t.sluice("pull", "data/app", "--consumer", "job", "--commit", "--output", "job.log.gz")
    t.equal(t.call("zcat", t.path("job.log.gz")), b"".join(corpus(10)[8:]), "what zcat reads")
    t.sluice("queue", "seal", "data/app")
    t.sluice("queue", "consumers", "delete", "data/app", "job")
    t.stop(server)
    # The same commands on the idle queue.
    t.sluice("queue", "consumers", "create", "data/app", "job", "--from", "4")
    t.equal(len(t.sluice("pull", "data/app", "--consumer", "job", "--commit").splitlines()), 6, "lines of a pull")


@test("a push goes on over a server that is killed again and again: each line once", seconds=300)
def push_survives(t):
    server, url, port = serve(t)
    lines = corpus(20000)
    # A pipe with both ends here: what is written goes on while the server comes and goes.
    push = subprocess.Popen(
        [t.sluice_path, "push", "app", "--server", url, "--output", "json"], cwd=t.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    t.later(push.kill)

    def feed():
        for start in range(0, len(lines), 100):
            push.stdin.write(b"".join(lines[start:start + 100]))
            push.stdin.flush()
        push.stdin.close()

    def durable_end():
        return json.loads(t.sluice("queue", "show", "app", "--server", url, "--output", "json"))["durable_end"]

    t.until("the server to know of nothing", lambda: durable_end() == 0)
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    t.until("the first lines", lambda: durable_end() > 0)
    for _ in range(4):
        server.kill()
        server, url, port = serve(t, "data/app", port)
    output = push.stdout.read()
    t.equal(push.wait(120), 0, f"exit code of push: {push.stderr.read().decode()}")
    t.equal(json.loads(output)["records"], len(lines), "records of the receipt")
    found = t.sluice("queue", "cat", "app", "--server", url).encode().splitlines(True)
    t.same_lines(lines, found, "what is in the queue")


@test("a push whose answers are lost, before or after the lines were taken, gives each line once")
def push_answers_lost(t):
    taken, requests, lock = {}, [], threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Takes a body once for each key; every third answer is lost, and every fifth request before it is taken."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, facts, **headers):
            body = json.dumps(facts).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status == 200 else "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            key = self.headers["Idempotency-Key"]
            with lock:
                requests.append((key, body))
                number = len(requests)
                if number > 2 and number % 5 == 0:
                    self.close_connection = True
                    return
                if number % 7 == 0:
                    return self.answer(429, {"code": "queue_full", "detail": "the queue is full; come again"}, Retry_After="0")
                replayed = key in taken
                taken.setdefault(key, body)
                records = body.count(b"\n") + (not body.endswith(b"\n"))
            if number > 2 and number % 3 == 0:
                self.close_connection = True
                return
            self.answer(200, {"first": "1-0", "next": "1-0", "records": records, "bytes": len(body), "replayed": replayed})

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.later(server.shutdown)
    lines = [f"{number} {'y' * 2000}\n".encode() for number in range(12000)] + [b"z" * (9 << 20) + b"\n", b"the end, without a line feed"]
    t.write("in.log", b"".join(lines))
    with open(t.path("in.log"), "rb") as stdin:
        facts = json.loads(t.sluice(
            "push", "app", "--server", f"http://127.0.0.1:{server.server_port}", "--output", "json", stdin=stdin, seconds=120))
    t.true(len(requests) > len(taken), "some were sent again")
    t.true(all(len(body) <= 8 << 20 for body in taken.values()), "no body is longer than a server takes")
    # The long line is split where it is too long for one body; nothing else is.
    t.equal(facts["records"], len(lines) + 1, "records of the receipt")
    t.true(b"".join(taken.values()) == b"".join(lines), "what was taken, each key once, is what was pushed")
    t.true(all(body == taken[key] for key, body in requests if key in taken), "the same lines under the same key, always")
    t.note(f"{len(taken)} bodies in {len(requests)} requests")


@test("a server with tokens is used with the token's file, and the token is never shown")
def token(t):
    token = t.sluice("token", "job", "--scope", "read@app", "--append", "tokens")
    t.write("token", token)
    t.write("wrong", "A" * (len(token) - 1))
    server, url, port = serve(t, "data/app", 0, "--tokens", "tokens")
    # The process's own socket needs no token; a consumer is an operator's to make.
    t.sluice("queue", "consumers", "create", "data/app", "job")
    for options, code, word in (((), 1, "token"), (("--token-file", "wrong"), 1, "token"), (("--token-file", "token"), 0, "")):
        process = t.start_sluice("pull", "app", "--server", url, "--consumer", "job", "--commit", *options)
        t.equal(process.wait(), code, f"exit code with {options}\n{process.stderr_tail}")
        t.contains(process.stderr, word, f"what is told with {options}")
        t.true(token.strip() not in process.stderr + process.stdout, "the token is not shown")

    def put(name, wish=b""):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("PUT", f"/v1/queues/app/consumers/{name}", wish, {"Authorization": f"Bearer {token.strip()}"})
        return connection.getresponse().status

    t.equal((put("job"), put("other"), put("job", b'{"hold": "1MiB"}')), (200, 403, 403), "a consumer that is there, a new one, and another hold, with the scope read")


@test("https is believed only by the machine's authorities, or by the one that is given, and only for the certificate's own names")
def tls(t):
    t.write("ext", "subjectAltName=DNS:localhost\n")
    for command in (
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Test-CA -keyout ca.key -out ca.pem",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr",
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 2 -extfile ext -out server.pem"):
        t.call(t.program("openssl"), *command.split())

    server, url, port = serve(t, "data/app", 0, "--tls-certificate", "server.pem", "--tls-key", "server.key")
    for address, options, code, word in (
            (f"https://localhost:{port}", ("--ca", "ca.pem"), 0, ""), (f"https://localhost:{port}", (), 1, "not trusted"),
            (f"https://127.0.0.1:{port}", ("--ca", "ca.pem"), 1, "not one for '127.0.0.1'"),
            (f"https://localhost:{port}", ("--ca", "ext"), 2, "PEM")):
        process = t.start_sluice("queue", "list", "--server", address, *options)
        t.equal(process.wait(), code, f"exit code with {address} {options}\n{process.stderr_tail}")
        t.contains(process.stderr, word, f"what is told with {address} {options}")
