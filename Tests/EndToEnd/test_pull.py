"""`sluice pull` and `sluice push` with a server: what a kill at any system call, a server that dies, and a held directory do to them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading

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
