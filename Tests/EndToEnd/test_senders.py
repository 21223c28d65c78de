"""Senders that everybody has: logger, rsyslogd, and Python's SysLogHandler, over UDP into JSON lines."""

import json
import logging
import logging.handlers
import os
import signal
import socket

import corpus
from endpoints import free_port
from harness import test


def receive(t):
    """Starts a pipeline from a UDP port into out.log; gives the process and the port once it listens."""
    port = free_port(socket.SOCK_DGRAM)
    t.pipeline(f"""
queue: {{ path: q, max_size: 64MiB }}
sources: {{ network: {{ type: syslog, listen: "udp://127.0.0.1:{port}", format: json }} }}
sinks: {{ out: {{ type: file, path: out.log }} }}
""")
    run = t.start_run()
    t.until("the socket to be open", lambda: "syslog: listening" in run.stderr, alive=run)
    return run, port


def received(t, run, count):
    """Waits for `count` records in out.log, ends the run by SIGTERM, and gives exactly that many."""
    t.until(f"{count} lines in out.log", lambda: t.size("out.log") and t.read("out.log").count(b"\n") >= count, alive=run)
    run.signal(signal.SIGTERM)
    t.equal(run.wait(15), 0, f"exit code after SIGTERM\n{run.stderr_tail}")
    records = [json.loads(line) for line in t.read("out.log").split(b"\n")[:-1]]
    t.equal(len(records), count, "records")
    shown = t.show("q", "--gaps")
    t.equal((shown["total_records"], shown["total_lost"], shown["gaps"]), (count, 0, []), "records, lost and gaps in the queue")
    for record in records:
        t.equal(record["peer"], "127.0.0.1", "who sent it")
        t.true(record["received_at"].endswith("Z"), f"a time of receiving in UTC, found {record['received_at']}")
        t.true("parse_error" not in record, f"a message that was understood: {record}")
    return records


def has(t, record, **fields):
    """The record has these fields; None stands for a field that isn't there."""
    t.equal({name: record.get(name) for name in fields}, fields, "the record's fields")


@test("logger's messages of RFC 3164 become JSON lines with their fields")
def logger_rfc3164(t):
    run, port = receive(t)
    send = [t.program("logger"), "--server", "127.0.0.1", "--port", port, "--udp", "--rfc3164"]
    t.call(*send, "--tag", "shop", "--priority", "local3.warning", "order 17 is late")
    t.call(*send, "--tag", "shop", "--priority", "daemon.info", "--id=4711", "with a process: grüße\tand a tab")
    t.call(*send, "--tag", "kern", "--priority", "user.emerg", '"quotes" and \\ backslashes')
    first, second, third = received(t, run, 3)
    has(
        t, first, facility=19, facility_name="local3", severity=4, severity_name="warning", hostname=socket.gethostname().split(".")[0],
        app_name="shop", proc_id=None, message="order 17 is late")
    has(t, second, facility=3, facility_name="daemon", severity=6, severity_name="info", app_name="shop", proc_id="4711", message="with a process: grüße\tand a tab")
    has(t, third, facility=1, facility_name="user", severity=0, severity_name="emerg", app_name="kern", message='"quotes" and \\ backslashes')
    t.true(first["timestamp"][:4] == first["received_at"][:4], "a year, which RFC 3164 doesn't tell")


@test("logger's messages of RFC 5424 become JSON lines with their fields")
def logger_rfc5424(t):
    run, port = receive(t)
    send = [t.program("logger"), "--server", "127.0.0.1", "--port", port, "--udp", "--rfc5424"]
    t.call(
        *send, "--tag", "shop", "--priority", "auth.err", "--id=4711", "--msgid", "LOGIN", "--sd-id", "origin@32473", "--sd-param", 'ip="192.0.2.7"',
        "--sd-param", 'note="a \\"b\\" c"', "who is there: grüße")
    t.call(*send, "--tag", "shop", "--priority", "local7.debug", "nothing special")
    first, second = received(t, run, 2)
    has(
        t, first, facility=4, facility_name="auth", severity=3, severity_name="err", app_name="shop", proc_id="4711", msg_id="LOGIN", message="who is there: grüße")
    t.equal(first["structured_data"]["origin@32473"], {"ip": "192.0.2.7", "note": 'a "b" c'}, "the structured data that was given")
    t.contains(first["structured_data"], "timeQuality", "the structured data of logger itself")
    has(t, second, facility=23, facility_name="local7", severity=7, severity_name="debug", app_name="shop", proc_id=None, msg_id=None, message="nothing special")


@test("a file that rsyslogd forwards over UDP arrives line by line as JSON")
def rsyslog_file(t):
    rsyslogd = t.program("rsyslogd")
    run, port = receive(t)
    count = 2_000
    expected = [line[:-1].decode() for line in corpus.lines(count, t.seed)]
    t.write("app.log", "".join(line + "\n" for line in expected))
    os.mkdir(t.path("work"))
    # A datagram a line, without pauses, so that the kernel's buffer matters: Sluice's default is large enough for all of it.
    t.write("rsyslog.conf", f"""
global(workDirectory="{t.path('work')}")
module(load="imfile" mode="inotify")
input(type="imfile" File="{t.path('app.log')}" Tag="shop:" Severity="notice" Facility="local2" readMode="0" freshStartTail="off")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="udp" template="RSYSLOG_SyslogProtocol23Format")
""")
    sender = t.start(rsyslogd, "-n", "-f", t.path("rsyslog.conf"), "-i", t.path("rsyslogd.pid"))
    records = received_from(t, run, sender, expected)
    has(t, records[0], facility=18, facility_name="local2", severity=5, severity_name="notice", app_name="shop")


def received_from(t, run, sender, expected):
    """Waits for the application's lines and the end of the daemon; its own messages (that it started) are no part of them."""

    def ours():
        if not t.size("out.log"):
            return []
        return [record for record in map(json.loads, t.read("out.log").split(b"\n")[:-1]) if record.get("app_name") == "shop"]

    t.until(f"{len(expected)} lines in out.log", lambda: len(ours()) >= len(expected), alive=[run, sender])
    sender.signal(signal.SIGTERM)
    t.equal(sender.wait(15), 0, f"exit code of rsyslogd\n{sender.stderr_tail}")
    run.signal(signal.SIGTERM)
    t.equal(run.wait(15), 0, f"exit code after SIGTERM\n{run.stderr_tail}")
    records = ours()
    t.same_lines(expected, [record["message"] for record in records], "the messages")
    t.equal(t.show("q", "--gaps")["gaps"], [], "gaps")
    return records


@test("what rsyslogd receives and forwards in the form of RFC 3164 keeps its host, program and process")
def rsyslog_relay(t):
    rsyslogd, logger = t.program("rsyslogd"), t.program("logger")
    run, port = receive(t)
    relay = free_port(socket.SOCK_DGRAM)
    os.mkdir(t.path("work"))
    t.write("rsyslog.conf", f"""
global(workDirectory="{t.path('work')}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{relay}" ruleset="relay")
ruleset(name="relay") {{ action(type="omfwd" target="127.0.0.1" port="{port}" protocol="udp" template="RSYSLOG_TraditionalForwardFormat") }}
""")
    sender = t.start(rsyslogd, "-n", "-f", t.path("rsyslog.conf"), "-i", t.path("rsyslogd.pid"))
    # Bound on one side only, so a first datagram would be lost: the kernel's table says when the relay's socket is there.
    t.until("rsyslogd to listen", lambda: is_bound(relay), alive=sender)
    expected = [f"message {number} of the switch" for number in range(20)]
    for message in expected:
        t.call(
            logger, "--server", "127.0.0.1", "--port", relay, "--udp", "--rfc3164", "--tag", "shop", "--id=99", "--priority", "local1.crit", message)
    records = received_from(t, run, sender, expected)
    for record in records:
        has(t, record, facility=17, severity=2, severity_name="crit", hostname=socket.gethostname().split(".")[0], app_name="shop", proc_id="99", peer="127.0.0.1")


def is_bound(port):
    with open("/proc/net/udp") as file:
        return any(line.split()[1].endswith(f":{port:04X}") for line in file.readlines()[1:])


@test("Python's SysLogHandler is understood, with a program's name and without")
def python_handler(t):
    run, port = receive(t)
    handler = logging.handlers.SysLogHandler(("127.0.0.1", port), facility=logging.handlers.SysLogHandler.LOG_LOCAL5)
    t.later(handler.close)
    log = logging.Logger("shop")
    log.addHandler(handler)
    handler.ident = "shop: "
    log.error("no stock of %s", "Käse")
    handler.ident = "shop[12]: "
    log.critical("on fire")
    handler.ident = ""
    log.warning("nobody in particular")
    handler.ident = "shop: "
    try:
        raise ValueError("a stack trace has several lines")
    except ValueError:
        log.exception("it failed")
    named, process, nobody, trace = received(t, run, 4)
    has(t, named, facility=21, facility_name="local5", severity=3, severity_name="err", app_name="shop", proc_id=None, message="no stock of Käse")
    has(t, process, severity=2, severity_name="crit", app_name="shop", proc_id="12", message="on fire")
    has(t, nobody, severity=4, severity_name="warning", app_name=None, message="nobody in particular")
    t.true(trace["message"].startswith("it failed\nTraceback (most recent call last):\n"), f"a message of several lines in one record: {trace['message']!r}")
