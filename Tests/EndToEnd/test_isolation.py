"""A slow, hung or dead consumer slows nobody else."""

import base64

import corpus
from corpus import hard_lines
from endpoints import Endpoint, HangingEndpoint
from harness import test


def http(url, extra=""):
    return f"""
    type: http
    url: {url}
    timeout: 2s
    retry: {{ initial: 100ms, max: 500ms }}
    batch: {{ max_bytes: 256KiB, linger: 20ms }}
    {extra}"""


@test("one queue feeds a file, a hanging endpoint and a slow one: the file has everything while the others lag, and they get it later")
def three_consumers(t):
    hanging, slow = HangingEndpoint(), Endpoint()
    t.later(slow.close)
    t.later(hanging.close)
    corpus.write(t.path("in.log"), 12 << 20, t.seed)
    expected = t.read("in.log").split(b"\n")[:-1]
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  copy: {{ type: file, path: out.log }}
  hanging:{http(hanging.url)}
  slow:{http(slow.url, "pull: { rate: 1MiB/s }")}
""")
    run = t.start_run()
    t.until("the file to have everything", lambda: t.size("out.log") == t.size("in.log"), alive=run)
    slow_then = slow.byte_count
    facts = {one["name"]: one for one in t.show()["consumers"]}
    t.same("in.log", "out.log")
    t.true(slow_then < t.size("in.log") / 2, f"the slow endpoint is far behind then, found {slow_then} bytes")
    t.true(facts["slow"]["lag_records"] > 0, "the slow consumer lags")
    t.equal(facts["hanging"]["lag_records"], len(expected), "the hanging consumer's lag")
    t.until("the hanging endpoint to be asked", lambda: hanging.connections > 0, alive=run)
    t.until("the slow endpoint to have everything", lambda: slow.byte_count == t.size("in.log"), alive=run)
    t.same_lines(expected, slow.lines, "what the slow endpoint took")
    port = hanging.port
    hanging.close()
    late = t.until("the port to be free", lambda: endpoint_at(port))
    t.later(late.close)
    t.until("the late endpoint to have everything", lambda: late.byte_count == t.size("in.log"), alive=run)
    t.same_lines(expected, late.lines, "what came once the endpoint answered")
    t.stop(run)
    t.note(f"the slow endpoint had {slow_then >> 10} KiB when the file had all {t.size('in.log') >> 10}")


@test("a hanging endpoint with hold: 50% never fills the queue; it loses the oldest, is told exactly how much, and gets the rest")
def bounded_hold(t):
    hanging = HangingEndpoint()
    t.later(hanging.close)
    lines = hard_lines(t, 64 << 20)
    t.write("in.log", b"\n".join(lines) + b"\n")
    t.pipeline(f"""
queue: {{ path: q, max_size: 16MiB, min_free_disk: 1MiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  copy: {{ type: file, path: out.log }}
  hanging:{http(hanging.url, "hold: 50%")}
""")
    run = t.start_run()
    t.until("the file to have everything", lambda: t.size("out.log") == t.size("in.log"), alive=run)
    t.same("in.log", "out.log")
    t.until("the hanging endpoint to be asked", lambda: hanging.connections > 0, alive=run)
    # Sources wait only for what the file has not taken yet; the endpoint is never why.
    t.true("because_of=hanging" not in run.stderr, f"the queue never fills because of the hanging endpoint\n{run.stderr_tail}")
    t.contains(run.stderr, "records were deleted that a consumer had not read; it is told exactly", "the run's log")
    facts = {one["name"]: one for one in t.show()["consumers"]}["hanging"]
    t.true(facts["lost_records"] > 0, "the hanging consumer has lost records")
    t.equal(facts["lost_records"] + facts["lag_records"], len(lines), "its losses and what is there for it")
    port = hanging.port
    hanging.close()
    late = t.until("the port to be free", lambda: endpoint_at(port))
    t.later(late.close)
    t.until("the consumer to have caught up", lambda: t.consumer("hanging")["lag_records"] == 0, alive=run)
    t.stop(run)
    facts = t.consumer("hanging")
    t.equal(facts["lost_records"] + len(late.lines), len(lines), "records lost and delivered")
    t.same_lines(lines[facts["lost_records"]:], late.lines, "what was delivered: all but the oldest")
    t.note(f"{facts['lost_records']} of {len(lines)} records lost")


def endpoint_at(port):
    try:
        return Endpoint(port=port)
    except OSError:
        return None


@test("nothing is deleted for a new sink's want of a place: sources wait until its cursor is on the disk, however long the disk takes")
def slow_cursor(t):
    t.write("in.log", b"".join(base64.b64encode(t.random.randbytes(300)) + b"\n" for _ in range(60_000)))
    with open(t.write("nothing", b""), "rb") as nothing:
        t.sluice("push", "q", "--create", stdin=nothing)
    t.pipeline("""
queue: { path: q, max_size: 8MiB, min_free_disk: 1MiB }
sources: { app: { type: file, paths: [in.log] } }
sinks: { copy: { type: file, path: out.log } }
""")
    # The rename that gives the cursor its name takes seconds.
    slow = (t.program("strace"), "-f", "-o", t.path("strace.out"), "-P", t.path("q/consumers"), "-e", "trace=rename,renameat,renameat2",
            "-e", "inject=rename,renameat,renameat2:delay_enter=2000000:when=1")
    t.run("--once", "--drain", prefix=slow)
    t.contains(t.read("strace.out").decode(), "(DELAYED)", "what strace did")
    t.equal(t.consumer("copy")["lost_records"], 0, "records that the sink lost")
    t.same("in.log", "out.log")
