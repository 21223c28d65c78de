#!/usr/bin/env python3
"""Runs `sluice demo` and writes the page of its results: the plots, and the tables between the page's markers.

    python3 Tests/Benchmark/scenarios.py [--only SCENARIO ...] [--results FILE [--redraw]] [--sluice PATH]

With --results the figures are kept in FILE, and of scenarios that are not run now they are taken from there.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

from harness import ROOT
from plot import Axes, Picture

PAGE = ROOT / "Sources/sluice/Documentation.docc/Scenarios.md"
# Beside the page: there both DocC, which wants names without folders, and whoever shows the page as it is find them.
PICTURES = PAGE.parent
MIB, MB = 1 << 20, 1e6


def table(columns, rows):
    return "\n".join(["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)] + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def count(value):
    return f"{value:,}"


def milliseconds(value):
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


# slow-consumer


def slow_consumer(document):
    parts = document["figures"]["parts"]
    size = document["settings"]["max_size"]
    picture = Picture(960, 560, "Under 'wait' the producer's line rises steeply until the queue is at its bound and then follows the consumer's; under 'drop_oldest' it goes on, and what the consumer was told as lost fills the difference.")
    for number, part in enumerate(parts):
        series, left = part["series"], 80 + 480 * number
        seconds = series["seconds"]
        lines = Axes(picture, left, 46, 330, 290, (0, seconds[-1]), (0, max(series["produced_bytes"]) / MB * 1.12), "", "lines, MB", f"overflow: {part['overflow']}")
        if part["seconds_to_bound"] is not None:
            lines.down(part["seconds_to_bound"], "the queue is at its bound", 160 if part["overflow"] == "wait" else 16)
        produced, received = ([value / MB for value in series[name]] for name in ("produced_bytes", "received_bytes"))
        lines.line(seconds, produced, "a")
        lines.line(seconds, received, "b")
        middle = len(seconds) // 2
        lines.label(seconds[middle], produced[middle], "produced", "a", dx=0, dy=-12 if part["overflow"] == "wait" else -4, anchor="middle" if part["overflow"] == "wait" else "end")
        lines.label(seconds[middle], received[middle], "received", "b", dx=-10, dy=-14, anchor="middle")
        if part["lost_records"]:
            mean = part["produced_bytes"] / part["produced_records"]
            passed = [(value + lost * mean) / MB for value, lost in zip(series["received_bytes"], series["lost_records"])]
            lines.line(seconds, passed, "c")
            lines.label(seconds[middle], passed[middle], "received + told as lost", "c", dx=14, dy=24)
        stored = Axes(picture, left, 396, 330, 100, (0, seconds[-1]), (0, size / MIB * 1.25), "seconds", "stored, MiB")
        stored.line(seconds, [value / MIB for value in series["stored_bytes"]], "d")
        stored.across(size / MIB, "max_size")
    rows = [
        [f"`{part['overflow']}`", count(part["produced_records"]), f"{part['bytes_per_second_to_bound'] / MB:,.0f} MB/s", f"{part['producer_waited_seconds']:.1f} s", count(part["received_records"]),
         count(part["lost_records"]), count(part["losses_told"]), f"{part['in_hand_bytes_at_most'] / MIB:.2f} MiB", f"{part['stored_bytes_at_most'] / MIB:.1f} MiB"] for part in parts]
    paces = [[f"{pace['work_milliseconds']:.0f} ms", f"{pace['requests'] / pace['seconds']:.1f}"] for pace in parts[0]["paces"]]
    text = table(["overflow", "produced", "until the bound", "producer waited", "received", "told as lost", "in gaps", "in hand at most", "stored at most"], rows)
    return picture, text + "\n\n" + table(["the consumer's work on a batch", "it asks, a second"], paces)


# realtime


def realtime(document):
    parts, sync = document["figures"]["parts"], document["figures"]["sync"]["latency_milliseconds"]
    longest = max(part["latency_milliseconds"]["longest"] for part in parts)
    picture = Picture(960, 400, "The share of records that had come within a time: one record at a time within one or two milliseconds, in a stream of 20 MB a second within some ten.")
    axes = Axes(picture, 80, 46, 800, 280, (0.1, 10 ** (len(str(int(longest))))), (0, 100), "milliseconds from the producer's hands into the consumer's", "records that had come, %", "a waiting pull", x_log=True)
    axes.down(sync["p50"], f"one sync: {milliseconds(sync['p50'])} ms", 150)
    names = {"idle": ("one record at a time", "a"), "loaded": (f"{document['settings']['load_bytes_per_second'] / MB:.0f} MB/s", "b")}
    for part in parts:
        name, kind = names[part["load"]]
        curve = part["latency_percentiles_milliseconds"]
        axes.line(curve, range(101), kind)
        axes.label(curve[70], 70, name, kind, dx=-10, anchor="end")
        axes.dot(curve[99], 99, kind)
        axes.label(curve[99], 99, f"99 %: {milliseconds(curve[99])} ms", kind, dx=8, dy=20 if part["load"] == "idle" else 38)
    rows = [
        [names[part["load"]][0], count(part["received_records"]), *(milliseconds(part["latency_milliseconds"][name]) for name in ("p50", "p99", "longest")), count(part["requests"]), count(part["empty_answers"])]
        for part in parts]
    rows.append(["one sync of this disk", "", *(milliseconds(sync[name]) for name in ("p50", "p99", "longest")), "", ""])
    return picture, table(["records come", "records", "p50 ms", "p99 ms", "longest ms", "requests", "empty answers"], rows)


# long-poll


def long_poll(document):
    ways = document["figures"]["ways"]
    picture = Picture(960, 120 + 52 * len(ways), "For each way to ask: its requests, how many of them came back empty, and within how many milliseconds half and 99 of 100 records had come.")
    most = max(way["requests"] for way in ways)
    height = 52 * len(ways)
    requests = Axes(picture, 220, 46, 290, height, (0, most * 1.35), (0, len(ways)), "requests", "", "requests, and the empty answers")
    latency = Axes(picture, 560, 46, 360, height, (1, 1000), (0, len(ways)), "milliseconds from the producer's hands into the consumer's", "", "latency, half and 99 % of the records", x_log=True)
    for row, way in enumerate(ways):
        y = len(ways) - row - 0.5
        own = "a" if way["kind"] in ("long_poll", "stream") else "b"
        picture.text(208, requests.at_y(y) + 4, way["name"], "ink", "end")
        requests.bar(y, 20, 0, way["requests"], own)
        requests.bar(y, 8, 0, way["empty_answers"], "e")
        empty = f", {way['empty_answers']:,} empty" if way["empty_answers"] else ""
        requests.label(way["requests"], y, f"{way['requests']:,}{empty}", "ink")
        found = way["latency_milliseconds"]
        latency.bar(y, 6, found["p50"], found["p99"], own)
        latency.dot(found["p50"], y, own)
        latency.label(found["p50"], y, milliseconds(found["p50"]), "ink", dx=-9, anchor="end")
        latency.label(found["p99"], y, milliseconds(found["p99"]), "ink")
    # The vertical axes here have names, not numbers: what they number is covered.
    picture.parts = [part for part in picture.parts if 'text-anchor="end" font-size="12"' not in part]
    rows = [
        [way["name"], count(way["requests"]), count(way["empty_answers"]), *(milliseconds(way["latency_milliseconds"][name]) for name in ("p50", "p99", "longest"))] for way in ways]
    return picture, table(["way", "requests", "empty answers", "p50 ms", "p99 ms", "longest ms"], rows)


# offline


def offline(document):
    figures, series = document["figures"], document["figures"]["series"]
    seconds = series["seconds"]
    span = document["settings"]["span_seconds"]
    picture = Picture(960, 620, "The producer's rate is flat whoever is away; each consumer's lag rises while it is away and falls to nothing when it is back; the one with a bounded hold begins to lose records, about when that was estimated.")
    everyone = [max(one["away_seconds"][0] for one in figures["consumers"]), min(one["away_seconds"][1] for one in figures["consumers"])]
    most = max(value for one in figures["consumers"] for value in series[f"lag_records_{one['name']}"])
    lag = Axes(picture, 80, 46, 760, 270, (0, span), (0, most / 1e3 * 1.15), "", "lag, thousand records", "what each consumer has not read yet")
    lag.shade(*everyone, "all away")
    kinds = dict(zip((one["name"] for one in figures["consumers"]), "acb"))
    for one in figures["consumers"]:
        values = [value / 1e3 for value in series[f"lag_records_{one['name']}"]]
        lag.line(seconds, values, kinds[one["name"]])
        top = max(range(len(values)), key=values.__getitem__)
        lag.label(seconds[top], values[top], f"{one['name']}, hold: {one['hold']}", kinds[one["name"]], dx=8, dy=-8)
        if one["first_loss_at_seconds"] is not None:
            lag.down(one["first_loss_at_seconds"], "")
            words = [f"{one['name']} loses its first", f"at {one['first_loss_at_seconds']:.1f} s"]
            right = one["first_loss_at_seconds"]
            if one["estimate"]:
                lag.down(one["estimate"]["loss_at_seconds"], "")
                words += [f"estimated: {one['estimate']['loss_at_seconds']:.1f} s", f"(at {one['estimate']['at_seconds']:.1f} s)"]
                right = max(right, one["estimate"]["loss_at_seconds"])
            for row, line in enumerate(words):
                lag.label(right, 0, line, "faint", dy=16 * row - 106)
    rate = Axes(picture, 80, 380, 760, 70, (0, span), (0, document["settings"]["bytes_per_second"] / MB * 1.6), "", "MB/s", "what is produced")
    rates = [(b - a) / (t - s) / MB for s, t, a, b in zip(seconds, seconds[1:], series["produced_bytes"], series["produced_bytes"][1:]) if t - s > 0.1]
    ends = [t for s, t in zip(seconds, seconds[1:]) if t - s > 0.1]
    rate.shade(*everyone)
    rate.line(ends, rates, "d")
    size = document["settings"]["max_size"]
    stored = Axes(picture, 80, 500, 760, 70, (0, span), (0, size / MIB * 1.3), "seconds", "MiB", "what is stored")
    stored.shade(*everyone)
    stored.line(seconds, [value / MIB for value in series["stored_bytes"]], "d")
    stored.across(size / MIB, "max_size")
    rows = [
        [f"`{one['name']}`", f"`{one['hold']}`", "{:.0f} to {:.0f} s".format(*one["away_seconds"]), count(one["lag_at_return"]), count(one["received_records"]), count(one["lost_records"]),
         f"{one['caught_up_after_seconds']:.2f} s" if one["caught_up_after_seconds"] is not None else ""] for one in figures["consumers"]]
    phases = [[phase["name"], "{:.0f} to {:.0f} s".format(*phase["seconds"]), f"{phase['produced_bytes_per_second'] / MB:.1f} MB/s", f"{phase['longest_write_milliseconds']:.1f} ms"] for phase in figures["phases"]]
    text = table(["consumer", "hold", "away", "lag at return", "received", "told as lost", "caught up after"], rows)
    return picture, text + "\n\n" + table(["consumers", "seconds", "produced", "slowest write"], phases)


SCENARIOS = {"slow-consumer": slow_consumer, "realtime": realtime, "long-poll": long_poll, "offline": offline}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--results", type=pathlib.Path, help="keep the figures there, and take those from there that are not measured now")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: draw what --results has")
    parser.add_argument("--sluice", default=str(ROOT / ".build/release/sluice"))
    options = parser.parse_args()
    if not os.access(options.sluice, os.X_OK):
        sys.exit(f"{options.sluice} isn't there: swift build -c release --product sluice, or give another with --sluice")
    known = json.loads(options.results.read_text()) if options.results and options.results.exists() else {}
    for name in [] if options.redraw else options.only:
        print(f"{name} …", file=sys.stderr, flush=True)
        known[name] = json.loads(subprocess.run([options.sluice, "demo", name, "--output", "json"], check=True, capture_output=True, text=True).stdout)
    if options.results:
        options.results.write_text(json.dumps(known))
    page = PAGE.read_text(encoding="utf-8")
    for name, document in known.items():
        picture, text = SCENARIOS[name](document)
        picture.write(PICTURES / f"scenario-{name}.svg")
        begin, end = f"<!-- figures: {name} -->", "<!-- end of figures -->"
        page, changed = re.subn(re.escape(begin) + ".*?" + re.escape(end), lambda _: f"{begin}\n\n{text}\n\n{end}", page, count=1, flags=re.DOTALL)
        if changed != 1:
            sys.exit(f"{PAGE} has no markers for {name}")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
