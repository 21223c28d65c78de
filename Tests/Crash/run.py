#!/usr/bin/env python3
"""Kills the real process, and cuts the power of its disk, hundreds of times: is every line there, once, in order?

    python3 Tests/Crash/run.py [--sluice PATH] [--kills 500] [--power-cuts 100] [--seed N]
    python3 Tests/Crash/run.py --system rsyslog
    python3 Tests/Crash/run.py --system syslog-ng [--syslog-ng DIRECTORY]

A thread writes numbered lines into logs/app.log and rotates it by renaming; the system under test copies them through its queue on disk to a file, or to an HTTP endpoint that
takes each Idempotency-Key once. Meanwhile it is ended and started again, over and over. Then it may finish, and what came out is compared with what was written.

The kills (--kills, shared out evenly):
  kill-plain, kill-gz, kill-http    SIGKILL at a random moment, also during start
  call-plain, call-gz, call-http    SIGKILL before the n-th write, sync, rename, deletion, opening … (strace does that)

The power cuts (--power-cuts, shared out evenly): the log, the queue and the output are on an ext4 image, whose power goes by ext4's shutdown ioctl: what was not synced is gone.
Each boot has a boot id of its own.
  power-plain                       default mount options; the writer syncs its lines, so each must come out once
  power-gz                          noauto_da_alloc
  power-writeback                   noauto_da_alloc,data=writeback
  power-http                        the endpoint is another machine: it keeps what it took
  power-unsynced                    noauto_da_alloc,data=writeback; the writer never syncs, so the log itself loses its end. What the log's file system kept must come out; lines may
                                    be doubled only as far as a notice announced it, and what was read before the cut may come out as well

rsyslog and syslog-ng have a disk queue with syncing on, as safe as their settings go; they run the scenarios that their Debian packages can do, at a twelfth of
the speed, since they can't keep up with more.
Prints a line a scenario, and for each bad round what is wrong and how to run it again: the same moments and calls, though threads never meet the same way twice.
The exit code is 0 only if nothing was lost, doubled or out of order. Needs strace; root and a loop device for the power cuts. syslog-ng's package excludes rsyslog's: unpack it
beside it with `dpkg -x`, with libivykis0, libnet1 and libpcre3, and give that with --syslog-ng.
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "EndToEnd"))
sys.dont_write_bytecode = True

import run as end_to_end  # noqa: E402
from crashing import SCENARIOS, Sluice, last_line_of, play  # noqa: E402
from harness import Failure, Sizes, Test  # noqa: E402

# Crashes of one life, after which it may finish and is judged.
KILLS_IN_A_ROUND = 25
CUTS_IN_A_ROUND = 5


class Peer:
    """A system that is configured for one file, and whose end has to be guessed."""

    # What their Debian packages can do; and a log that loses its own end is more than they promise.
    scenarios = ("kill-plain", "call-plain", "power-plain", "power-writeback")
    in_order = True
    # With a sync for each line they can't keep up with more.
    rate = 256 << 10

    def prepare(self, t, kind, root, endpoint):
        self.root = root
        os.mkdir(f"{root}/state")
        self.configure(t)

    def start(self, t, prefix):
        if os.path.exists(f"{self.root}/pid"):
            os.unlink(f"{self.root}/pid")
        return t.start(*prefix, *self.command(t), label="peer", env=self.environment)

    def finish(self, t, prefix, total):
        run = self.start(t, prefix)
        grown, size = time.monotonic(), -1
        # All that can come has come when nothing has for five seconds.
        while time.monotonic() - grown < 5:
            if not run.is_running:
                raise Failure(f"the last run ended with {run.popen.returncode}\n{run.stderr_tail}")
            if t.size(f"{self.root}/out") != size:
                grown, size = time.monotonic(), t.size(f"{self.root}/out")
            time.sleep(0.05)
        run.signal(signal.SIGTERM)
        try:
            run.wait(20)
        except Failure:
            run.kill()

    def last(self, t):
        return last_line_of(f"{self.root}/out")

    def result(self, t):
        return t.read(f"{self.root}/out").split(b"\n")[:-1] if t.size(f"{self.root}/out") else []

    def announced(self, t):
        return 0


class Rsyslog(Peer):
    environment = None

    def __init__(self, options):
        self.program = shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin")
        if not self.program:
            sys.exit("no rsyslogd: apt-get install rsyslog")
        self.version = subprocess.run([self.program, "-v"], capture_output=True, text=True).stdout.split("(")[0].strip()

    def configure(self, t):
        t.write("rsyslog.conf", f"""
global(workDirectory="{self.root}/state")
main_queue(queue.type="Disk" queue.filename="main" queue.checkpointInterval="1" queue.syncQueueFiles="on" queue.saveOnShutdown="on" queue.timeoutEnqueue="2000000000")
module(load="imfile")
template(name="line" type="string" string="%msg%\\n")
input(type="imfile" file="{self.root}/logs/app.log" tag="log" persistStateInterval="1" readMode="0")
action(type="omfile" file="{self.root}/out" template="line" sync="on")
""")

    def command(self, t):
        return [self.program, "-n", "-i", f"{self.root}/pid", "-f", t.path("rsyslog.conf")]


class SyslogNG(Peer):
    def __init__(self, options):
        at = options.syslog_ng
        self.program = shutil.which("syslog-ng", path=f"{at}/usr/sbin" if at else os.environ["PATH"] + ":/usr/sbin")
        if not self.program:
            sys.exit("no syslog-ng; give the directory that it is unpacked in with --syslog-ng")
        libraries = ":".join(f"{at}/{place}" for place in ("usr/lib/syslog-ng", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
        self.environment = {**os.environ, "LD_LIBRARY_PATH": libraries} if at else None
        self.modules = ["--module-path", str(next(pathlib.Path(at).glob("usr/lib/syslog-ng/3*")))] if at else []
        self.version = subprocess.run([self.program, "-V"], capture_output=True, text=True, env=self.environment).stdout.split("\n")[0]

    def configure(self, t):
        t.write("syslog-ng.conf", f"""@version: 3.35
options {{ log-msg-size(65536); stats-freq(0); }};
source s {{ file("{self.root}/logs/app.log" flags(no-parse) follow-freq(0.1)); }};
destination d {{ file("{self.root}/out" fsync(yes) template("$MSG\\n")
  disk-buffer(mem-buf-size(67108864) disk-buf-size(67108864) reliable(yes) dir("{self.root}/state"))); }};
log {{ source(s); destination(d); flags(flow-control); }};
""")

    def command(self, t):
        return [
            self.program, "-F", "--no-caps", *self.modules, "-f", t.path("syslog-ng.conf"), "-R", f"{self.root}/state/persist", "-p", f"{self.root}/pid", "-c",
            f"{self.root}/state/control"]


SYSTEMS = {"sluice": lambda options: Sluice(end_to_end.find_sluice(options.sluice)), "rsyslog": Rsyslog, "syslog-ng": SyslogNG}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=SYSTEMS, default="sluice")
    parser.add_argument("--sluice", help="the program (default: SLUICE, else .build/release/sluice)")
    parser.add_argument("--syslog-ng", help="where syslog-ng's package is unpacked")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--power-cuts", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="SCENARIO", help="these scenarios")
    parser.add_argument("--seed", type=int, help="of everything random")
    parser.add_argument("--round", type=int, default=0, help="the first round of each scenario: with a seed, runs a bad one again")
    parser.add_argument("--keep", action="store_true", help="keep the directories of bad rounds")
    options = parser.parse_args()
    options.seed = random.randrange(1 << 32) if options.seed is None else options.seed
    system = SYSTEMS[options.system](options)
    names = [name for name in options.only or SCENARIOS if name in system.scenarios]
    left_out = [name for name in options.only or SCENARIOS if name not in names]
    print(f"{system.version}; {options.kills} kills, {options.power_cuts} power cuts; seed {options.seed}", flush=True)
    if left_out:
        print(f"not for {options.system}: {', '.join(left_out)}", flush=True)
    began = time.monotonic()
    totals = [0, 0, 0, 0, 0]
    bad = 0
    for name in names:
        power = name.startswith("power")
        group = [one for one in names if one.startswith("power") == power]
        count = options.power_cuts if power else options.kills
        left = count // len(group) + (group.index(name) < count % len(group))
        sums = [0, 0, 0, 0, 0]
        number, failures, since = options.round, 0, time.monotonic()
        lines = rotations = hits = taken_back = 0
        while left > 0:
            crashes = min(left, CUTS_IN_A_ROUND if power else KILLS_IN_A_ROUND)
            left -= crashes
            t = Test(getattr(system, "program", None), Sizes("normal"), options.seed ^ zlib.crc32(f"{name} {number}".encode()))
            error = None
            try:
                verdict = play(system, name, t, crashes)
                lines += verdict.lines
                rotations += verdict.rotations
                hits += verdict.hits
                taken_back = max(taken_back, verdict.taken_back)
                sums = [a + b for a, b in zip(sums, (crashes, len(verdict.lost), max(0, verdict.repeats - verdict.may_repeat), verdict.disorder, len(verdict.foreign)))]
                if not verdict.is_good:
                    error = str(verdict)
            except Failure as failure:
                error, failures = str(failure), failures + 1
            finally:
                t.close(keep=options.keep and error is not None)
            if error:
                bad += 1
                print(f"    {name}, round {number}: {error}", flush=True)
                which = f" --sluice {options.sluice}" if options.sluice else f" --syslog-ng {options.syslog_ng}" if options.syslog_ng else ""
                print(
                    f"    again with: python3 Tests/Crash/run.py --system {options.system}{which} --only {name} --seed {options.seed} --round {number} "
                    f"{'--power-cuts' if power else '--kills'} {crashes}{f'; its directory: {t.directory}' if options.keep else ''}", flush=True)
            number += 1
        totals = [a + b for a, b in zip(totals, sums)]
        print(
            f"{name:15} {sums[0]:4} {'power cuts' if power else 'kills'}: {sums[1]} lost, {sums[2]} doubled, {sums[3]} out of order, {sums[4]} never written; "
            f"{lines} lines, {rotations} rotations, {time.monotonic() - since:.0f} s"
            f"{f'; {hits} at the call aimed at, the others a second after the start' if name.startswith('call') else ''}"
            f"{f'; of the log up to {taken_back} lines were taken back' if name == 'power-unsynced' else ''}"
            f"{f'; {failures} rounds without a result' if failures else ''}", flush=True)
    print(
        f"{options.system}: {totals[0]} crashes: {totals[1]} lost, {totals[2]} doubled, {totals[3]} out of order, {totals[4]} never written, in {time.monotonic() - began:.0f} s",
        flush=True)
    return 1 if bad or not totals[0] else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
