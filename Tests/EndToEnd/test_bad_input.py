"""What goes wrong before or beside the work: each time a message that names the place and the remedy, the documented exit code, and nothing damaged."""

import os
import re
import socket

import corpus
from endpoints import free_port
from harness import test

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def copy_pipeline(queue="{ path: q, max_size: 64MiB }", source="{ type: file, paths: [in.log] }", sink="{ type: file, path: out.log }"):
    return f"queue: {queue}\nsources: {{ app: {source} }}\nsinks: {{ out: {sink} }}\n"


def refused(t, code, *parts, prefix=(), arguments=("--once", "--drain"), file="p.yaml"):
    """The run ends with `code` and tells each of `parts` on standard error."""
    run = t.start_run(*arguments, file=file, prefix=prefix)
    t.equal(run.wait(20), code, f"exit code\n{run.stderr_tail}")
    for part in parts:
        t.contains(run.stderr, part, "standard error")
    t.equal(run.stdout, "", "standard output")
    return run


def good(t, text=None):
    """Nothing was damaged: a good run copies everything."""
    t.pipeline(text or copy_pipeline())
    t.run("--once", "--drain")
    t.same("in.log", "out.log")


def mistake(t, text, place, *parts):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(text)
    refused(t, 2, f"p.yaml:{place}: ", *parts)
    t.equal(sorted(name for name in os.listdir(t.directory) if not name.startswith("sluice-")), ["in.log", "p.yaml"], "nothing was opened")
    checked = t.start_sluice("check", "p.yaml")
    t.equal(checked.wait(), 2, "exit code of sluice check")
    t.contains(checked.stderr, f"p.yaml:{place}: ", "what check says")
    good(t)


@test("an unknown key is named with its place and the key that was meant")
def unknown_key(t):
    mistake(t, copy_pipeline(queue="{ path: q, max_sise: 64MiB }"), "1:19", "'max_sise'", "did you mean 'max_size'?")


@test("a wrong unit is named with its place and what is right")
def wrong_unit(t):
    mistake(t, copy_pipeline(queue="{ path: q, max_size: 64 parsecs }"), "1:29", "queue.max_size", "10GiB", "'64 parsecs'")


@test("a missing part is named with what to add")
def missing_part(t):
    mistake(t, copy_pipeline(source="{ paths: [in.log] }"), "2:12", "'type' is missing", "add type: file")


@test("a key that is given twice is named with both places")
def duplicate_key(t):
    mistake(t, copy_pipeline(queue="{ path: q, max_size: 64MiB, path: r }"), "1:36", "'path' is given twice", "first in line 1", "remove one")


@test("a pipeline without sources is refused")
def no_sources(t):
    t.write("in.log", b"one\n")
    t.pipeline("queue: { path: q, max_size: 64MiB }\nsinks: { out: { type: file, path: out.log } }\n")
    refused(t, 2, "p.yaml:", "sources")
    good(t)


@test("a file that is not YAML is refused with the place where it ends to be")
def not_yaml(t):
    mistake(t, '{"sources": [1,', "2:1", "not valid YAML")


@test("bytes that are no text, and an empty file, are refused")
def not_text(t):
    mistake(t, b"\x00\xff\x80bin", "1:2", "not UTF-8")
    os.unlink(t.path("out.log"))
    t.call("rm", "-r", "q")
    mistake(t, "", "1:1", "the file is empty", "'sources:'")


@test("a pipeline file that is missing, a directory or unreadable is refused")
def no_file(t):
    refused(t, 2, "none.yaml", "No such file", file="none.yaml")
    os.mkdir(t.path("dir.yaml"))
    refused(t, 2, "dir.yaml", "directory", file="dir.yaml")
    os.chmod(t.write("secret.yaml", copy_pipeline()), 0o600)
    t.program("setpriv")
    refused(t, 2, "secret.yaml", "Permission denied", file="secret.yaml", prefix=NOBODY)


@test("a log that can't be read is named with the remedy, and read as soon as it can be")
def unreadable_log(t):
    t.program("setpriv")
    os.chmod(t.directory, 0o777)
    os.mkdir(t.path("logs"), 0o755)
    path = t.write("logs/secret.log", b"one\ntwo\n")
    os.chmod(path, 0o600)
    t.write("logs/plain.log", b"plain\n")
    t.pipeline(copy_pipeline(source='{ type: file, paths: ["logs/*.log"], rescan: 1s }'))
    run = t.start_run(prefix=NOBODY)
    t.until("the message", lambda: "can't be read" in run.stderr, alive=run)
    t.contains(run.stderr, "logs/secret.log", "which file")
    t.contains(run.stderr, "give the user that runs Sluice read access", "the remedy")
    t.until("the other file", lambda: t.size("out.log") == 6, alive=run)
    os.chmod(path, 0o644)
    t.until("the file that can be read now", lambda: t.size("out.log") == 14, alive=run)
    run.signal(15)
    t.equal(run.wait(15), 0, "exit code")
    t.equal(t.read("out.log"), b"plain\none\ntwo\n", "what came out")


@test("a queue directory that can't be made is named with the remedy")
def unwritable_queue(t):
    t.program("setpriv")
    t.write("in.log", b"one\n")
    os.mkdir(t.path("private"), 0o700)
    t.pipeline(copy_pipeline(queue="{ path: private/q, max_size: 64MiB }"))
    refused(t, 1, "private/q", "Permission denied", "check the owner and mode", prefix=NOBODY)
    good(t)


@test("an output that can't be made is named with the remedy, and written as soon as it can be")
def unwritable_output(t):
    t.program("setpriv")
    t.write("in.log", b"one\n")
    os.mkdir(t.path("private"), 0o700)
    os.chmod(t.directory, 0o777)
    t.pipeline(copy_pipeline(sink="{ type: file, path: private/out.log }"))
    run = t.start_run(prefix=NOBODY)
    t.until("the message", lambda: "the sink can't be opened" in run.stderr, alive=run)
    t.contains(run.stderr, "private", "which directory")
    t.contains(run.stderr, "check the owner and mode", "the remedy")
    os.chmod(t.path("private"), 0o777)
    t.until("the output", lambda: t.size("private/out.log") == 4, seconds=90, alive=run)


def fill_disk(t):
    """Takes all the room there is; `free_disk` gives it back."""
    with open(t.path("small/filler"), "wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass


@test("a disk that is full when the queue is made is named, and the next run makes the queue", seconds=60)
def full_disk_at_start(t):
    t.small_disk( 8)
    fill_disk(t)
    t.write("in.log", b"one\ntwo\n")
    text = copy_pipeline(queue="{ path: small/q, max_size: 64MiB, min_free_disk: 0B }")
    t.pipeline(text)
    refused(t, 1, "small/q", "No space left on device", "free disk space")
    os.unlink(t.path("small/filler"))
    good(t, text)


@test("a disk that fills up under the output is named; it goes on by itself when there is room, and nothing is lost", seconds=120)
def full_output_disk(t):
    t.small_disk( 48)
    fill_disk(t)
    os.truncate(t.path("small/filler"), 40 << 20)
    corpus.write(t.path("in.log"), 24 << 20, t.seed)
    t.pipeline(copy_pipeline(sink="{ type: file, path: small/out.log }"))
    run = t.start_run()
    t.until("the message", lambda: "No space left on device; free disk space" in run.stderr, seconds=30, alive=run)
    t.contains(run.stderr, "small/out.log", "which file")
    os.unlink(t.path("small/filler"))
    t.until("the rest", lambda: t.size("small/out.log") == t.size("in.log"), seconds=60, alive=run)
    run.signal(15)
    t.equal(run.wait(15), 0, "exit code")
    t.same("in.log", "small/out.log")


@test("a port in use is named with the remedy, before anything is opened")
def port_in_use(t):
    port = free_port(socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        t.pipeline(copy_pipeline(source=f'{{ type: syslog, listen: "udp://127.0.0.1:{port}" }}'))
        refused(t, 1, f"127.0.0.1:{port}", "p.yaml", "another")
        t.true(not os.path.exists(t.path("q")), "no queue was made")
    run = t.started(t.start_run())
    t.stop(run)


@test("a queue of a newer format is refused by every command, and left as it was")
def newer_format(t):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(copy_pipeline())
    t.run("--once", "--drain")
    text = t.read("q/queue.json")
    t.write("q/queue.json", text.replace(b'"format": 1', b'"format": 2'))
    before = {name: os.stat(t.path("q", name)).st_mtime_ns for name in os.listdir(t.path("q"))}
    expected = re.compile(r"the queue \S*q has format 2, and this version of Sluice reads up to 1; use the newer version\. Nothing was changed\n?$")

    def refuses(*arguments, stdin=None):
        command = t.start_sluice(*arguments, **({"stdin": stdin} if stdin else {}))
        t.equal(command.wait(20), 1, f"exit code of {arguments}\n{command.stderr_tail}")
        t.true(expected.search(command.stderr), f"a clear sentence from {arguments}:\n{command.stderr}")

    refuses("run", "p.yaml", "--once", "--drain")
    for command in ("show", "cat", "verify", "seal"):
        refuses("queue", command, "q")
    refuses("pull", "q")
    refuses("push", "q")
    t.contains(t.sluice("queue", "list", "."), "has format 2", "what list says")
    t.equal({name: os.stat(t.path("q", name)).st_mtime_ns for name in os.listdir(t.path("q"))}, before, "the directory's files")
    t.write("q/queue.json", text)
    good(t)


@test("a directory of another program is refused as a queue, and left as it was")
def foreign_directory(t):
    t.write("in.log", b"one\n")
    t.write("foreign/data.db", b"precious")
    t.pipeline(copy_pipeline(queue="{ path: foreign, max_size: 64MiB }"))
    refused(t, 1, "foreign", "data.db", "a directory of its own")
    t.equal(os.listdir(t.path("foreign")), ["data.db"], "the directory's files")
    t.equal(t.read("foreign/data.db"), b"precious", "the file")
    good(t)


@test("a file where the queue's directory should be is refused, and left as it was")
def file_as_queue(t):
    t.write("in.log", b"one\n")
    t.write("foreign", b"precious")
    t.pipeline(copy_pipeline(queue="{ path: foreign, max_size: 64MiB }"))
    refused(t, 1, "foreign")
    t.equal(t.read("foreign"), b"precious", "the file")
    good(t)


@test("a queue that another process holds is refused with that process's number, and both go on")
def held(t):
    t.write("in.log", b"one\n")
    t.pipeline(copy_pipeline())
    first = t.start_run()
    t.until("the first run", lambda: t.size("out.log") == 4, alive=first)
    refused(t, 4, f"pid {first.pid}", "stop it first")
    with open(t.path("in.log"), "ab") as file:
        file.write(b"two\n")
    t.until("the first run to go on", lambda: t.size("out.log") == 8, alive=first)
    first.signal(15)
    t.equal(first.wait(15), 0, "exit code")
    good(t)


@test("kill -9 at every system call of a queue's creation leaves what the next run can use", seconds=300)
def kill_while_creating(t):
    strace = t.program("strace")
    t.write("in.log", b"one\ntwo\nthree\n")
    t.pipeline(copy_pipeline())
    kills = 0
    for call in ("mkdirat", "renameat", "fdatasync", "fsync", "pwrite64", "write", "unlinkat", "openat", "flock"):
        for number in range(1, 250):
            run = t.start_run("--once", "--drain", label="killed", prefix=(
                strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"))
            code = run.wait(30)
            if code == 0:
                break
            t.true(code in (-9, 137), f"a kill at {call} {number}, not exit code {code}\n{run.stderr_tail}")
            kills += 1
            again = t.start_run("--once", "--drain", label="again")
            t.equal(again.wait(30), 0, f"exit code after a kill at {call} {number}\n{again.stderr_tail}")
            t.same("in.log", "out.log")
            if number % 8 == 0:
                t.sluice("queue", "verify", "q")
            t.call("rm", "-rf", "q", "out.log")
        t.call("rm", "-rf", "q", "out.log")
    t.note(f"{kills} kills")
    t.true(kills > 40, f"more than 40 kills, found {kills}")
