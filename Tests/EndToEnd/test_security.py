"""What others may plant, name, send or read: files and directories of Sluice's own, links and pipes in their places, secrets, bombs, text that a terminal obeys."""

import base64
import glob
import gzip
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import threading
import urllib.parse
import zlib

from endpoints import Endpoint, free_port
from harness import Failure, test
from watched import Watched

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
MIB = 1 << 20
# C0 without the line feed, DEL, C1, and what can't be seen or turns the direction of text.
HAZARDS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
TEXT_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (trace|debug|info|notice|warning|error) ")
# A terminal's commands, lines that seem to be ours, and bytes that are no text.
EVIL = "\x1b[2J\x1b]0;owned\x07\nsluice: all is well\r\u202egol.\u2066\u200f\x9b31m\u2028"


def copy_pipeline(queue="{ path: q, max_size: 64MiB }", source="{ type: file, paths: [in.log] }", sink="{ type: file, path: out.log }"):
    return f"queue: {queue}\nsources: {{ app: {source} }}\nsinks: {{ out: {sink} }}\n"


def copy(t, **parts):
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(copy_pipeline(**parts))


def tree(t, *parts):
    """Everything below a directory, itself included."""
    found = [t.path(*parts)]
    for directory, directories, files in os.walk(t.path(*parts)):
        found += [os.path.join(directory, name) for name in directories + files]
    return found


def private(t, *names):
    """Each of `names`, and all below it, is its user's alone."""
    for path in [path for name in names for path in tree(t, name)]:
        mode = os.lstat(path).st_mode
        t.equal(oct(stat.S_IMODE(mode)), oct(0o700 if stat.S_ISDIR(mode) else 0o600), f"the mode of {os.path.relpath(path, t.directory)}")


def ended(t, *arguments, seconds=20, prefix=(), **options):
    """A command that must not hang; gives the process."""
    process = t.start_sluice(*arguments, prefix=prefix, **options)
    process.wait(seconds)
    t.true(process.popen.returncode >= 0, f"an exit code from {arguments}, not signal {-process.popen.returncode}\n{process.stderr_tail}")
    return process


def clean(t, text, what):
    """No byte of it can move a cursor, forge a line or hide."""
    found = HAZARDS.search(text)
    t.true(not found, f"nothing that a terminal obeys in {what}, found {found and found.group()!r} in {text[max(0, found.start() - 200):found.end() + 100] if found else ''!r}")


# Modes


@test("files are 0600 and directories 0700, whatever the caller's umask")
def modes(t):
    for mask in (0o000, 0o022, 0o777):
        with Rejecting() as endpoint:
            t.write("in.log", b"one\ntwo\n")
            t.pipeline(f"""
queue: {{ path: data/q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  plain: {{ type: file, path: out/%Y/%m/plain.log }}
  packed: {{ type: file, path: out/packed-%Y.log.gz }}
  post: {{ type: http, url: "{endpoint.url}", on_reject: dead_letter }}
""")
            t.run("--once", "--drain", umask=mask)
        t.sluice("pull", "data/q", "--output", "pulled.log", umask=mask)
        t.sluice("pull", "data/q", "--consumer", "job", "--create", "--commit", "--output", "pulled.log.gz", umask=mask)
        t.sluice("pull", "data/q", "--output", "pulled.log", "--replace", umask=mask)
        t.sluice("queue", "seal", "data/q", umask=mask)
        with open(t.write("more.log", b"three\n"), "rb") as more:
            t.sluice("push", "pushed/q", "--create", stdin=more, umask=mask)
        # Bytes behind the last block are set aside before they are cut off.
        with open(active(t, "pushed/q"), "ab") as segment:
            segment.write(b"torn" * 100)
        t.sluice("queue", "seal", "pushed/q", umask=mask)
        t.true(os.listdir(t.path("pushed/q/quarantine")), "a torn tail was set aside")
        t.true(os.path.isdir(t.path("data/q.dead-letters/segments")), "there are dead letters")
        private(t, "data", "out", "pushed", "pulled.log", "pulled.log.gz")
        t.call("rm", "-rf", "data", "out", "pushed", "pulled.log", "pulled.log.gz")


class Rejecting(Endpoint):
    def __init__(self, status=400):
        super().__init__(answer=lambda *_: status)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def active(t, queue="q"):
    return glob.glob(t.path(queue, "segments", "*.active"))[0]


# Names


BAD_NAMES = ["..", ".", "../x", "a/b", "/etc/passwd", "-x", "--x", "_x", ".x", "A", "ü", "a b", "a\nb", "a\x1b[2J", "a\u202eb", "x" * 65, "x" * 5000, "", "a.tmp", "a.files"]


@test("names with separators, dots, controls, other letters or of any length are refused, and nothing is made of them")
def names(t):
    copy(t)
    t.run("--once", "--drain")
    before = sorted(tree(t, "q"))
    for name in BAD_NAMES:
        process = ended(t, "pull", "q", f"--consumer={name}", "--create", "--commit")
        t.true(process.popen.returncode == 2, f"exit code 2 for the consumer {name[:80]!r}, found {process.popen.returncode}\n{process.stderr_tail}")
        clean(t, process.stderr, f"what is said of the consumer {name[:80]!r}")
        process = ended(t, "queue", "seek", "q", "--", name, "oldest")
        t.true(process.popen.returncode in (2, 64), f"exit code 2 of seek {name[:80]!r}, found {process.popen.returncode}\n{process.stderr_tail}")
        clean(t, process.stderr, f"what seek says of {name[:80]!r}")
    t.equal(sorted(tree(t, "q")), before, "the queue's files")
    for name in BAD_NAMES + ["a\0b"]:
        key = json.dumps(name)
        texts = [copy_pipeline().replace("out: {", f"{key}: {{"), copy_pipeline() + f"consumers: {{ {key}: {{}} }}\n"]
        if not name.endswith((".tmp", ".files")):
            texts += [copy_pipeline().replace("app: {", f"{key}: {{"), copy_pipeline(queue=f"{{ path: q2, name: {key}, max_size: 64MiB }}")]
        for text in texts:
            t.pipeline(text)
            for command in ("check", "run"):
                process = ended(t, command, "p.yaml")
                t.equal(process.popen.returncode, 2, f"exit code of {command} with {name[:80]!r} in {text!r}\n{process.stderr_tail}")
                t.true(process.stderr.startswith("p.yaml:"), f"the place, found {process.stderr[:200]!r}")
                clean(t, process.stderr, f"what {command} says of {name[:80]!r}")
    t.equal(sorted(name for name in os.listdir(t.directory) if not name.startswith("sluice-")), ["in.log", "out.log", "p.yaml", "q"], "the files")


# Links and pipes in the places of ours


VICTIM = b"precious\n" * 1000


def victims(t):
    t.write("victim/file", VICTIM)
    os.mkdir(t.path("victim/directory"))


def unharmed(t, what):
    t.equal(t.read("victim/file"), VICTIM, f"the other's file after {what}")
    t.equal(os.listdir(t.path("victim/directory")), [], f"the other's directory after {what}")
    t.equal(sorted(os.listdir(t.path("victim"))), ["directory", "file"], f"what is there after {what}")


def plant(t, kind, path):
    if kind == "link":
        os.symlink(t.path("victim/file"), path)
    elif kind == "dangling link":
        os.symlink(t.path("victim/new"), path)
    elif kind == "link to a directory":
        os.symlink(t.path("victim/directory"), path)
    elif kind == "hard link":
        os.link(t.path("victim/file"), path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            here = os.getcwd()
            os.chdir(os.path.dirname(path))  # A socket's path has at most 107 bytes.
            try:
                one.bind(os.path.basename(path))
            finally:
                os.chdir(here)
    elif kind == "directory":
        os.mkdir(path)
    else:
        raise Failure(kind)


KINDS = ("link", "dangling link", "link to a directory", "hard link", "pipe", "socket", "directory")


@test("what stands at an output's name is left alone: the output takes the next number")
def planted_output(t):
    victims(t)
    for suffix in (".log", ".log.gz"):
        for kind in KINDS:
            copy(t, sink=f"{{ type: file, path: out/app{suffix} }}")
            os.mkdir(t.path("out"))
            plant(t, kind, t.path("out/app" + suffix))
            run = t.run("--once", "--drain", seconds=20)
            t.contains(run.stderr, "a file is already there", f"a {kind}")
            t.equal(gzip_or_plain(t.read("out/app.0001" + suffix)), b"one\ntwo\n", f"the output beside a {kind}")
            unharmed(t, f"a {kind} at the output's name")
            t.call("rm", "-rf", "out", "q")


def gzip_or_plain(content):
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


@test("no link is followed in a directory of an output's template; the message names place and remedy, and it goes on when the link is gone", seconds=180)
def planted_directory(t):
    victims(t)
    for kind in ("link to a directory", "link", "dangling link", "pipe", "socket", "hard link"):
        copy(t, sink="{ type: file, path: out/%Y/app.log }")
        os.mkdir(t.path("out"))
        for year in range(2020, 2100):
            plant(t, kind, t.path(f"out/{year}"))
        run = t.start_run()
        t.until(f"the message about a {kind}", lambda: re.search(r"out/20\d\d", run.stderr), seconds=20, alive=run)
        if "link" in kind and kind != "hard link":
            t.contains(run.stderr, "a symbolic link stands there, and Sluice follows none", f"a {kind}")
        unharmed(t, f"a {kind} at a directory of the template")
        for year in range(2020, 2100):
            os.unlink(t.path(f"out/{year}"))
        t.until("the output", lambda: glob.glob(t.path("out/20*/app.log")) and os.stat(glob.glob(t.path("out/20*/app.log"))[0]).st_size == 8, seconds=90, alive=run)
        t.stop(run)
        unharmed(t, f"a {kind} that was removed")
        t.call("rm", "-rf", "out", "q")


@test("a link, pipe or socket in the place of any file of the queue is never followed, never hangs and is named with its remedy", seconds=400)
def planted_in_queue(t):
    victims(t)
    copy(t)
    t.run("--once", "--drain")
    t.sluice("queue", "seal", "q")
    t.write("in.log", b"one\ntwo\nthree\n")
    t.run("--once", "--drain")
    t.call("cp", "-a", "q", "sound")
    t.call("cp", "-a", "out.log", "sound.log")
    names = sorted(os.path.relpath(path, t.path("q")) for path in tree(t, "q"))[1:]
    segment = [name for name in names if name.endswith(".active")][0]
    names += ["queue.json.tmp", "consumers/out.tmp", "consumers/out.files.tmp", "consumers/other", segment.replace(".active", ".tmp"), "segments/99999999999999999999.gz"]
    told = 0
    for name in names:
        for kind in KINDS:
            isolated = f"a {kind} at {name}"
            path = t.path("q", name)
            if os.path.lexists(path):
                t.call("rm", "-rf", path)
            plant(t, kind, path)
            for arguments in (("queue", "show", "q"), ("queue", "show", "q", "--gaps", "--output", "json"), ("queue", "verify", "q"), ("queue", "list", "."), ("pull", "q", "--count", "1")):
                ended(t, *arguments)
                unharmed(t, f"{isolated}, {arguments}")
            with open(t.path("in.log"), "ab") as log:
                log.write(b"four\n")
            run = t.start_run("--once", "--drain=1s", label="planted")
            code = run.wait(20)
            unharmed(t, f"{isolated}, run")
            t.true(code in (0, 1, 3, 5), f"exit code 0, 1, 3 or 5 with {isolated}, found {code}\n{run.stderr_tail}")
            if code != 0:
                told += 1
                t.contains(run.stderr, "q/" + name.split("/")[0], f"the place of {isolated}")
                t.true("Illegal seek" not in run.stderr, f"words for {isolated}\n{run.stderr_tail}")
            for arguments in (("pull", "q", "--consumer", "job", "--create", "--commit", "--count", "1"), ("queue", "seal", "q"), ("queue", "trim", "q", "--before", "newest", "--force")):
                ended(t, *arguments)
                unharmed(t, f"{isolated}, {arguments}")
            t.call("rm", "-rf", "q", "out.log")
            t.call("cp", "-a", "sound", "q")
            t.call("cp", "-a", "sound.log", "out.log")
            t.write("in.log", b"one\ntwo\nthree\n")
    t.note(f"{len(names) * len(KINDS)} plants, {told} of them refused")
    t.run("--once", "--drain")
    t.same("in.log", "out.log")


@test("a queue below a link that the operator made is used; a link in the queue's own place inside is not")
def linked_queue(t):
    copy(t, queue="{ path: linked/q, max_size: 64MiB }")
    os.mkdir(t.path("real"))
    os.symlink(t.path("real"), t.path("linked"))
    t.run("--once", "--drain")
    t.same("in.log", "out.log")
    t.true(os.path.isdir(t.path("real/q/segments")), "the queue where the link leads")


@test("pull --output makes a new file of its own: no link, pipe or hard link at its name or its temporary name is written through")
def planted_pull(t):
    victims(t)
    copy(t)
    t.run("--once", "--drain")
    for kind in KINDS:
        plant(t, kind, t.path("p.log"))
        process = ended(t, "pull", "q", "--output", "p.log")
        t.equal(process.popen.returncode, 2, f"exit code with a {kind} there\n{process.stderr_tail}")
        process = ended(t, "pull", "q", "--output", "p.log", "--replace")
        unharmed(t, f"a {kind} at pull's output")
        if kind == "hard link":
            t.equal((process.popen.returncode, t.read("p.log")), (0, b"one\ntwo\n"), "a regular file is replaced")
        else:
            t.equal(process.popen.returncode, 2, f"exit code of --replace with a {kind} there\n{process.stderr_tail}")
            t.contains(process.stderr, "no regular file", f"a {kind}")
        t.call("rm", "-rf", "p.log")
        plant(t, kind, t.path("p.log.partial"))
        process = ended(t, "pull", "q", "--output", "p.log")
        unharmed(t, f"a {kind} at pull's temporary name")
        if kind == "directory":
            t.equal(process.popen.returncode, 1, "exit code with a directory at the temporary name")
            t.contains(process.stderr, "p.log.partial", "the place")
        else:
            t.equal((process.popen.returncode, t.read("p.log")), (0, b"one\ntwo\n"), f"the output beside a {kind}\n{process.stderr_tail}")
            private(t, "p.log")
        t.call("rm", "-rf", "p.log", "p.log.partial")
    process = ended(t, "pull", "q", "--output", "/dev/null", "--replace")
    t.equal((process.popen.returncode, stat.S_ISCHR(os.stat("/dev/null").st_mode)), (2, True), f"a device is not replaced\n{process.stderr_tail}")


@test("named pipes where a pipeline names files are refused at once: pipeline file, substituted file, certificate authority")
def pipes_as_files(t):
    os.mkfifo(t.path("fifo"))
    process = ended(t, "run", "fifo")
    t.equal(process.popen.returncode, 2, "exit code of a pipe as pipeline file")
    copy(t, sink='{ type: http, url: "https://127.0.0.1:1/", headers: { A: "${file:fifo}" } }')
    process = ended(t, "run", "p.yaml")
    t.equal(process.popen.returncode, 2, "exit code of a pipe as secret")
    t.contains(process.stderr, "no regular file", "why")
    copy(t, sink='{ type: http, url: "https://127.0.0.1:1/", tls: { ca: fifo } }')
    run = t.start_run()
    t.until("the message", lambda: "tls.ca" in run.stderr, seconds=15, alive=run)
    t.stop(run)


# What is tailed


@test("tailed names that are links are followed, pipes, sockets, devices and loops are told and skipped, and nothing hangs")
def planted_logs(t):
    os.mkdir(t.path("logs"))
    t.write("elsewhere/real.log", b"linked\n")
    os.symlink(t.path("elsewhere/real.log"), t.path("logs/a-link.log"))
    os.mkfifo(t.path("logs/b-pipe.log"))
    os.symlink(t.path("logs/b-pipe.log"), t.path("logs/c-link-to-pipe.log"))
    os.symlink("/dev/zero", t.path("logs/d-device.log"))
    os.symlink(t.path("logs/e-loop.log"), t.path("logs/e-loop.log"))
    os.symlink(t.path("nothing"), t.path("logs/f-dangling.log"))
    plant(t, "socket", t.path("logs/g-socket.log"))
    os.mkdir(t.path("logs/h-directory.log"))
    t.write("logs/i-plain.log", b"plain\n")
    os.mkfifo(t.path("logs/j-pipe.log.gz"))
    copy(t, source='{ type: file, paths: ["logs/*"], rescan: 100ms }')
    t.run("--once", "--drain", seconds=20)
    t.equal(t.read("out.log"), b"linked\nplain\n", "what came out")
    # Of many such warnings the first five are told, then the last with the number of those between.
    for told in ((("b-pipe", "a named pipe"), ("c-link-to-pipe", "a named pipe"), ("d-device", "a device"), ("e-loop", "leads back to itself")),
                 (("f-dangling", "to nothing"), ("g-socket", "a socket"), ("h-directory", "a directory"), ("j-pipe", "a named pipe"))):
        names = ", ".join(f'"logs/{name}*"' for name, _ in told)
        t.pipeline(copy_pipeline(queue="{ path: other, max_size: 64MiB }", source=f"{{ type: file, paths: [{names}], rescan: 100ms }}", sink="{ type: file, path: other.log }"))
        run = t.start_run()
        for name, word in told:
            t.until(f"the word about {name}", lambda: re.search(f"logs/{name}[^\n]*{word}", run.stderr), seconds=20, alive=run)
        t.stop(run)
    t.pipeline(copy_pipeline(source='{ type: file, paths: ["logs/a-*", "logs/i-*"], rescan: 100ms }'))
    run = t.started(t.start_run())
    # A file that becomes a pipe while it is followed, and a file again.
    for _ in range(3):
        os.rename(t.path("logs/i-plain.log"), t.path("i-plain.kept"))
        os.mkfifo(t.path("logs/i-plain.log"))
        t.until("the word about the pipe", lambda: re.search("logs/i-plain[^\n]*a named pipe", run.stderr), seconds=20, alive=run)
        os.unlink(t.path("logs/i-plain.log"))
        os.rename(t.path("i-plain.kept"), t.path("logs/i-plain.log"))
    with open(t.path("logs/i-plain.log"), "ab") as log:
        log.write(b"more\n")
    t.until("the line after it", lambda: t.read("out.log").endswith(b"more\n"), seconds=30, alive=run)
    t.stop(run)
    t.equal(t.read("out.log"), b"linked\nplain\nmore\n", "what came out")


# Without privileges


@test("a user without privileges runs everything in directories of its own, and hears place and remedy for what is others'", seconds=180)
def unprivileged(t):
    t.program("setpriv")
    os.mkdir(t.path("home"))
    os.chown(t.path("home"), 65534, 65534)
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(copy_pipeline(queue="{ path: home/q, max_size: 64MiB }", sink="{ type: file, path: home/out/%Y/out.log }"))
    t.run("--once", "--drain", prefix=NOBODY)
    t.equal(b"".join(open(path, "rb").read() for path in glob.glob(t.path("home/out/*/out.log"))), b"one\ntwo\n", "the output")
    private(t, "home/q", "home/out")
    for path in tree(t, "home"):
        t.equal(os.lstat(path).st_uid, 65534, f"the owner of {path}")
    for arguments in (("queue", "show", "home/q"), ("queue", "verify", "home/q"), ("queue", "seal", "home/q"), ("pull", "home/q", "--output", "home/p.log"),
                      ("pull", "home/q", "--consumer", "job", "--create", "--commit"), ("queue", "trim", "home/q", "--before", "newest", "--force")):
        t.sluice(*arguments, prefix=NOBODY)

    # A queue of root's.
    t.pipeline(copy_pipeline())
    t.run("--once", "--drain")
    with open(t.path("in.log"), "rb") as lines:
        for arguments in (("queue", "show", "q"), ("queue", "verify", "q"), ("queue", "seal", "q"), ("pull", "q"), ("push", "q"), ("run", "p.yaml", "--once"),
                          ("pull", "q", "--consumer", "job", "--create", "--commit"), ("queue", "cat", "q")):
            process = ended(t, *arguments, prefix=NOBODY, stdin=lines)
            refused(t, process, "q", arguments)
    process = ended(t, "queue", "list", ".", prefix=NOBODY)
    t.equal(process.popen.returncode, 0, f"exit code of list\n{process.stderr_tail}")
    # One whose directories are open, whose files are not.
    for path in tree(t, "q"):
        if os.path.isdir(path):
            os.chmod(path, 0o777)
    for arguments in (("queue", "show", "q"), ("run", "p.yaml", "--once"), ("queue", "seal", "q")):
        refused(t, ended(t, *arguments, prefix=NOBODY), "q/", arguments)
    # An output, a directory of the template and a pull's output in others' directories.
    os.mkdir(t.path("theirs"), 0o755)
    process = ended(t, "pull", "home/q", "--output", "theirs/p.log", prefix=NOBODY)
    refused(t, process, "theirs/p.log", "pull --output")
    t.pipeline(copy_pipeline(queue="{ path: home/q2, max_size: 64MiB }", sink="{ type: file, path: theirs/%Y/out.log }"))
    run = t.start_run(prefix=NOBODY)
    t.until("the message", lambda: "check the owner and mode" in run.stderr, seconds=20, alive=run)
    t.contains(run.stderr, "theirs", "the place")
    t.stop(run)


def refused(t, process, place, what):
    t.equal(process.popen.returncode, 1, f"exit code of {what}\n{process.stderr_tail}")
    t.contains(process.stderr, place, f"the place in what {what} says")
    t.contains(process.stderr, "Permission denied", f"the reason in what {what} says")
    t.contains(process.stderr, "check the owner and mode", f"the remedy in what {what} says")


# Secrets


SECRETS = {
    "literal": "L1teral/Secret+In=Header", "environment": 'Env"ironment\\Secret/77', "file": "F1le-Secret/abc+def==", "password": "pa%73s/word".replace("/", "%2F"),
    "query": "Sig%2Fnature/42+x", "path": "T0KEN-of-the-path",
}


def forms(secret):
    """Ways in which a text may turn up: as it is, decoded, encoded, in JSON, in base64 with its user."""
    plain = urllib.parse.unquote(secret)
    found = {secret, plain, urllib.parse.quote(plain, safe=""), json.dumps(plain)[1:-1], json.dumps(plain)[1:-1].replace("/", "\\/"), json.dumps(secret)[1:-1].replace("/", "\\/")}
    found |= {base64.b64encode(f"{user}{plain}".encode()).decode().rstrip("=") for user in ("", "user:")}
    return found


def silent(t, text, what):
    for name, secret in SECRETS.items():
        for form in forms(secret):
            place = text.find(form)
            t.true(place < 0, f"the secret '{name}' is not in {what}; found {text[max(0, place - 300):place + 100]!r}")


class Gossip:
    """An endpoint that answers with what it was sent, headers and path, in several codings."""

    def __init__(self, status, location=False, body=None):
        self.requests = []
        gossip = self

        def serve(connection):
            with connection:
                stream = connection.makefile("rwb")
                while True:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        line = stream.readline()
                        if not line:
                            return
                        head += line
                    length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
                    stream.read(length)
                    text = head.decode("latin-1")
                    gossip.requests.append(text)
                    answer = body if body is not None else text.replace("\r\n", " ") + json.dumps(text) + json.dumps(text).replace("/", "\\/") + urllib.parse.quote(text, safe="")
                    words = f"HTTP/1.1 {gossip.status} {gossip.reason}\r\n"
                    if location:
                        words += "Location: https://user:" + SECRETS["password"] + "@elsewhere.example/" + SECRETS["path"] + "?sig=" + SECRETS["query"] + "\r\n"
                    payload = answer.encode("utf-8", "surrogateescape") if isinstance(answer, str) else answer
                    stream.write(words.encode("latin-1") + b"Content-Length: %d\r\n\r\n" % len(payload) + payload)
                    stream.flush()

        self.status = status
        self.reason = "Reason"
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

        def accept():
            while True:
                try:
                    connection, _ = self._socket.accept()
                except OSError:
                    return
                threading.Thread(target=lambda: guarded(serve, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    @property
    def url_base(self):
        return f"http://127.0.0.1:{self.port}/in"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


def guarded(serve, connection):
    try:
        serve(connection)
    except (OSError, AttributeError, ValueError):
        pass  # The client went away.


def secret_pipeline(t, port, scheme="http", more=""):
    t.write("token", SECRETS["file"] + "\n")
    t.write("path-token", SECRETS["path"])
    t.write("in.log", b"one\ntwo\n")
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  post:
    type: http
    url: "{scheme}://user:{SECRETS["password"]}@127.0.0.1:{port}/hook/${{file:path-token}}/in?key={SECRETS["query"]}"
    headers:
      X-Api-Key: "{SECRETS["literal"]}"
      X-From-Environment: "${{LOG_SECRET}}"
      X-From-File: "Bearer ${{file:token}}"
    retry: {{ initial: 50ms, max: 100ms, attempts: 3 }}
    {more}
""")
    return os.environ | {"LOG_SECRET": SECRETS["environment"]}


@test("secrets are in no log of any level and form, no error, no output of check, show or list, and no dead letter, whatever an endpoint answers", seconds=300)
def secrets(t):
    for status, location in ((500, False), (401, False), (400, False), (302, True), (413, False), (429, True)):
        with Gossip(status, location) as endpoint:
            environment = secret_pipeline(t, endpoint.port)
            for log_format in ("text", "json"):
                run = t.run("--once", "--drain=2s", "--log-level", "trace", "--log-format", log_format, env=environment, code=0 if status in (400, 413) or status == 500 or status == 429 else 3)
                t.true(endpoint.requests, "requests came")
                for name in ("literal", "environment", "file"):
                    t.contains(endpoint.requests[0], SECRETS[name], f"what the endpoint was sent ({name})")
                t.contains(endpoint.requests[0], "Basic ", "what the endpoint was sent")
                silent(t, run.stderr + run.stdout, f"the {log_format} log of an endpoint that answers {status}")
                for arguments in (("queue", "show", "q"), ("queue", "show", "q", "--output", "json"), ("queue", "list", "."), ("queue", "list", ".", "--output", "json"),
                                  ("queue", "show", "q.dead-letters"), ("queue", "cat", "q.dead-letters")):
                    process = ended(t, *arguments, env=environment)
                    silent(t, process.stdout + process.stderr, f"{arguments} after {status}")
                for path in tree(t, "q") + (tree(t, "q.dead-letters") if os.path.exists(t.path("q.dead-letters")) else []):
                    if os.path.isfile(path):
                        with open(path, "rb") as file:
                            silent(t, file.read().decode("latin-1"), f"the file {path}")
                t.call("rm", "-rf", "q", "q.dead-letters")


@test("secrets are in no message about a destination that refuses, hangs up, speaks no HTTP or no TLS")
def secrets_of_failures(t):
    def closing():
        server = socket.create_server(("127.0.0.1", 0))

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.recv(100)
                connection.sendall(b"SSH-2.0-what\r\n")
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        return server

    with closing() as server:
        for scheme, port in (("http", free_port()), ("http", server.getsockname()[1]), ("https", server.getsockname()[1])):
            environment = secret_pipeline(t, port, scheme)
            run = t.start_run("--once", "--drain=1s", "--log-level", "trace", env=environment)
            run.wait(30)
            t.contains(run.stderr, "127.0.0.1", "a message")
            silent(t, run.stderr + run.stdout, f"the log of {scheme} to {port}")
            t.call("rm", "-rf", "q", "q.dead-letters")


@test("check shows where secrets come from and not what they are, in text and in JSON, of good files and of wrong ones")
def secrets_of_check(t):
    environment = secret_pipeline(t, 1)
    for arguments in (("check", "p.yaml"), ("check", "p.yaml", "--output", "json")):
        text = t.sluice(*arguments, env=environment)
        silent(t, text, " ".join(arguments))
        for part in ("<from file:token>", "<from environment:LOG_SECRET>", "<redacted>", "<from file:path-token>"):
            t.contains(text, part, " ".join(arguments))
    good = t.read("p.yaml").decode()
    for wrong in (good.replace("http://", "ftp://"), good.replace("X-From-File: \"", "X-From-File: \"\\u0007"), good.replace("retry: {", "retry: { no: 1, "), good.replace("X-Api-Key", "Content-Length"),
                  good.replace("127.0.0.1:1/", "127.0.0.1:1x/"), good.replace("?key=", "#key="), good.replace("X-From-Environment: \"", "X-From-Environment: \"${NONE}")):
        t.true(wrong != good, "a mistake was made")
        t.pipeline(wrong)
        for command in ("check", "run"):
            process = ended(t, command, "p.yaml", env=environment)
            t.equal(process.popen.returncode, 2, f"exit code of {command}\n{process.stderr_tail}")
            silent(t, process.stdout + process.stderr, f"{command} of a wrong file")
    # A slash in the name of a file that holds the user doesn't uncover the password beside it.
    t.write("etc/user", b"user")
    t.pipeline(good.replace("//user:", "//${file:etc/user}:"))
    silent(t, t.sluice("check", "p.yaml", env=environment), "check with the user from a file")


# Bombs


def peak(run):
    return run.status("VmHWM") or 0


@test("a gzip bomb among the tailed files costs its lines, not memory, and the others are read", seconds=300)
def tailed_bomb(t):
    size = 256 * MIB
    os.mkdir(t.path("logs"))
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with open(t.path("logs/a-bomb.log.1.gz"), "wb") as bomb:
        for _ in range(size // MIB):
            bomb.write(packer.compress(bytes(MIB)))
        bomb.write(packer.flush())
    packed = t.size("logs/a-bomb.log.1.gz")
    t.write("logs/b-plain.log", b"plain\n")
    # Its lines have no end: each is cut at max_line.
    t.pipeline(copy_pipeline(queue="{ path: q, max_size: 256MiB }", source='{ type: file, paths: ["logs/*"], max_line: 1MiB }', sink="{ type: file, path: out.log.gz }"))
    run = t.start_run()
    highest = 0

    def passed():
        nonlocal highest
        highest = max(highest, peak(run))
        return t.size("out.log.gz") and b"plain" in run_zcat_tail(t)

    def run_zcat_tail(t):
        shown = t.show()
        consumer = [one for one in shown["consumers"] if one["name"] == "out"]
        return b"plain" if consumer and shown["total_records"] >= size // MIB + 1 and consumer[0]["lag_records"] == 0 else b""

    t.until("all of it", passed, seconds=240, alive=run)
    highest = max(highest, peak(run))
    t.stop(run)
    lines = t.call("sh", "-c", "zcat out.log.gz | wc -c; zcat out.log.gz | grep -ac plain").split()
    # A line feed after each piece but those that continue a line.
    t.true(int(lines[0]) >= size + 6 and lines[1] == b"1", f"all bytes and the other file's line, found {lines}")
    t.note(f"{packed} bytes on disk, {size // MIB} MiB of lines, at most {highest // MIB} MiB in memory")
    t.true(highest < 200 * MIB, f"less than 200 MiB in memory, found {highest // MIB}")


def block(queue_id, salt, base, lines_count, line_bytes, data, line_checksum, cumulative):
    """A block as the format page has it; `data` is deflate data that ends in a flush."""
    body = data + b"\x03\x00" + struct.pack("<II", line_checksum, line_bytes & 0xFFFFFFFF)
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", 136) + b"SL" + struct.pack("<H", 132)
    head += struct.pack("<BBHHH", 1, 0, 0, 0, 0) + queue_id + struct.pack("<I", salt)
    head += struct.pack("<IQQIIqqQII", 148 + len(body), base, lines_count, line_bytes, 1, 1, 1, 1, 1, zlib.crc32(body))
    head += struct.pack("<QQQQQ", *cumulative, base, 0)
    return head + struct.pack("<I", zlib.crc32(head)) + body


def deflated(chunk, count):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data, checksum = b"", 0
    for _ in range(count):
        data += packer.compress(chunk)
        checksum = zlib.crc32(chunk, checksum)
    return data + packer.flush(zlib.Z_FULL_FLUSH), checksum


@test("blocks that were planted in a segment inflate to what a block may hold and no further; what lies is told as damage, and its neighbours are served", seconds=300)
def planted_blocks(t):
    copy(t)
    t.run("--once", "--drain")
    content = open(active(t), "rb").read()
    places = [match.start() for match in re.finditer(re.escape(b"\x1f\x8b\x08\x04\0\0\0\0\0\xff"), content)]
    last = content[places[-1]:]
    queue_id, salt = last[24:40], struct.unpack("<I", last[40:44])[0]
    base, count = struct.unpack("<QQ", last[48:64])
    base += count
    records, byte_count, lost = struct.unpack("<QQQ", last[104:128])
    planted = b""

    def add(lines, line_bytes, data, checksum):
        nonlocal planted, base, records, byte_count
        planted += block(queue_id, salt, base, lines, line_bytes, data, checksum, (records, byte_count, lost))
        base, records, byte_count = base + lines, records + lines, byte_count + line_bytes

    # The largest that a block may be: one line of 72 MiB in some 70 KiB.
    whole, checksum = deflated(b"x" * MIB, 71)
    end, _ = deflated(b"\n", 1)
    checksum = zlib.crc32(b"\n", checksum)
    for _ in range(12):
        add(1, 71 * MIB + 1, whole + end, checksum)
    # One that claims a line and holds a thousand times as much, and one that claims as many records as bytes.
    add(1, MIB, whole + end, checksum)
    add(2000, 2000, deflated(b"x" * 1999 + b"\n", 1)[0], zlib.crc32(b"x" * 1999 + b"\n"))
    add(1, 6, deflated(b"sound\n", 1)[0], zlib.crc32(b"sound\n"))
    with open(active(t), "ab") as segment:
        segment.write(planted)
    t.note(f"{len(planted)} bytes planted")
    endpoint = Endpoint()
    t.later(endpoint.close)
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  out: {{ type: file, path: out.log }}
  packed: {{ type: file, path: packed.log.gz }}
  post: {{ type: http, url: "{endpoint.url}", format: json_array }}
""")
    with open(t.path("in.log"), "ab") as log:
        log.write(b"three\n")
    run = t.start_run()
    highest = 0

    def passed():
        nonlocal highest
        highest = max(highest, peak(run))
        return all(one["lag_records"] == 0 for one in t.show()["consumers"]) and tail(t, "out.log", 6) == b"three\n"

    t.until("all of it", passed, seconds=240, alive=run)
    highest = max(highest, peak(run))
    t.stop(run)
    t.note(f"at most {highest // MIB} MiB in memory")
    t.true(highest < 700 * MIB, f"less than 700 MiB in memory, found {highest // MIB}")
    t.contains(run.stderr, "its neighbours are served", "what is told")
    t.equal(tail(t, "out.log", 12), b"sound\nthree\n", "the last lines")
    verified = ended(t, "queue", "verify", "q", seconds=60)
    t.equal(verified.popen.returncode, 5, f"exit code of verify\n{verified.stdout}{verified.stderr_tail}")
    printed = ended(t, "queue", "cat", "q", seconds=60, stdout=subprocess.DEVNULL)
    t.equal(printed.popen.returncode, 5, f"exit code of cat\n{printed.stderr_tail}")
    t.contains(printed.stderr, "queue verify", "what cat says")
    t.equal(t.sluice("queue", "cat", "q", "--from", str(base - 1), "--count", "1"), "sound\n", "what is behind it")


def tail(t, name, count):
    with open(t.path(name), "rb") as file:
        file.seek(-min(count, t.size(name)), os.SEEK_END)
        return file.read()


# Text of others in our own words


def shown_well(t, run, log_format):
    """Every line of the log is one of ours, and no foreign text does anything in it."""
    with open(run.errors, "rb") as file:
        text = file.read().decode("utf-8")  # An error here is one of the log.
    clean(t, text, f"the {log_format} log")
    for line in text.splitlines():
        if log_format == "json":
            json.loads(line)
        else:
            t.true(TEXT_LINE.match(line), f"a log line, found {line!r}")
    return text


@test("file names, answers of endpoints and syslog messages do nothing to a log, be it text or JSON", seconds=180)
def foreign_text(t):
    os.mkdir(t.path("logs"))
    for number, name in enumerate([EVIL, "2026-09-01T12:00:00.000Z error   forged", "\x1b[2J\n"]):
        t.write(f"logs/{number}{name}.log", f"{number}\n".encode())
    broken = os.path.join(os.fsencode(t.path("logs")), b"3\xff\xfe\x80\x1b[2J.log")
    with open(broken, "wb") as file:
        file.write(b"3\n")
    os.mkfifo(t.path("logs", f"4{EVIL}.log"))
    os.mkfifo(os.path.join(os.fsencode(t.path("logs")), b"5\xff\x1b[2J\n.log"))
    port = free_port(socket.SOCK_DGRAM)
    for log_format in ("text", "json"):
        with Gossip(400, body=(EVIL + "\ud800").encode("utf-8", "surrogatepass") + b"\xff\xfe" + EVIL.encode() * 20) as endpoint:
            endpoint.reason = "\x1b[2J\x9b31mowned"
            t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources:
  app: {{ type: file, paths: ["logs/*"] }}
  net: {{ type: syslog, listen: "udp://127.0.0.1:{port}" }}
sinks:
  out: {{ type: file, path: "out.log" }}
  post: {{ type: http, url: "{endpoint.url_base}", retry: {{ initial: 50ms, max: 100ms }}, batch: {{ linger: 10ms }} }}
""")
            run = t.started(t.start_run("--log-level", "trace", "--log-format", log_format))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for message in (EVIL.encode(), b"<13>1 - \x1b[2J \xff - - - " + EVIL.encode(), b"<999999>\x1b[2J\xff", b"", b"\0" * 100):
                    sender.sendto(message, ("127.0.0.1", port))
            t.until("a message about the answer", lambda: "400" in run.stderr, seconds=30, alive=run)
            t.until("the files", lambda: t.size("out.log") > 100, seconds=30, alive=run)
            t.until("the word about the pipe", lambda: "a named pipe" in run.stderr, seconds=30, alive=run)
            t.stop(run)
            text = shown_well(t, run, log_format)
            t.contains(text, "following a file", "the log tells of the files")
        t.call("rm", "-rf", "q", "out.log", "q.dead-letters")


@test("values of a pipeline file and names on the command line do nothing to messages, tables and check's output")
def foreign_words(t):
    value = json.dumps(EVIL + "\u200d\ufeff")[1:-1].replace("\\u007f", "")
    for text in (copy_pipeline(queue=f'{{ path: "{value}" }}'), copy_pipeline(queue=f'{{ "{value}": 1 }}'), copy_pipeline(source=f'{{ type: "{value}" }}'),
                 copy_pipeline(sink=f'{{ type: http, url: "{value}" }}'), copy_pipeline(sink=f'{{ type: http, url: "http://h/", headers: {{ "{value}": "a" }} }}'),
                 copy_pipeline(sink=f'{{ type: http, url: "http://h/", headers: {{ a: "{value}" }} }}'), copy_pipeline(sink=f'{{ type: file, path: "%{value}" }}'),
                 copy_pipeline(sink=f'{{ type: file, path: "a/%\u200f" }}'), copy_pipeline(source=f'{{ type: file, paths: [a], format: json, multiline: {{ start: "({value}" }} }}'),
                 copy_pipeline(source=f'{{ type: syslog, listen: "{value}" }}'), copy_pipeline(sink=f'{{ type: stdout, pull: {{ timezone: "{value}" }} }}'),
                 copy_pipeline(queue=f'{{ name: "${{{value}}}" }}'), copy_pipeline(queue=f'{{ name: "${{file:{value}}}" }}'), "\x1b[2J: [", f'"{value}": 1\n'):
        t.pipeline(text)
        for arguments in (("check", "p.yaml"), ("check", "p.yaml", "--output", "json")):
            process = ended(t, *arguments)
            t.equal(process.popen.returncode, 2, f"exit code of {arguments} with {text!r}\n{process.stderr_tail}")
            clean(t, process.stderr + process.stdout, f"what {arguments} says of {text!r}")
            for line in process.stderr.splitlines():
                t.true(line.startswith("p.yaml:"), f"only lines with a place, found {line!r}")
    # Invisible characters that some scripts need in names are allowed, and written out.
    t.pipeline(copy_pipeline(source='{ type: file, paths: ["/logs/\u0645\u06cc\u200c\u062e/*.log"] }', queue='{ path: "q\u200d" }'))
    for arguments in (("check", "p.yaml"), ("check", "p.yaml", "--output", "json")):
        clean(t, t.sluice(*arguments), "check's output")
    json.loads(t.sluice("check", "p.yaml", "--output", "json"))

    os.rename(t.path("p.yaml"), t.path(f"p{EVIL}.yaml"))
    for arguments in (("check", f"p{EVIL}.yaml"), ("check", f"none{EVIL}.yaml"), ("run", f"none{EVIL}.yaml"), ("queue", "show", f"none{EVIL}"), ("queue", "verify", f"none{EVIL}"), ("pull", f"none{EVIL}"),
                      ("push", f"none{EVIL}"), ("queue", "list", f"none{EVIL}"), (f"--{EVIL}",), (EVIL,), ("pull", "q", "--max-bytes", EVIL), ("queue", "seek", "q", EVIL, EVIL)):
        process = ended(t, *arguments)
        clean(t, process.stderr + process.stdout, f"what {arguments} says")
        if arguments[0] in ("queue", "push", "pull") and "none" in arguments[-1]:
            t.true(not re.search(r"^sluice: all is well", process.stderr, re.M), f"no forged line in what {arguments} says:\n{process.stderr}")
    copy(t)
    t.run("--once", "--drain")
    os.mkdir(t.path("data"))
    for name in (os.fsencode(EVIL), b"bad\xff\x1b[2J"):
        subprocess.run([b"cp", b"-a", os.fsencode(t.path("q")), os.path.join(os.fsencode(t.path("data")), name)], check=True)
    for arguments in (("queue", "list", "data"), ("queue", "list", "data", "--output", "json"), ("queue", "show", f"data/{EVIL}"), ("queue", "show", f"data/{EVIL}", "--output", "json"),
                      ("queue", "verify", f"data/{EVIL}"), ("queue", "verify", f"data/{EVIL}", "--output", "json"), ("queue", "seal", f"data/{EVIL}"),
                      ("pull", f"data/{EVIL}", "--consumer", "none", "--commit"), ("queue", "seek", f"data/{EVIL}", "out", "99999")):
        process = ended(t, *arguments)
        clean(t, process.stderr + process.stdout, f"what {arguments} says")


@test("an endpoint's answer does nothing to the live status of a terminal")
def foreign_status(t):
    ours = re.compile(rb"\x1b\[(\?25[lh]|\d*A|J|K|[0-9;]*m)|\r|\n")
    for status in (400, 401, 500):
        with Gossip(status, body=EVIL.encode() * 5 + b"\xff\x1b[31m") as endpoint:
            endpoint.reason = "\x1b[2Jowned"
            copy(t, sink=f'{{ type: http, url: "{endpoint.url_base}", on_reject: wait, retry: {{ initial: 1s, max: 1s }} }}')
            seen = on_terminal(t, ["run", "p.yaml"], lambda seen: re.search(rb"again in|STANDS STILL", seen))
            rest = ours.sub(b"", seen).decode("utf-8")
            clean(t, rest, f"the terminal of an endpoint that answers {status}")
            t.call("rm", "-rf", "q")


def on_terminal(t, arguments, enough):
    watched = Watched(t, t.sluice_path, *arguments, columns=200, stdout=subprocess.DEVNULL)
    try:
        t.until(f"the status; seen so far: {watched.seen[-500:]}", lambda: enough(watched.seen), seconds=30)
    finally:
        watched.end(signal.SIGTERM)
    return watched.seen
