"""`sluice demo`: each scenario ends well within a minute, its figures add up, and nothing of it is left behind. Counts are looked at, never times."""

import json
import os
import signal

from harness import test
from watched import Watched

ESCAPE = b"\x1b["


def environment(t):
    """Where the demonstration's directory is made: one that must be empty afterwards."""
    os.makedirs(t.path("tmp"), exist_ok=True)
    return os.environ | {"TMPDIR": t.path("tmp")}


def nothing_left(t):
    t.equal(os.listdir(t.path("tmp")), [], "what is left of the demonstration's directory")


def figures(t, scenario, *options):
    """The document of a scenario that ended with 0, its common parts looked at."""
    document = json.loads(t.sluice("demo", scenario, "--output", "json", *options, env=environment(t), seconds=60))
    nothing_left(t)
    t.equal(document["scenario"], scenario, "the scenario's name")
    t.true(document["checks"] and all(check["holds"] for check in document["checks"]), f"all checks hold, found {document['checks']}")
    return document


def same_length(t, series, *growing):
    """A series has as many values of each figure, and what is counted never falls."""
    t.equal({len(values) for values in series.values()}, {len(series["seconds"])}, "the lengths of a series' figures")
    t.true(len(series["seconds"]) > 10, "a series has more than a few values")
    for name in ("seconds", *growing):
        t.true(all(one <= next for one, next in zip(series[name], series[name][1:])), f"{name} never falls")


@test("demo slow-consumer: the producer waits and nothing is lost, or goes on and the loss is told exactly; the consumer asks less often when it has less time")
def slow_consumer(t):
    document = figures(t, "slow-consumer")
    waiting, dropping = document["figures"]["parts"]
    t.equal((waiting["overflow"], dropping["overflow"]), ("wait", "drop_oldest"), "the policies")
    for part in (waiting, dropping):
        t.equal(part["received_records"] + part["lost_records"], part["produced_records"], f"received and lost records of {part['overflow']}")
        t.true(part["stored_bytes_at_most"] <= document["settings"]["max_size"], "the queue kept its bound")
        t.true(part["in_hand_bytes_at_most"] <= document["settings"]["batch_bytes"], "the consumer kept its bound")
        same_length(t, part["series"], "produced_bytes", "received_bytes", "lost_records", "requests")
        t.equal((part["series"]["produced_bytes"][-1], part["series"]["received_bytes"][-1]), (part["produced_bytes"], part["received_bytes"]), "the series' last values")
    t.equal((waiting["lost_records"], waiting["received_bytes"]), (0, waiting["produced_bytes"]), "what is lost when the producer waits")
    t.true(waiting["producer_waits"] > 0, "the producer was suspended")
    t.true(dropping["lost_records"] > 0 and dropping["losses_told"] > 0, "the loss was told")
    quick, slow = waiting["paces"]
    t.true(quick["requests"] > slow["requests"] > 0, f"fewer requests when there is less time, found {quick} and {slow}")


@test("demo realtime: each record comes, in one answer each when they come singly")
def realtime(t):
    document = figures(t, "realtime")
    for part in document["figures"]["parts"]:
        t.equal(part["received_records"], part["produced_records"], f"records of {part['load']}")
        curve = part["latency_percentiles_milliseconds"]
        t.equal((len(curve), curve), (101, sorted(curve)), "the percentiles")
        t.equal((curve[50], curve[99], curve[100]), tuple(part["latency_milliseconds"][name] for name in ("p50", "p99", "longest")), "their summary")
    idle = document["figures"]["parts"][0]
    t.equal(idle["produced_records"], document["settings"]["trickle_records"], "records one at a time")
    t.true(idle["requests"] <= idle["received_records"] + 20, f"about one request a record, found {idle['requests']}")


@test("demo long-poll: all ways get all records; who polls in short intervals makes more requests and gets more empty answers than a long poll")
def long_poll(t):
    document = figures(t, "long-poll", "--scale", "10", "--seed", "7")
    t.equal((document["time_scale"], document["seed"]), (10, 7), "scale and seed")
    found = document["figures"]
    t.equal(found["produced_records"], document["settings"]["records"], "records produced")
    for way in found["ways"]:
        t.equal(way["received_records"], found["produced_records"], f"records of '{way['name']}'")
        t.true(way["empty_answers"] <= way["requests"], f"empty answers of '{way['name']}'")
    same_length(t, found["series"], "produced_records", *(f"{name}_{number + 1}" for number in range(len(found["ways"])) for name in ("requests", "empty_answers")))
    by_kind = {way["kind"]: way for way in found["ways"]}
    fixed = [way for way in found["ways"] if way["kind"] == "fixed"]
    short, long_poll = min(fixed, key=lambda way: way["interval_seconds"]), by_kind["long_poll"]
    # The silence alone is so many intervals; a long poll waits through it.
    t.true(short["empty_answers"] > 100, f"empty answers of short intervals, found {short['empty_answers']}")
    for way in (*fixed, by_kind["adaptive"]):
        t.true(long_poll["empty_answers"] < way["empty_answers"], f"fewer empty answers than '{way['name']}': {long_poll['empty_answers']} and {way['empty_answers']}")
    t.true(long_poll["empty_answers"] <= 2, f"empty answers of a long poll, found {long_poll['empty_answers']}")
    stream = by_kind["stream"]
    t.true(stream["requests"] < long_poll["requests"], f"fewer requests by a stream and its commits than by long polls, found {stream['requests']} and {long_poll['requests']}")
    t.true(stream["empty_answers"] <= 2, f"heartbeats of a stream, found {stream['empty_answers']}")
    t.true(by_kind["adaptive"]["empty_answers"] < short["empty_answers"], "an adaptive interval has fewer empty answers than the shortest")


@test("demo offline: who was away goes on where it was, and only who was beyond its hold lost records, as many as it was told")
def offline(t):
    document = figures(t, "offline")
    found = document["figures"]
    for consumer in found["consumers"]:
        t.equal(consumer["received_records"] + consumer["lost_records"], found["produced_records"], f"received and lost records of {consumer['name']}")
        t.equal((consumer["lost_records"] > 0, consumer["losses_told"]), (consumer["hold"] != "all",) + ((0,) if consumer["hold"] == "all" else (1,)), f"losses of {consumer['name']}")
        t.true(consumer["lag_at_return"] > 0, f"{consumer['name']} had something to catch up with")
    bounded = next(consumer for consumer in found["consumers"] if consumer["hold"] != "all")
    t.true(bounded["estimate"]["loss_at_seconds"] is not None, "an estimate of when it loses records was told")
    t.equal(sum(phase["produced_bytes"] for phase in found["phases"]), found["produced_bytes"], "bytes of all phases")
    same_length(t, found["series"], "produced_records", *(f"lost_records_{consumer['name']}" for consumer in found["consumers"]))
    t.true(max(found["series"]["stored_bytes"]) <= document["settings"]["max_size"], "the queue kept its bound")


@test("a demonstration that is stopped ends its server and removes its queue; a pipe gets the summary alone")
def stopped(t):
    for scenario, name in (("slow-consumer", signal.SIGINT), ("realtime", signal.SIGTERM), ("long-poll", signal.SIGINT), ("offline", signal.SIGINT)):
        process = t.start_sluice("demo", scenario, env=environment(t))

        def at_work():
            roots = [root for root, _, files in os.walk(t.path("tmp")) if any(file.endswith(".active") for file in files)]
            return roots and any(os.stat(os.path.join(root, file)).st_size > 0 for root in roots for file in os.listdir(root))

        t.until(f"{scenario} to be at work", at_work, alive=process)
        process.signal(name)
        t.equal(process.wait(20), 1, f"exit code of {scenario} after {name.name}")
        t.equal(process.stderr, "sluice: the demonstration was stopped before its end; nothing of it is left behind\n", "what it says")
        t.equal(process.stdout, "", "its standard output")
        nothing_left(t)
    summary = t.start_sluice("demo", "long-poll", "--scale", "10", env=environment(t))
    t.equal(summary.wait(60), 0, "exit code")
    t.equal((summary.stderr, "\x1b" in summary.stdout), ("", False), "nothing but the summary in a pipe")
    t.contains(summary.stdout, "long poll, 20 s", "the summary's table")
    t.true(all(line.startswith("ok ") for line in summary.stdout.rpartition("\n\n")[2].splitlines()), "every check is told as ok")


@test("on a terminal a demonstration explains itself, shows live figures, and ends with the summary")
def live(t):
    watched = Watched(t, t.sluice_path, "demo", "long-poll", "--scale", "10", columns=140, env=environment(t))
    code, _ = watched.end(seconds=60)
    t.equal(code, 0, "exit code")
    explanation, _, rest = watched.seen.partition(b"records have come")
    t.contains(explanation.decode(), "A long poll waits inside the server", "the explanation")
    t.true(rest.count(b"records have come") > 5 and ESCAPE in rest, "live figures")
    summary = rest.rpartition(ESCAPE + b"J")[2].decode()
    t.contains(summary, "Time went 10.0 times as fast", "the summary")
    t.true("records have come" not in summary, "the live figures are gone")
    nothing_left(t)


@test("without a directory for temporary files a demonstration says what to do")
def no_directory(t):
    process = t.start_sluice("demo", "offline", env=os.environ | {"TMPDIR": t.path("nowhere")})
    t.equal(process.wait(20), 1, "exit code")
    t.contains(process.stderr, "TMPDIR", "the remedy")
