"""Every byte of a line comes out as it went in."""

import subprocess

import outputs
from endpoints import Endpoint
from harness import test


def awkward_lines(t):
    """Lines that many programs change, lose or stop at. The last one has no line feed."""
    draw = t.random
    lines = [
        b"plain", b"", b"", b" leading blanks", b"trailing blanks   ", b"\tleading tab", b"tabs\tin\t\tit\t", b"   ", b"\t", b"NUL\0in\0it", b"\0", b"\0\0\0trailing\0",
        b"CR at its end\r", b"CR\rin it", b"\r", b"\x1b[31mescape\x1b[0m \x07 \x7f", b"invalid UTF-8 \xff\xfe \xc3\x28 \xed\xa0\x80 \xf8", "übliche Zeichen 中文 🙂".encode(),
        b"\xef\xbb\xbfbyte order mark", b"\x1f\x8b\x08\x00 looks like gzip", b"03 00 \x03\x00 SL \x1f\x8b", bytes(byte for byte in range(256) if byte != 10),
        b"x" * 100_000, draw.randbytes(100_000).replace(b"\n", b"\r"), b"", draw.randbytes(5_000_000).replace(b"\n", b"\0"), b"y" * 5_000_000, b"after the long ones"]
    lines += [draw.randbytes(draw.randrange(200)).replace(b"\n", b"") for _ in range(2000)]
    return b"\n".join(lines) + b"\nlast line without a line feed \r\0"


@test("awkward bytes and lines of 100 KB and 5 MB come out of a tail byte for byte, plain and .gz")
def tail_bytes(t):
    t.write("in.log", awkward_lines(t))
    t.pipeline("""
queue: { path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks:
  plain: { type: file, path: out.log }
  packed: { type: file, path: out.gz.log.gz }
""")
    t.run("--once", "--drain")
    t.same("in.log", "out.log")
    outputs.join(t, "out.gz", ".log.gz", "unpacked.log")
    t.same("in.log", "unpacked.log")


@test("awkward bytes come out of stdin byte for byte, through standard output and a file")
def stdin_bytes(t):
    t.write("in.log", awkward_lines(t))
    t.pipeline("""
queue: { path: q }
sources: { standard_input: { type: stdin } }
sinks:
  plain: { type: file, path: out.log }
  screen: { type: stdout }
""")
    with open(t.path("in.log"), "rb") as stdin, open(t.path("screen.log"), "wb") as stdout:
        t.run("--drain", stdin=stdin, stdout=stdout)
    t.same("in.log", "out.log")
    t.same("in.log", "screen.log")


@test("a queue's commands give awkward bytes byte for byte: push, cat, pull to a file, a .gz file, a command and a pipe")
def command_bytes(t):
    # Records have no line feed of their own: these commands end each with one.
    t.write("in.log", awkward_lines(t) + b"\n")
    with open(t.path("in.log"), "rb") as stdin:
        t.sluice("push", "q", "--create", stdin=stdin)
    with open(t.path("cat.log"), "wb") as stdout:
        t.sluice("queue", "cat", "q", stdout=stdout)
    t.same("in.log", "cat.log")
    t.sluice("pull", "q", "--output", "pulled.log")
    t.same("in.log", "pulled.log")
    t.sluice("pull", "q", "--output", "pulled.log.gz")
    with open(t.path("unpacked.log"), "wb") as output:
        subprocess.run(["zcat", t.path("pulled.log.gz")], stdout=output, check=True)
    t.same("in.log", "unpacked.log")
    t.sluice("pull", "q", "--exec", f"cat > {t.path('given.log')}")
    t.same("in.log", "given.log")
    with open(t.path("pipe.log"), "wb") as stdout:
        t.sluice("pull", "q", "--consumer", "reader", "--create", "--commit", stdout=stdout)
    t.same("in.log", "pipe.log")
    t.equal(t.consumer("reader")["lag_records"], 0, "lag after the commit")


@test("awkward bytes reach an HTTP endpoint byte for byte")
def http_bytes(t):
    endpoint = Endpoint()
    t.later(endpoint.close)
    content = awkward_lines(t)
    t.write("in.log", content)
    t.pipeline(f"""
queue: {{ path: q }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ collector: {{ type: http, url: "{endpoint.url}" }} }}
""")
    t.run("--once", "--drain")
    t.same_lines(content.split(b"\n"), endpoint.lines, "what the endpoint took")


@test("a last line without line feed waits for its end, and is given when --once says that it has come")
def unended_line(t):
    t.write("in.log", b"one\ntwo\nthr")
    t.pipeline("""
queue: { path: q }
sources: { app: { type: file, paths: [in.log] } }
sinks: { out: { type: file, path: out.log } }
""")
    run = t.start_run()
    t.until("two lines", lambda: t.size("out.log") == 8, alive=run)
    with open(t.path("in.log"), "ab") as file:
        file.write(b"ee\nfour\nfi")
    t.until("four lines", lambda: t.size("out.log") == 19, alive=run)
    t.stop(run)
    t.equal(t.read("out.log"), b"one\ntwo\nthree\nfour\n", "the output before --once")
    t.run("--once", "--drain")
    t.equal(t.read("out.log"), b"one\ntwo\nthree\nfour\nfi", "the output after --once")


@test("lines over max_line are split and counted, not lost")
def long_line(t):
    line = t.random.randbytes(40_000).replace(b"\n", b"+")
    t.write("in.log", b"before\n" + line + b"\nafter\n")
    t.pipeline("""
queue: { path: q }
sources: { app: { type: file, paths: [in.log], max_line: 16KiB } }
sinks: { out: { type: file, path: out.log } }
""")
    t.run("--once", "--drain")
    with open(t.path("records.log"), "wb") as stdout:
        t.sluice("queue", "cat", "q", stdout=stdout)
    records = t.read("records.log").split(b"\n")[:-1]
    t.equal((records[0], records[-1]), (b"before", b"after"), "the lines around it")
    t.equal(b"".join(records[1:-1]), line, "the long line's parts")
    # A part ends up to three bytes before the limit where a UTF-8 character would be cut; these bytes are random, and may look like one.
    longest = max(map(len, records))
    t.true((16 << 10) - 3 <= longest <= 16 << 10, f"a longest record of 16 KiB, or up to 3 bytes fewer (it has {longest})")
    # The parts are known as parts, so a file of one input is the same all the same.
    t.same("in.log", "out.log")
