"""Records that an endpoint rejects, and how they are put back."""

import json
import threading
import time

from endpoints import Endpoint
from harness import test


class Choosy:
    """What an endpoint answers that takes no line with `poison` until it is told to."""

    def __init__(self):
        self.takes_all = threading.Event()

    def __call__(self, number, key, body):
        if self.takes_all.is_set() or b"poison" not in body:
            return 200
        return 413 if body.count(b"\n") > 1 else 400


def corpus(t, count, poisoned):
    lines = [b"%s %d of the log" % (b"poison" if number in poisoned else b"line", number) for number in range(count)]
    t.write("in.log", b"".join(line + b"\n" for line in lines))
    return lines, [line for line in lines if not line.startswith(b"poison")], [line for line in lines if line.startswith(b"poison")]


def pipeline(t, endpoint, sink="batch: { max_records: 200, linger: 20ms }"):
    t.pipeline(f"""
queue: {{ path: q }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  copy: {{ type: file, path: out.log }}
  post:
    type: http
    url: "{endpoint.url}"
    retry: {{ initial: 10ms, max: 50ms }}
    {sink}
""")


@test("what an endpoint rejected is put back, and reaches it once; the others have had it and get nothing")
def put_back(t):
    choosy = Choosy()
    endpoint = Endpoint(answer=choosy)
    t.later(endpoint.close)
    lines, sound, poison = corpus(t, 2000, {7, 8, 500, 1999})
    pipeline(t, endpoint)
    t.run("--once", "--drain")
    t.same_lines(sound, endpoint.lines, "what the endpoint took at first")
    t.equal(t.sluice("queue", "cat", "--decode", "q.dead-letters").encode().splitlines(), poison, "the dead letters, decoded")
    offsets = [json.loads(line)["offset"] for line in t.sluice("queue", "cat", "q.dead-letters").splitlines()]
    t.equal(offsets, [7, 8, 500, 1999], "the dead letters' offsets")

    for wrong, code in (("nobody", 2), ("copy", 0)):
        t.sluice("queue", "put-back", "q", "--sink", wrong, code=code)
    answer = json.loads(t.sluice("queue", "put-back", "q", "--sink", "post", "--output", "json"))
    t.equal(answer, {"queue": "q", "sink": "post", "records": 4}, "what put-back says")

    choosy.takes_all.set()
    run = t.run("--once", "--drain")
    t.same_lines(sound + poison, endpoint.lines, "what the endpoint has after the put-back")
    t.equal(endpoint.conflicts, [], "one key, one range")
    t.same("in.log", "out.log")
    t.equal("rejects" in run.stderr, False, "nothing was rejected again")

    # Nothing is left to put back, and nothing comes again.
    t.equal(json.loads(t.sluice("queue", "put-back", "q", "--sink", "post", "--output", "json"))["records"], 0, "records left")
    t.run("--once", "--drain")
    t.same_lines(sound + poison, endpoint.lines, "what the endpoint has in the end")
    t.same("in.log", "out.log")


@test("what is rejected again is a dead letter again, once")
def rejected_again(t):
    choosy = Choosy()
    endpoint = Endpoint(answer=choosy)
    t.later(endpoint.close)
    lines, sound, poison = corpus(t, 300, {7, 200})
    pipeline(t, endpoint)
    t.run("--once", "--drain")
    for count in (2, 2):
        answer = json.loads(t.sluice("queue", "put-back", "q", "--sink", "post", "--output", "json"))
        t.equal(answer["records"], count, "records put back")
        t.run("--once", "--drain")
    t.same_lines(sound, endpoint.lines, "what the endpoint took")
    t.equal(t.sluice("queue", "cat", "--decode", "q.dead-letters").encode().splitlines(), poison * 3, "the dead letters, decoded")
    choosy.takes_all.set()
    t.sluice("queue", "put-back", "q", "--sink", "post")
    t.run("--once", "--drain")
    t.same_lines(sound + poison, endpoint.lines, "what the endpoint has in the end")


@test("kill -9 in the middle of rejections and of their delivery loses nothing and doubles nothing", seconds=300)
def killed(t):
    choosy = Choosy()
    endpoint = Endpoint(answer=choosy)
    t.later(endpoint.close)
    count = 3000
    lines, sound, poison = corpus(t, count, {number for number in range(count) if number % 10 == 3})
    pipeline(t, endpoint, "batch: { max_records: 20, linger: 20ms }")
    kills = {"quick": 4, "normal": 8, "full": 20}[t.sizes.name]

    def kill_between(first, last):
        for place in sorted(t.random.uniform(0.05, 0.9) for _ in range(kills)):
            goal = first + place * (last - first)
            run = t.start_run("--once", "--drain")
            t.until(f"{goal:.0f} lines", lambda: len(endpoint.lines) >= goal, alive=run)
            time.sleep(t.random.uniform(0, 0.02))
            run.kill()
        t.run("--once", "--drain")

    kill_between(0, len(sound))
    t.same_lines(sound, endpoint.lines, "what the endpoint took at first")
    t.equal(t.sluice("queue", "cat", "--decode", "q.dead-letters").encode().splitlines(), poison, "each rejected line is a dead letter once")

    choosy.takes_all.set()
    # Each request takes some milliseconds, so that the kills fall into the work.
    taking = endpoint.answer
    endpoint.answer = lambda *request: (time.sleep(0.02), taking(*request))[1]
    with open(t.path("in.log"), "ab") as log:
        log.write(b"new line\n")
    t.equal(json.loads(t.sluice("queue", "put-back", "q", "--sink", "post", "--output", "json"))["records"], len(poison), "records put back")
    kill_between(len(sound), len(lines))
    t.same_lines(sound + poison + [b"new line"], endpoint.lines, "what the endpoint has in the end")
    t.equal(endpoint.conflicts, [], "one key, one range")
    t.same("in.log", "out.log")
    t.note(f"{2 * kills} kills, {endpoint.repeats} repeats under a known key")
