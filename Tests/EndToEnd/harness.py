"""What every end-to-end test stands on: its registration, its directory, its processes, its deadline.

A test is a function with a sentence for a name:

    @test("a log is copied")
    def copied(t):
        t.write("in.log", b"one\\n")
        t.pipeline(sources="...", sinks="...")
        t.run("--once", "--drain")
        t.same("in.log", "out.log")

Nothing waits for a length of time in the hope that something has happened by then: `t.until` waits for the thing itself, and fails at its deadline.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TESTS = []


class Failure(AssertionError):
    """A test's expectation that didn't come true."""


def test(sentence, seconds=120, only_full=False):
    """Registers a test. `seconds` is its deadline: generous, since it only exists to end what hangs. `only_full`: it needs what `Tests/run --full` installs."""

    def register(function):
        function.only_full = only_full
        TESTS.append((sentence, function, seconds))
        return function

    return register


class Sizes:
    """How much the tests move. `quick` is for iterating, `normal` for every change, `full` for a release."""

    def __init__(self, name):
        mib = 1 << 20
        self.name = name
        self.kill = {"quick": 24 * mib, "normal": 64 * mib, "full": 1024 * mib}[name]
        self.kills = {"quick": 8, "normal": 20, "full": 20}[name]
        self.backlog = {"quick": 128 * mib, "normal": 512 * mib, "full": 10240 * mib}[name]
        self.lines = {"quick": 20_000, "normal": 60_000, "full": 400_000}[name]
        self.lease_records, self.lease_faults = {"quick": (10_000, 20), "normal": (40_000, 40), "full": (400_000, 400)}[name]

    @property
    def patience(self):
        """What deadlines are multiplied by."""
        return 30 if self.name == "full" else 1


class Process:
    """A started program. Its standard error goes to a file, so that no pipe can fill up."""

    def __init__(self, command, directory, label, stdin=subprocess.DEVNULL, stdout=None, env=None, **options):
        self.command = [str(part) for part in command]
        self.errors = os.path.join(directory, f"{label}.stderr")
        self.output = os.path.join(directory, f"{label}.stdout")
        with open(self.errors, "ab") as errors, open(self.output, "ab") as output:
            self.popen = subprocess.Popen(
                self.command, cwd=options.pop("cwd", directory), stdin=stdin, stdout=output if stdout is None else stdout, stderr=errors, env=env, **options)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def is_running(self):
        return self.popen.poll() is None

    def wait(self, seconds=60):
        """The exit code; a signal's number is negative."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {seconds} s: {' '.join(self.command)}\n{self.stderr_tail}") from None

    def signal(self, number):
        try:
            self.popen.send_signal(number)
        except ProcessLookupError:
            pass

    def kill(self):
        """SIGKILL, and waits for the end."""
        self.signal(signal.SIGKILL)
        return self.wait()

    @property
    def stderr(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def stdout(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def stderr_tail(self):
        return "\n".join("    | " + line for line in self.stderr.splitlines()[-15:])

    def status(self, key):
        """A number from /proc/PID/status, in bytes where that says kB; None when the process has gone."""
        try:
            with open(f"/proc/{self.pid}/status") as file:
                for line in file:
                    if line.startswith(key + ":"):
                        words = line.split()
                        return int(words[1]) * (1024 if words[-1] == "kB" else 1)
        except OSError:
            pass
        return None

    @property
    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Test:
    """One test's world: a directory that goes away, and processes that end with it."""

    def __init__(self, sluice, sizes, seed):
        self.sluice_path = sluice
        self.sizes = sizes
        self.seed = seed
        self.random = random.Random(seed)
        self.directory = tempfile.mkdtemp(prefix="sluice-test-")
        os.chmod(self.directory, 0o755)
        self.notes = []
        self._processes = []
        self._cleanups = []
        self._labels = 0
        self._deadline = None

    # Files

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def size(self, name):
        """The file's length, 0 when it isn't there."""
        try:
            return os.stat(self.path(name)).st_size
        except FileNotFoundError:
            return 0

    def pipeline(self, text, name="p.yaml"):
        """Writes a pipeline file."""
        self.write(name, text)
        return name

    def small_disk(self, size):
        """A file system of its own of `size` MiB, mounted at `small`."""
        os.mkdir(self.path("small"))
        self.call(self.program("mount"), "-t", "tmpfs", "-o", f"size={size}m", "none", self.path("small"))
        self.later(lambda: self.call("umount", "-l", self.path("small")))

    # Programs

    def program(self, name):
        """Where a program is; a failure says that the test can't do without it."""
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            raise Failure(f"this test needs the program '{name}'; Tests/run installs what tests need")
        return path

    def start(self, *command, label=None, **options):
        """Starts a program in the test's directory; it is killed at the test's end at the latest."""
        self._labels += 1
        process = Process(command, self.directory, label or f"{os.path.basename(str(command[0]))}-{self._labels}", **options)
        self._processes.append(process)
        return process

    def start_sluice(self, *arguments, prefix=(), **options):
        return self.start(*prefix, self.sluice_path, *arguments, **options)

    def start_run(self, *arguments, file="p.yaml", prefix=(), **options):
        """`sluice run`."""
        return self.start_sluice("run", file, *arguments, prefix=prefix, **options)

    def started(self, run):
        """Waits until a run works: queues open, sources and sinks at it."""
        self.until("the run to start", lambda: run.stderr.count("pipeline starts") > 0 and takes_signals(run.pid), alive=run)
        return run

    def stop(self, run, code=0):
        """SIGTERM, and the end within the promised time (and some, for a busy machine)."""
        run.signal(signal.SIGTERM)
        self.equal(run.wait(10), code, f"exit code after SIGTERM\n{run.stderr_tail}")

    def sluice(self, *arguments, code=0, seconds=60, **options):
        """Runs a command to its end and gives its standard output."""
        process = self.start_sluice(*arguments, **options)
        found = process.wait(seconds * self.sizes.patience)
        self.equal(found, code, f"exit code of sluice {' '.join(map(str, arguments))}\n{process.stderr_tail}")
        return process.stdout

    def run(self, *arguments, code=0, file="p.yaml", seconds=60, **options):
        """`sluice run` to its end; gives the process."""
        process = self.start_run(*arguments, file=file, **options)
        found = process.wait(seconds * self.sizes.patience)
        self.equal(found, code, f"exit code of sluice run {file} {' '.join(arguments)}\n{process.stderr_tail}")
        return process

    def call(self, *command, seconds=60, **options):
        """Runs another program to its end, which must be 0; gives its standard output as bytes."""
        done = subprocess.run([str(part) for part in command], cwd=self.directory, capture_output=True, timeout=seconds * self.sizes.patience, **options)
        if done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
        return done.stdout

    def show(self, queue="q", *options):
        """`sluice queue show --output json`."""
        return json.loads(self.sluice("queue", "show", queue, "--output", "json", *options))

    def consumer(self, name, queue="q"):
        """One consumer of `show`."""
        found = [one for one in self.show(queue)["consumers"] if one["name"] == name]
        self.true(found, f"queue {queue} has a consumer '{name}'")
        return found[0]

    # Waiting and expecting

    def until(self, what, condition, seconds=60, alive=None):
        """Waits until `condition` is true and returns what it gave. `alive`: processes whose end makes waiting pointless."""
        deadline = time.monotonic() + seconds * self.sizes.patience
        while True:
            value = condition()
            if value:
                return value
            for process in [alive] if isinstance(alive, Process) else alive or []:
                if not process.is_running and not condition():
                    raise Failure(f"waiting for: {what}; but {process.command[0]} ended with {process.popen.returncode}\n{process.stderr_tail}")
            if time.monotonic() > deadline:
                tails = "\n".join(process.stderr_tail for process in self._processes if process.is_running)
                raise Failure(f"not within {seconds * self.sizes.patience} s: {what}\n{tails}")
            time.sleep(0.01)

    def true(self, value, what):
        if not value:
            raise Failure(f"expected: {what}")

    def equal(self, found, expected, what):
        if found != expected:
            raise Failure(f"{what}: expected {short(expected)}, found {short(found)}")

    def contains(self, text, part, what):
        if part not in text:
            raise Failure(f"{what}: expected {part!r} in:\n{text[-3000:]}")

    def same(self, expected, found):
        """Two files are byte for byte the same."""
        done = subprocess.run(["cmp", self.path(expected), self.path(found)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{expected} and {found} differ: {done.stdout.strip()} {done.stderr.strip()} ({self.size(expected)} and {self.size(found)} bytes)")

    def same_lines(self, expected, found, what):
        """The same lines in the same order; tells how many were lost, doubled, or out of place."""
        if expected == found:
            return
        lost, foreign = len(set(expected) - set(found)), len(set(found) - set(expected))
        doubled = len(found) - len(set(found)) - (len(expected) - len(set(expected)))
        place = next((i for i, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]), min(len(expected), len(found)))
        raise Failure(
            f"{what}: {len(expected)} lines expected, {len(found)} found; {lost} lost, {doubled} doubled, {foreign} never written; first difference at line {place}: "
            f"{short(expected[place] if place < len(expected) else None)} / {short(found[place] if place < len(found) else None)}")

    def note(self, text):
        """A figure or fact, printed with the test's result."""
        self.notes.append(text)

    def later(self, cleanup):
        """Called at the test's end, newest first."""
        self._cleanups.append(cleanup)

    # The end

    def close(self, keep):
        for process in reversed(self._processes):
            if process.is_running:
                # A test's own group only: `start_new_session` was asked for where there are children.
                process.kill()
        for cleanup in reversed(self._cleanups):
            try:
                cleanup()
            except Exception as error:  # A cleanup that fails must not hide the test's own result.
                self.note(f"cleaning up: {error!r}")
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)


def takes_signals(pid):
    """Whether a run has taken over SIGTERM from its default, which it does right after it has said that it starts; so, too, when it isn't a run but what one runs under."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        facts = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return facts["Name"] != "sluice" or (int(facts["SigIgn"], 16) | int(facts["SigCgt"], 16)) >> (signal.SIGTERM - 1) & 1 == 1


def short(value, length=300):
    text = repr(value)
    return text if len(text) <= length else text[:length] + f"… ({len(text)} characters)"


def background(function, *arguments):
    """Runs `function` in a thread; `.result()` waits for it and gives its value or raises its error."""

    class Background(threading.Thread):
        def run(self):
            try:
                self.value, self.error = function(*arguments), None
            except BaseException as error:
                self.value, self.error = None, error

        def result(self, seconds=120):
            self.join(seconds)
            if self.is_alive():
                frame = sys._current_frames().get(self.ident)
                raise Failure(f"{function.__name__} is still at work after {seconds} s:\n{''.join(traceback.format_stack(frame)[-4:])}")
            if self.error:
                raise self.error
            return self.value

    thread = Background(daemon=True)
    thread.start()
    return thread
