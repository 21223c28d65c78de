"""A backlog costs disk, not memory."""

import os
import time

import corpus
from harness import test

MOST_MEMORY = 96 << 20


@test("a backlog costs no memory while it grows, is served by the next start, and none while it is drained into a plain and a .gz file at once", seconds=240)
def backlog(t):
    count = corpus.write(t.path("in.log"), t.sizes.backlog, t.seed)
    hour = (time.gmtime().tm_hour + 6) % 24

    def pipeline(pull):
        t.pipeline(f"""
queue: {{ path: q, max_size: 64GiB }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  plain: {{ type: file, path: out.log{pull} }}
  packed: {{ type: file, path: out.log.gz{pull} }}
""")

    def in_bounds(run, when):
        memory = run.status("VmHWM")
        t.note(f"{memory >> 20} MiB {when}")
        t.true(memory < MOST_MEMORY, f"less than {MOST_MEMORY >> 20} MiB {when}, found {memory >> 20}")

    pipeline(f', pull: {{ window: "{hour:02}:00-{hour:02}:30" }}')
    run = t.started(t.start_run())
    t.until("all lines to be in the queue", lambda: t.show()["durable_end"] >= count, seconds=120, alive=run)
    in_bounds(run, "while it grew")
    t.stop(run)
    t.equal((t.size("out.log"), t.size("out.log.gz")), (0, 0), "what the closed windows let through")
    pipeline("")
    began = time.monotonic()
    run = t.start_run()
    t.until("the first byte", lambda: t.size("out.log") > 0, alive=run)
    t.note(f"{time.monotonic() - began:.2f} s from the start to the first byte, with {t.sizes.backlog >> 20} MiB waiting")
    t.until("all to be written plain", lambda: t.size("out.log") == t.size("in.log"), seconds=120, alive=run)
    t.until("all to be committed", lambda: all(one["lag_records"] == 0 for one in t.show()["consumers"]), seconds=120, alive=run)
    in_bounds(run, "while it was drained")
    t.stop(run)
    t.same("in.log", "out.log")
    os.mkfifo(t.path("unpacked"))
    t.start("sh", "-c", "zcat out.log.gz > unpacked")
    t.call("cmp", "in.log", "unpacked", seconds=600)
