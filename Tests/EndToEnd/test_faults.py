"""Disks that fail, clocks that jump, descriptors that run out, consumers that stand still: nothing is lost, and all goes on when it can."""

import os
import signal
import subprocess
import sys
import time

import corpus
from corpus import hard_lines
from endpoints import Endpoint, free_port
from harness import Failure, background, test

MIB = 1 << 20


class SmallDisk:
    """An ext4 file system of its own: unlike tmpfs it finds out late that it is full, has a journal, and turns read-only at an error."""

    def __init__(self, t, size, *options, mount="errors=remount-ro"):
        self.t = t
        self.image, self.root, self.mount = t.path("small.img"), t.path("small"), mount
        os.mkdir(self.root)
        with open(self.image, "wb") as file:
            file.truncate(size << 20)
        t.call(t.program("mkfs.ext4"), "-q", "-F", "-m", "0", *options, self.image)
        try:
            self.device = t.call(t.program("losetup"), "-f", "--show", self.image).decode().strip()
        except Failure as failure:
            raise Failure(f"this test needs root and a free loop device (/dev/loop*): {failure}") from None
        t.later(lambda: t.call("losetup", "-d", self.device))
        t.later(lambda: t.call("umount", "-l", self.root))
        self.attach()

    def attach(self):
        self.t.call(self.t.program("mount"), "-o", self.mount, self.device, self.root)

    def fail(self):
        """The file system finds an error, and turns read-only."""
        with open(f"/sys/fs/ext4/{os.path.basename(self.device)}/trigger_fs_error", "w") as file:
            file.write("by a test\n")

    def repair(self):
        """Unmount, check, mount: what an operator does."""
        self.t.call("umount", self.root)
        done = subprocess.run([self.t.program("fsck.ext4"), "-y", self.device], capture_output=True)
        self.t.true(done.returncode in (0, 1), f"fsck repairs the file system: {done.stdout.decode(errors='replace')}")
        self.attach()


def log_over(t, count, seconds):
    """A thread that writes numbered lines over some seconds."""
    lines = corpus.lines(count, t.seed)

    def write():
        with open(t.path("in.log"), "ab", buffering=0) as file:
            while piece := b"".join(line for _, line in zip(range(100), lines)):
                file.write(piece)
                time.sleep(seconds * 100 / count)

    return background(write)


def expected(t, count):
    return [line[:-1] for line in corpus.lines(count, t.seed)]


def turns_read_only(t, queue, output):
    disk = SmallDisk(t, 64)
    t.pipeline(f"""
queue: {{ path: {queue}, max_size: 16MiB, min_free_disk: 0B }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ out: {{ type: file, path: {output}.log, rotate: {{ size: 1MiB }} }} }}
""")
    count = 20_000
    writing = log_over(t, count, 2)
    run = t.start_run(label="first")
    t.until("some output", lambda: t.size(f"{output}.log") > 0, alive=run)
    disk.fail()
    t.until("the message", lambda: "ead-only" in run.stderr)
    writing.result()
    if run.is_running:
        run.signal(signal.SIGTERM)
    code = run.wait(15)
    t.true(code in (0, 1, 3), f"an exit code of its own, found {code}\n{run.stderr_tail}")
    # On a disk that is read-only from the start the message has the remedy.
    again = t.start_run("--once", "--drain", label="again")
    t.until("the message", lambda: "the file system is mounted read-only" in again.stderr or not again.is_running)
    t.contains(again.stderr, "read-only", "what the run says at its start")
    if again.is_running:
        again.signal(signal.SIGTERM)
    t.true(again.wait(15) in (1, 3), f"not done, found exit code {again.popen.returncode}\n{again.stderr_tail}")
    disk.repair()
    t.run("--once", "--drain")
    t.call("sh", "-c", f"cat {output}.log $(ls {output}.0*.log) > joined.log")
    t.same_lines(expected(t, count), t.read("joined.log").split(b"\n")[:-1], "what came out")
    t.sluice("queue", "verify", queue)
    t.note(f"the first run ended with {code}, one on the read-only disk with {again.popen.returncode}")


@test("a queue's disk that turns read-only is named; after its repair every line comes out once")
def read_only_queue(t):
    turns_read_only(t, "small/q", "out")


@test("an output's disk that turns read-only is named; after its repair every line comes out once")
def read_only_output(t):
    turns_read_only(t, "q", "small/out")


@test("a small disk with log, queue and output on it, filled and freed again and again, loses nothing and doubles nothing")
def fill_and_free(t):
    disk = SmallDisk(t, 48)
    t.pipeline("""
queue: { path: small/q, max_size: 8MiB, min_free_disk: 0B, linger: 5ms, retention: { keep: 0s } }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: small/out.log, rotate: { size: 1MiB } } }
""")
    count = 60_000
    writing = log_over(t, count, 5)
    run = t.start_run()
    fills = 0
    while writing.is_alive():
        t.until("more output", lambda: t.size("small/out.log") > 0, alive=run)
        with open(t.path("small/filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
        fills += 1
        time.sleep(t.random.uniform(0.1, 0.6))
        os.unlink(t.path("small/filler"))
        if t.random.random() < 0.4:
            run.kill()
            run = t.start_run()
        time.sleep(t.random.uniform(0, 0.3))
    writing.result()
    t.stop(run)
    t.run("--once", "--drain")
    t.call("sh", "-c", "cat small/out.log $(ls small/out.0*.log) > joined.log")
    t.same_lines(expected(t, count), t.read("joined.log").split(b"\n")[:-1], "what came out")
    t.sluice("queue", "verify", "small/q")
    t.note(f"full {fills} times")


@test("a disk without inodes is named; all goes on by itself when there are some")
def no_inodes(t):
    SmallDisk(t, 64, "-N", "64")
    t.pipeline("""
queue: { path: small/q, max_size: 8MiB, min_free_disk: 0B, linger: 5ms, retention: { keep: 0s } }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: small/out.log, rotate: { size: 256KiB } } }
""")
    lines = hard_lines(t, 6 * MIB)
    t.write("in.log", b"the first line\n")
    run = t.started(t.start_run())
    t.until("the first line to come out", lambda: t.size("small/out.log") == 15, alive=run)
    taken = 0
    try:
        while True:
            os.close(os.open(t.path(f"small/taken-{taken}"), os.O_CREAT | os.O_WRONLY))
            taken += 1
    except OSError:
        pass
    with open(t.path("in.log"), "ab") as file:
        file.write(b"\n".join(lines) + b"\n")
    t.until("the message", lambda: "No space left" in run.stderr or "disk is full" in run.stderr, alive=run)
    for number in range(taken):
        os.unlink(t.path(f"small/taken-{number}"))

    def all_out():
        return sum(t.size(f"small/{name}") for name in os.listdir(t.path("small")) if name.startswith("out")) >= t.size("in.log")

    t.until("all lines to come out", all_out, alive=run)
    t.stop(run)
    t.call("sh", "-c", "cat small/out.log $(ls small/out.0*.log) > joined.log")
    t.same("in.log", "joined.log")


@test("of ten runs that want the same queue at once, one gets it, and the others say who")
def held_by_one(t):
    t.write("in.log", b"".join(corpus.lines(1000, t.seed)))
    t.pipeline("""
queue: { path: q, max_size: 16MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    for turn in range(3):
        runs = [t.start_run(label=f"run-{turn}-{number}") for number in range(10)]
        t.until("nine to end", lambda: sum(not run.is_running for run in runs) == 9)
        winner = next(run for run in runs if run.is_running)
        for run in runs:
            if run is not winner:
                t.equal(run.popen.returncode, 4, f"exit code of one that came too late\n{run.stderr_tail}")
        t.until("all lines to come out", lambda: t.size("out.log") == t.size("in.log"), alive=winner)
        winner.kill()
    t.same("in.log", "out.log")


@test("two pipelines that write the same output never write into each other's files")
def held_output(t):
    for name in ("one", "two"):
        t.write(f"{name}.log", b"".join(b"%s %06d\n" % (name.encode(), number) for number in range(20_000)))
        t.pipeline(f"""
queue: {{ path: q-{name}, max_size: 16MiB, name: {name} }}
sources: {{ app: {{ type: file, paths: [{name}.log] }} }}
sinks: {{ out: {{ type: file, path: out.log, rotate: {{ size: 64KiB }} }} }}
""", name=f"{name}.yaml")
    runs = [t.start_run(file=f"{name}.yaml", label=name) for name in ("one", "two")]
    files = lambda: [name for name in os.listdir(t.directory) if name.startswith("out")]
    total = t.size("one.log") + t.size("two.log")
    t.until("all lines to come out", lambda: sum(t.size(name) for name in files()) >= total, alive=runs)
    for run in runs:
        t.stop(run)
    found = {b"one": [], b"two": []}
    for name in sorted(files(), key=lambda name: (len(name), name)):
        lines = t.read(name).split(b"\n")[:-1]
        words = {line[:3] for line in lines}
        t.true(len(words) <= 1, f"lines of one pipeline in {name}, found {words}")
        for line in lines:
            found[line[:3]].append(line)
    for name in ("one", "two"):
        t.same_lines(t.read(f"{name}.log").split(b"\n")[:-1], found[name.encode()], f"what came out of {name}")


# faketime's library, told a time by a file that may change.
def clock(t, shift):
    """The prefix of a command whose wall clock is shifted by what the file `clock` says; timers go on as they should."""
    set_clock(t, shift)
    program = t.program("faketime")
    library = next((
        path for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")
        if os.path.exists(path)), None)
    if library is None:
        raise Failure(f"this test needs libfaketimeMT.so.1, which comes with {program}; Tests/run installs it")
    return (
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={t.path('clock')}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_DONT_RESET=1", "FAKETIME_XRESET=0")


def set_clock(t, shift):
    t.write("clock.new", shift)
    os.rename(t.path("clock.new"), t.path("clock"))


def clock_pipeline(t):
    t.pipeline("""
queue: { path: q, max_size: 16MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: "out/%Y-%m-%d.log", rotate: { size: 64MiB } } }
""")


def all_output(t):
    """What came out, in the order of the files' names: the sink's time never goes back."""
    names = sorted(os.listdir(t.path("out"))) if os.path.isdir(t.path("out")) else []
    return names, b"".join(t.read(f"out/{name}") for name in names).split(b"\n")[:-1]


@test("a clock that is set back and forth by days and years while it runs loses nothing and doubles nothing")
def clock_jumps(t):
    clock_pipeline(t)
    shifts = ["+0", "-2d", "+3d", "-400d", "+400d", "+0", "-20y", "+9y"]
    piece = list(corpus.lines(500 * len(shifts), t.seed))
    t.write("in.log", b"")
    run = t.started(t.start_run(prefix=clock(t, shifts[0])))
    for number, shift in enumerate(shifts):
        set_clock(t, shift)
        with open(t.path("in.log"), "ab") as file:
            file.write(b"".join(piece[500 * number:500 * (number + 1)]))
        size = t.size("in.log")
        t.until(f"the lines at {shift} to come out", lambda: sum(len(line) + 1 for line in all_output(t)[1]) >= size, seconds=20, alive=run)
    t.stop(run)
    names, found = all_output(t)
    t.same_lines([line[:-1] for line in piece], found, "what came out")
    t.equal(t.show("q", "--gaps")["gaps"], [], "gaps")
    t.true(len(names) >= 3, f"files of several days, found {names}")
    t.note(f"files: {', '.join(names)}")


@test("a clock that is years ahead at boot, and right at the next, loses nothing and doubles nothing")
def clock_at_boot(t):
    clock_pipeline(t)
    piece = list(corpus.lines(4000, t.seed))
    t.write("in.log", b"")
    for number, shift in enumerate(("+12y", "+0", "-30y", "+0")):
        with open(t.path("in.log"), "ab") as file:
            file.write(b"".join(piece[1000 * number:1000 * (number + 1)]))
        t.run("--once", "--drain", prefix=clock(t, shift))
    names, found = all_output(t)
    t.same_lines([line[:-1] for line in piece], found, "what came out")
    t.note(f"files: {', '.join(names)}")
    t.sluice("queue", "verify", "q")


def serve_with_64_descriptors(t, options=""):
    endpoint = Endpoint()
    t.later(endpoint.close)
    t.pipeline(f"""
queue: {{ path: q, max_size: 16MiB }}
sources: {{ app: {{ type: file, paths: ["logs/*.log"]{options} }} }}
sinks:
  out: {{ type: file, path: out.log, rotate: {{ size: 512KiB }} }}
  collector:
    type: http
    url: {endpoint.url}
    batch: {{ max_bytes: 64KiB, linger: 20ms }}
    retry: {{ initial: 20ms, max: 200ms }}
""")
    lines = [b"%06d %s" % (number, b"x" * 50) for number in range(40_000)]

    def append(part):
        for file in range(200):
            with open(t.path(f"logs/{file:03}.log"), "ab") as log:
                log.write(b"".join(line + b"\n" for line in lines[part * 20_000 + file * 100:part * 20_000 + file * 100 + 100]))

    os.mkdir(t.path("logs"))
    append(0)
    run = t.start_run(prefix=(t.program("prlimit"), "--nofile=64:64"))
    t.until("the first half to arrive", lambda: endpoint.byte_count >= 20_000 * 58, seconds=30, alive=run)
    append(1)
    t.until("the second half to arrive", lambda: endpoint.byte_count >= 40_000 * 58, seconds=30, alive=run)
    out = lambda: b"".join(t.read(name) for name in sorted(os.listdir(t.directory)) if name.startswith("out")).split(b"\n")[:-1]
    t.until("all lines to be written", lambda: len(out()) >= len(lines), seconds=30, alive=run)
    t.stop(run)
    t.same_lines(lines, sorted(out()), "what the file has")
    t.same_lines(lines, sorted(endpoint.lines), "what the endpoint took")
    t.equal(endpoint.conflicts, [], "one key, one range")
    return run


@test("with 64 descriptors and max_open_files below that, 200 files, an output and an endpoint are served without loss or doubles", seconds=180)
def few_descriptors(t):
    serve_with_64_descriptors(t, ", max_open_files: 8")


@test("with 64 descriptors and nothing said of them, the tail leaves queue and sinks what they need, and says so", seconds=180)
def few_descriptors_by_default(t):
    run = serve_with_64_descriptors(t, "")
    t.contains(run.stderr, "fewer files are kept open than max_open_files allows", "the log")


@test("a preloaded library that changes the environment hides no argument")
def preloaded(t):
    # faketime calls setenv before main.
    check = t.start_sluice("check", "none.yaml", prefix=(t.program("faketime"), "-f", "+1d"))
    t.equal(check.wait(30), 2, "exit code")
    t.contains(check.stderr, "none.yaml", "what it says of the argument")


ENDPOINT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import endpoints
one = endpoints.Endpoint(port=int(sys.argv[2]))
done = 0
with open(sys.argv[3], "ab", buffering=0) as taken:
    while True:
        with one.lock:
            new = one.bodies[done:]
        for body in new:
            taken.write(body)
        done += len(new)
        time.sleep(0.005)
"""


@test("an endpoint that stands still (SIGSTOP) holds up nobody else, and takes every line once when it goes on")
def stopped_endpoint(t):
    port = free_port()
    endpoint = t.start(sys.executable, "-c", ENDPOINT, os.path.dirname(os.path.abspath(__file__)), port, t.path("taken"))
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  out: {{ type: file, path: out.log }}
  collector:
    type: http
    url: http://127.0.0.1:{port}/logs
    timeout: 400ms
    batch: {{ max_bytes: 64KiB, linger: 20ms }}
    retry: {{ initial: 20ms, max: 100ms }}
""")
    count = 20_000
    total = sum(len(line) for line in corpus.lines(count, t.seed))
    writing = log_over(t, count, 3)
    run = t.start_run()
    stops = 0
    while writing.is_alive():
        before = t.size("taken")
        t.until("the endpoint to take more", lambda: t.size("taken") > before or not writing.is_alive(), alive=[run, endpoint])
        time.sleep(t.random.uniform(0, 0.05))
        endpoint.signal(signal.SIGSTOP)
        stops += 1
        size = t.size("out.log")
        t.until("the file to go on meanwhile", lambda: t.size("out.log") > size or not writing.is_alive(), alive=run)
        time.sleep(t.random.choice((0.1, 0.6)))
        endpoint.signal(signal.SIGCONT)
    writing.result()
    t.until("the endpoint to have all", lambda: t.size("taken") >= total, alive=[run, endpoint])
    t.stop(run)
    t.same("in.log", "out.log")
    t.same("in.log", "taken")
    t.note(f"{stops} stops")


@test("a reader that stands still (SIGSTOP) holds up nobody, and draws every line once when it goes on")
def stopped_reader(t):
    t.pipeline("""
queue: { path: q, max_size: 64MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    count = 20_000
    total = sum(len(line) for line in corpus.lines(count, t.seed))
    t.write("in.log", b"")
    run = t.started(t.start_run())
    with open(t.path("drawn"), "wb") as output:
        reader = t.start_sluice("pull", "q", "--follow", stdout=output)
        writing = log_over(t, count, 2)
        t.until("the reader to draw", lambda: t.size("drawn") > 0, alive=reader)
        reader.signal(signal.SIGSTOP)
        writing.result()
        t.until("the file to have all meanwhile", lambda: t.size("out.log") == total, alive=run)
        t.true(t.size("drawn") < total, "the reader has not")
        reader.signal(signal.SIGCONT)
        t.until("the reader to have all", lambda: t.size("drawn") >= total, alive=reader)
        reader.signal(signal.SIGTERM)
        reader.wait(15)
    t.stop(run)
    t.same("in.log", "drawn")
    t.same("in.log", "out.log")
