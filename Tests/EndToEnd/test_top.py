"""`sluice top`: live on a terminal until q, once elsewhere; over an address, and through the socket of a process of this machine."""

import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
from fcntl import ioctl

from endpoints import Endpoint
from harness import Failure, test
import served

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """sluice with a terminal for standard input and output."""

    def __init__(self, t, *arguments, columns=160, rows=30):
        self.t = t
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.former = termios.tcgetattr(slave)
        self.slave = slave
        self.seen = bytearray()
        self.process = subprocess.Popen(
            [t.sluice_path, "top", *arguments], cwd=t.directory, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=os.environ | {"TERM": "xterm"},
            start_new_session=True)
        t.later(self.process.kill)
        self.is_closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            # Not in a `read` that would keep the terminal open when it is closed.
            while not self.is_closed:
                if select.select([self.master], [], [], 0.05)[0]:
                    self.seen.extend(os.read(self.master, 1 << 16))
        except OSError:
            pass  # EIO: nobody has the other end any more

    def close(self):
        """The window is gone."""
        self.is_closed = True
        self._reader.join()
        os.close(self.slave)
        os.close(self.master)

    def resize(self, columns, rows):
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def screen(self):
        """What stands there since the screen was last drawn anew."""
        return bytes(self.seen).rpartition(b"\x1b[H")[2].decode(errors="replace").replace("\x1b[K", "").replace("\x1b[J", "").split("\r\n")

    def until(self, what, condition):
        try:
            return self.t.until(what, lambda: condition(self.screen()))
        except Failure as failure:
            raise Failure(f"{failure}\non the screen: {self.screen()}") from None

    def press(self, keys):
        os.write(self.master, keys)

    def ended(self):
        """Its exit code is 0, and the terminal is as it was."""
        self.t.equal(self.process.wait(10), 0, "exit code")
        self.t.until("the terminal to be given back", lambda: bytes(self.seen).endswith(LEAVE))
        self.t.equal(bytes(self.seen).count(ENTER), 1, "the screen is entered once")
        self.t.equal(termios.tcgetattr(self.slave)[3], self.former[3], "the terminal's modes")
        self.t.equal(self.process.stderr.read(), b"", "standard error")
        os.close(self.slave)


def pipeline(t):
    endpoint = Endpoint(answer=lambda *_: 503)
    t.later(endpoint.close)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(1000)))
    t.pipeline(f"""
queue: {{ name: q, path: data/q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  archive: {{ type: file, path: out.log }}
  collector: {{ type: http, url: "{endpoint.url}", retry: {{ initial: 30s, max: 60s }} }}
consumers: {{ nightly: {{}} }}
""")
    server = served.run(t)
    t.until("the file sink to have all", lambda: t.size("out.log") == t.size("in.log"), alive=server.process)
    t.until("the other sink to fail", lambda: "answered 503" in server.process.stderr)
    return server


@test("top shows queues, sources and sinks live, scrolls, follows the window's size, and gives the terminal back at q")
def live(t):
    server = pipeline(t)
    top = Terminal(t, "--server", server.url)
    top.until("the consumers", lambda lines: any("> nightly" in line and "lag 1,000" in line for line in lines))
    lines = top.screen()
    t.true(any(line.startswith("q ") and "stored" in line and "of 64.0 MiB" in line for line in lines), f"the queue among {lines}")
    t.true(any("< app" in line and "file, 1 file, all read" in line for line in lines), f"the source among {lines}")
    t.true(any("> archive" in line and "lag 0" in line for line in lines), f"the sink that keeps up among {lines}")
    t.true(any("> collector" in line and "again in" in line for line in lines), f"the sink that fails among {lines}")
    t.true(any(line.startswith("      ! ") and "answered 503" in line for line in lines), f"its error among {lines}")
    with open(t.path("in.log"), "ab") as log:
        log.write(b"one more\n")
    top.until("the new record", lambda lines: any("> nightly" in line and "lag 1,001" in line for line in lines))
    # A small window: what doesn't fit is scrolled to.
    top.resize(60, 5)
    top.process.send_signal(signal.SIGWINCH)
    top.until("the small window", lambda lines: len(lines) == 5 and "lines 1 to 3 of" in lines[-1])
    t.true(all(len(line) < 60 for line in top.screen()), f"no line is longer than the window, found {top.screen()}")
    top.press(b"\x1b[B")
    top.until("the next line", lambda lines: "lines 2 to 4 of" in lines[-1])
    top.press(b"q")
    top.ended()


@test("top says that what it shows is stale while the server is away, and goes on when it is back; SIGTERM ends it, too")
def stale(t):
    server = served.serve(t)
    server.pushed([b"one"])
    top = Terminal(t, "--server", server.url, "q")
    top.until("the queue", lambda lines: any(line.startswith("q ") for line in lines))
    server.process.kill()
    top.until("the word", lambda lines: "STALE" in lines[0] and any(line.startswith("q ") for line in lines))
    served.serve(t, listen=f"{server.host}:{server.port}")
    top.until("the word to go", lambda lines: "STALE" not in lines[0])
    top.process.send_signal(signal.SIGTERM)
    top.ended()


@test("top tells the status once without a terminal and as JSON; without --server it finds the process that holds the queues")
def once(t):
    server = pipeline(t)
    for arguments in (("--server", server.url), ("data/q",), ()):
        text = t.sluice("top", *arguments)
        t.true("\x1b" not in text, "no escape sequence")
        t.contains(text, "> nightly", f"top {' '.join(arguments)}")
        facts = json.loads(t.sluice("top", *arguments, "--output", "json"))
        found = facts["queues"][0]
        t.equal((found["name"], found["records"], [one["name"] for one in found["sinks"]]), ("q", 1000, ["archive", "collector"]), f"top {' '.join(arguments)}")
        t.equal(found["sources"][0]["files"]["newest"][0]["position"], t.size("in.log"), "the file's position")
        expected = next(one for one in server.get("/v1/status").json["queues"] if one["name"] == "q")
        t.equal(set(found), set(expected) - {"in_flight_bytes", "disk_room"}, "the members")
    wrong = t.start_sluice("top", "--server", server.url, "other")
    t.equal(wrong.wait(20), 2, "exit code for a queue that isn't there")
    t.contains(wrong.stderr, "shows no queue 'other'; it shows q", "the message")
    server.process.signal(signal.SIGTERM)
    server.process.wait(10)
    for arguments, words in ((("data/q",), "holds the queue data/q"), ((), "holds a queue below data"), (("--server", server.url), "nobody answers")):
        refused = t.start_sluice("top", *arguments)
        t.equal(refused.wait(30), 1, f"exit code of top {' '.join(arguments)} with nobody there\n{refused.stderr_tail}")
        t.contains(refused.stderr, words, "the message")


@test("top ends when its terminal is closed")
def closed(t):
    server = served.serve(t)
    top = Terminal(t, "--server", server.url)
    top.until("the screen", lambda lines: lines[0].startswith("sluice top"))
    top.close()
    t.equal(top.process.wait(20), 0, "exit code")
