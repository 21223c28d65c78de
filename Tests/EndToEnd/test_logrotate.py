"""The real logrotate on a log that is being written: nothing lost, nothing doubled."""

import os
import signal
import threading
import time

import corpus
from harness import background, test

ROTATIONS = 8


class Writer:
    """A program that writes a log all the time. It opens its log anew when the file `reopen` appears, as daemons do at a signal, and pauses when it is told to."""

    def __init__(self, t, count, seconds=4):
        self.t = t
        self.count = count
        self.seconds = seconds
        self.written = 0
        self.position = 0
        self._go = threading.Event()
        self._go.set()
        self._paused = threading.Event()
        os.makedirs(t.path("logs"), exist_ok=True)
        self._file = open(t.path("logs/app.log"), "ab", buffering=0)
        self.thread = background(self._write)

    def _write(self):
        lines = corpus.lines(self.count, self.t.seed)
        while self.written < self.count:
            if not self._go.is_set():
                self._paused.set()
                self._go.wait()
                self._paused.clear()
            piece = [line for _, line in zip(range(100), lines)]
            data = b"".join(piece)
            self._file.write(data)
            self.written += len(piece)
            self.position += len(data)
            self._reopen_if_asked()
            # Over all of it some seconds, so that rotations fall into the writing.
            time.sleep(100 * self.seconds / self.count)
        # logrotate's script waits for this, whenever it is started.
        while not self.done:
            self._reopen_if_asked()
            time.sleep(0.005)
        self._file.close()

    done = False

    def _reopen_if_asked(self):
        if os.path.exists(self.t.path("reopen")):
            old = self._file
            self._file = open(self.t.path("logs/app.log"), "ab", buffering=0)
            old.close()
            os.unlink(self.t.path("reopen"))

    def pause(self):
        """Returns when nothing is written any more."""
        self._go.clear()
        self._paused.wait(60)

    def go_on(self):
        self._go.set()

    def finish(self):
        self.done = True
        self.thread.result()


def prepare(t, paths, options):
    """The pipeline and logrotate's configuration."""
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [{paths}] }} }}
sinks: {{ out: {{ type: file, path: out.log }} }}
""")
    # The writer has moved to the new file before logrotate compresses the old one: the script waits for it.
    script = "" if "copytruncate" in options else f"""
  postrotate
    touch {t.path('reopen')}
    while [ -e {t.path('reopen')} ]; do sleep 0.01; done
  endscript"""
    t.write("rotate.conf", f"""
{t.path('logs/app.log')} {{
  rotate 100
  missingok
  {options}{script}
}}
""")
    os.chmod(t.path("rotate.conf"), 0o644)
    t.program("logrotate")


def rotate(t):
    t.call(t.program("logrotate"), "-f", "-s", t.path("rotate.state"), t.path("rotate.conf"))


def expected_lines(t, count):
    return [line[:-1] for line in corpus.lines(count, t.seed)]


def finish(t, run, writer, in_order):
    """All lines have come out, once."""
    expected = expected_lines(t, writer.count)
    total = sum(map(len, expected)) + len(expected)
    try:
        t.until("all lines to come out", lambda: t.size("out.log") >= total, seconds=30, alive=run)
    finally:
        run.signal(signal.SIGTERM)
        run.wait(15)
        found = t.read("out.log").split(b"\n")[:-1] if t.size("out.log") else []
        if not in_order:
            # Several files are read side by side: order holds in each of them.
            expected, found = sorted(expected, key=corpus.number), sorted(found, key=corpus.number)
        t.same_lines(expected, found, "what came out")
    t.equal(run.popen.returncode, 0, f"exit code after SIGTERM\n{run.stderr_tail}")
    t.equal(t.show("q", "--gaps")["gaps"], [], "gaps")


def rotate_while_running(t, paths, options, in_order):
    prepare(t, paths, options)
    writer = Writer(t, t.sizes.lines, seconds=14 if "%s" in options else 4)
    run = t.start_run()
    start = second = 0
    for number in range(1, ROTATIONS + 1):
        t.until("some more lines", lambda: writer.written >= number * writer.count // (ROTATIONS + 2))
        # Only the log's own name is tailed, so each file is rotated once it was seen.
        t.until("the file to be seen", lambda: t.size("out.log") > start, alive=run)
        if "%s" in options:
            # A name is free only once a second, and logrotate's clock (time(2)) lags behind the finer one by some milliseconds.
            t.until("the next second", lambda: time.time() >= second + 1.05)
        rotate(t)
        second = int(time.time())
        start = writer.position
    t.until("the writer to be done", lambda: writer.written >= writer.count)
    writer.finish()
    t.true(len(os.listdir(t.path("logs"))) == ROTATIONS + 1, f"{ROTATIONS} rotated files, found {os.listdir(t.path('logs'))}")
    finish(t, run, writer, in_order)
    t.note(f"{ROTATIONS} rotations, {writer.count} lines: {', '.join(sorted(os.listdir(t.path('logs')))[:4])}, …")


@test("logrotate's create under a writer that goes on loses nothing and doubles nothing")
def create(t):
    rotate_while_running(t, "logs/app.log", "create", in_order=True)


@test("logrotate's create with dates for names, read by a glob, loses nothing and doubles nothing")
def create_dates(t):
    rotate_while_running(t, '"logs/app*"', "create\n  dateext\n  dateformat -%Y%m%d-%s\n  extension .log", in_order=False)


@test("logrotate's compress under a writer that goes on loses nothing and doubles nothing")
def compress(t):
    rotate_while_running(t, "logs/app.log", "create\n  compress", in_order=True)


@test("logrotate's compress, with the compressed files in the glob, loses nothing and doubles nothing")
def compress_glob(t):
    rotate_while_running(t, '"logs/app.log*"', "create\n  compress", in_order=False)


@test("logrotate's delaycompress, with the compressed files in the glob, loses nothing and doubles nothing")
def delay_compress_glob(t):
    rotate_while_running(t, '"logs/app.log*"', "create\n  compress\n  delaycompress", in_order=False)


def rotate_while_down(t, paths, options, times, in_order):
    """Sluice is away for `times` rotations, then reads again for a while, and so on."""
    prepare(t, paths, options)
    writer = Writer(t, t.sizes.lines)
    seen = 0
    for number in range(1, 4):
        run = t.start_run()
        t.until("some lines of the file that is there now to come out", lambda: t.size("out.log") > seen and writer.written >= number * writer.count // 5, alive=run)
        run.signal(signal.SIGTERM)
        t.equal(run.wait(15), 0, f"exit code after SIGTERM\n{run.stderr_tail}")
        for _ in range(times):
            before = writer.written
            t.until("more lines, which nobody reads", lambda: writer.written > before or writer.written >= writer.count)
            rotate(t)
        seen = writer.position
    t.until("the writer to be done", lambda: writer.written >= writer.count)
    writer.finish()
    finish(t, t.start_run(), writer, in_order)


@test("a log that logrotate compresses while Sluice is away is read on from where it was")
def compress_while_down(t):
    rotate_while_down(t, "logs/app.log", "create\n  compress", times=1, in_order=True)


@test("logs that logrotate rotates several times while Sluice is away are found by a glob, compressed ones too")
def compress_while_down_glob(t):
    rotate_while_down(t, '"logs/app.log*"', "create\n  compress\n  delaycompress", times=3, in_order=False)


def copy_and_truncate(t, paths, in_order):
    prepare(t, paths, "copytruncate")
    writer = Writer(t, t.sizes.lines)
    run = t.start_run()
    for number in range(1, ROTATIONS + 1):
        t.until("some more lines", lambda: writer.written >= number * writer.count // (ROTATIONS + 2))
        # What is written between the copy and the cut is lost by logrotate itself, and what wasn't read before the cut is in the copy only.
        writer.pause()
        t.until("all that was written to be read", lambda: t.size("out.log") >= writer.position, alive=run)
        rotate(t)
        t.equal(t.size("logs/app.log"), 0, "the log's length after the cut")
        writer.go_on()
    t.until("the writer to be done", lambda: writer.written >= writer.count)
    writer.finish()
    finish(t, run, writer, in_order)
    t.note(f"{ROTATIONS} cuts, {writer.count} lines")


@test("logrotate's copytruncate, with the writer pausing for it, loses nothing and doubles nothing")
def copytruncate(t):
    copy_and_truncate(t, "logs/app.log", in_order=True)


@test("logrotate's copytruncate, with the copies in the glob, doubles nothing")
def copytruncate_glob(t):
    copy_and_truncate(t, '"logs/app.log*"', in_order=True)
