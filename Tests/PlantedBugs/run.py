#!/usr/bin/env python3
"""Plants one bug at a time into a copy of the sources and shows which test fails: tests that let one of these through prove nothing.

    python3 Tests/PlantedBugs/run.py [--only WORDS] [--copy DIRECTORY] [--patience SECONDS]

Each bug is a few replacements in the sources. A text that isn't there exactly once any more stops the run before anything is built: whoever changed it decides what the bug is now.
The copy is built without SwiftNIO, in debug; give --copy a directory to keep it, and with it the build, for the next time. A bug counts as caught when a test records an issue, when the
test process dies, or when it hasn't ended after --patience seconds. The exit code is 1 if one was let through, or if the tests fail without any.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QUEUE = "SegmentQueueTests"
LOG = "Sources/SegmentQueue/Log/"

# name, tests to run, then (file, text, replacement)...
BUGS = [
    ("an append is acknowledged without a sync", QUEUE,
     ("Sources/SegmentQueue/Writing/SegmentQueue+Syncing.swift", "try point.file.sync()", "_ = try point.file.status()")),
    ("a commit is not synced", QUEUE,
     ("Sources/SegmentQueue/Cursors/CursorFile.swift", "      try file.sync()\n", "")),
    ("a commit goes into the newer slot", QUEUE,
     ("Sources/SegmentQueue/Cursors/CursorFile.swift", "let index = Int(record.generation % 2)\n      // Until", "let index = slots[0] == current ? 0 : 1\n      // Until")),
    ("a segment is unlinked before its losers are told", QUEUE,
     ("Sources/SegmentQueue/Maintenance/SegmentQueue+Retention.swift",
      "    for name in losers {\n      guard let consumer = consumers.withLock({ $0[name] }) else { continue }\n      try consumer.lose(upTo: newStart, reason, gaps: gaps)\n    }\n    try store.deleteFirst(segment)\n",
      "    try store.deleteFirst(segment)\n    for name in losers {\n      guard let consumer = consumers.withLock({ $0[name] }) else { continue }\n      try consumer.lose(upTo: newStart, reason, gaps: gaps)\n    }\n")),
    ("a segment goes before the deletion of an earlier one is on the disk", QUEUE,
     ("Sources/SegmentQueue/Maintenance/SegmentQueue+Retention.swift", "    try store.settleDeletions()\n    let newStart", "    let newStart")),
    ("a loss stands in one slot only", QUEUE,
     ("Sources/SegmentQueue/Cursors/QueueConsumer.swift", "for _ in 0..<2 where file.needed < newStart", "for _ in 0..<1 where file.needed < newStart")),
    ("a roll doesn't sync the directory", QUEUE,
     (LOG + "LogWriter.swift", "      try directory.sync()\n    } catch {\n      if", "    } catch {\n      if")),
    ("a roll doesn't sync its snapshot", QUEUE,
     (LOG + "LogWriter.swift", "      try file.sync()\n      if state == .temporary", "      if state == .temporary")),
    ("a file is replaced without a sync of the directory", QUEUE,
     ("Sources/DurableFiles/FileSystem.swift", "    try rename(temporary, to: name)\n    try sync()\n", "    try rename(temporary, to: name)\n")),
    ("a file is replaced before it is synced", QUEUE,
     ("Sources/DurableFiles/FileSystem.swift", "    try file.sync()\n    try rename(temporary, to: name)\n", "    try rename(temporary, to: name)\n    try file.sync()\n")),
    ("an offset is given twice", QUEUE,
     (LOG + "Recovery.swift", "    let end = max(found.end, durableEnd)\n", "    let end = found.end\n")),
    ("a block's checksum is ignored", "SegmentQueueTests|RecordBlocksTests",
     ("Sources/RecordBlocks/StoredBlock.swift", "guard checksum == header.bodyChecksum else { throw .bodyChecksum }", "_ = checksum")),
    ("recovered blocks are published before they are synced", QUEUE,
     (LOG + "Recovery.swift", "if found.headers.contains(where: { $0.header.kind != .snapshot && $0.header.base >= durableEnd }) {", "if false {"),
     (LOG + "Recovery.swift", "do throws(FileError) { try found.file.sync() } catch {", "do throws(FileError) { _ = try found.file.status() } catch {"),
     (LOG + "Recovery.swift", "    try writer.active.file.sync()\n    let (end, position)", "    let (end, position)")),
    ("blocks whose sync may have failed are synced where they are", QUEUE,
     (LOG + "Recovery.swift", "if found.headers.contains(where: { $0.header.kind != .snapshot && $0.header.base >= durableEnd }) {", "if false {")),
    ("a closed queue is kept by its readers", QUEUE,
     ("Sources/SegmentQueue/SegmentQueue+Consumers.swift", "durableEnd: { [unowned self] in durableEnd }", "durableEnd: { [self] in durableEnd }")),
    ("a failed sync is tried again on the same file", QUEUE,
     ("Sources/SegmentQueue/Writing/SegmentQueue+Syncing.swift", "do throws(FileError) { try point.file.sync() } catch { failure = error }",
      "do throws(FileError) { try point.file.sync() } catch { do throws(FileError) { try point.file.sync() } catch { failure = error } }")),
    ("a failed sync of a cursor is tried again on the same file", QUEUE,
     ("Sources/SegmentQueue/Cursors/CursorFile.swift", "      isSpoilt = true\n", "")),
    ("a sound block is kept behind a lost one", QUEUE,
     (LOG + "Recovery.swift", "walk.damage.first(where: { $0.first >= durableEnd || $0.resumesAt == nil })", "walk.damage.first(where: { $0.resumesAt == nil })")),
    ("a snapshot tells checkpoints that are not yet durable", QUEUE,
     ("Sources/SegmentQueue/Writing/WriterThread.swift", "      return (state.unsynced, state.table, state.durableEnd, state.durableTally)\n",
      "      var table = state.table\n      for entry in state.unsynced { table.apply(entry.block.header.entries) }\n      return (state.unsynced, table, state.durableEnd, state.durableTally)\n")),
    ("a segment is unlinked before its copy's rename is synced", QUEUE,
     ("Sources/SegmentQueue/Maintenance/Sealer.swift", "    try directory.sync()\n    try directory.unlink(active)\n", "    try directory.unlink(active)\n")),
    ("a segment's copy is renamed before it is synced", QUEUE,
     ("Sources/SegmentQueue/Maintenance/Sealer.swift", "      try output.sync()\n", "")),
    ("a batch is sent before its end is committed", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/DeliveryLoop.swift", "try consumer.commit(cursor, inFlightEnd: inFlightEnd,", "try consumer.commit(cursor, inFlightEnd: nil,")),
    ("a dead letter is not waited for", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/DeadLetterMail.swift", "    try await box.settled()\n", "")),
    ("a dead letter that is there already is written again", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/DeadLetterMail.swift", "      writtenUpTo = settledEnd\n", "      writtenUpTo = .zero\n")),
    ("what is a dead letter already is sent again after a crash", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Supervision/PipelineRunner.swift", "    try? consumer.commit(end)\n", "")),
    ("a put-back is answered before it is on the disk", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/DeadLetterBox.swift",
      "      try consumer.commit(consumer.cursor, inFlightEnd: consumer.inFlightEnd, sinkState: Self.bytes(of: count.end))\n", "")),
    ("output that can be cut back is committed without the place among the dead letters", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/DeliveryLoop+PutBack.swift", "PutBackMark.wrapped(bytes, with: mark)", "PutBackMark.wrapped(bytes, with: nil)")),
    ("a batch of dead letters is sent before its end is committed", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/DeliveryLoop+PutBack.swift", "try box.commit(cursor, inFlightEnd: inFlightEnd,", "try box.commit(cursor, inFlightEnd: nil,")),
    ("the file sink commits what it has not synced", "FileSinkTests",
     ("Sources/FileSink/OutputFile.swift", "    try file.sync()\n", "")),
    ("the file sink makes a file whose name is not synced", "FileSinkTests",
     ("Sources/FileSink/FileSinkEngine+Change.swift", "do throws(FileError) { try directory.sync() } catch {", "do throws(FileError) { _ = try directory.names() } catch {")),
    ("a snapshot forgets the keys", QUEUE,
     (LOG + "CheckpointTable.swift", "    entries += keys.bodies.map(BlockEntry.key)\n", "")),
    ("a sealed segment's keyed block has others' records too", QUEUE,
     ("Sources/SegmentQueue/Maintenance/Sealer.swift", "last.keyedBody == nil && header.keyedBody == nil && ", "")),
    ("a key in flight is not waited for", QUEUE,
     ("Sources/SegmentQueue/Writing/SegmentQueue+Keys.swift", "guard state.keysInFlight[key.text] != nil else {", "guard false else {")),
    ("a keyed block shares its header's key with the source's other records", QUEUE,
     ("Sources/SegmentQueue/Writing/SegmentQueue+Keys.swift", "      if let block = state.close(writer.id, now: now) { closed.append(block) }\n      let block = OpenBlock(batch, firstTime: wall, deadline: now)\n",
      "      let block = state.open[writer.id] ?? OpenBlock(RecordBatch(), firstTime: wall, deadline: now)\n      block.batch.append(contentsOf: batch)\n")),
    ("an epoch's places are admitted for ever", QUEUE,
     ("Sources/SegmentQueue/Reading/SegmentQueue+Reading.swift", "return place.offset <= next.first", "return next.number > 0")),
    ("a wait that is cancelled stays", QUEUE,
     ("Sources/SegmentQueue/SegmentQueue.swift", "      monitor.withLock { $0.recordWaiters.take(waiter) }?.resume()\n", "      _ = waiter\n")),
    ("an earlier lease of a range is as good as the last", QUEUE,
     ("Sources/SegmentQueue/Leases/QueueConsumer+Leases.swift", "ledger.ranges[index].deliveries == id.delivery", "ledger.ranges[index].deliveries >= id.delivery")),
    ("an offset that is on loan is given to another record", QUEUE,
     ("Sources/SegmentQueue/Leases/QueueConsumer+Leases.swift", "      // What recovery must not give again under another record.\n      new.inFlightEnd = ledger.ranges.last?.end\n", "")),
    ("a delivery is counted when it is acknowledged", QUEUE,
     ("Sources/SegmentQueue/Leases/QueueConsumer+Leases.swift", "          ledger.ranges[index].deliveries = UInt16(clamping: deliveries + 1)\n", "")),
    ("an acknowledged range is forgotten when another one is", QUEUE,
     ("Sources/SegmentQueue/Leases/LeaseLedger.swift", "      ranges[neighbour - 1].tally.add(second.tally)\n", "      ranges[neighbour - 1].tally = second.tally\n")),
    ("a range is acknowledged before it is a dead letter", "PipelineRuntimeTests",
     ("Sources/PipelineRuntime/Delivery/LeaseLetters.swift", "      let count = try await mail.finish()\n      try consumer.acknowledge(lease)\n", "      try consumer.acknowledge(lease)\n      let count = try await mail.finish()\n")),
    # What the error points have found, planted again.
    ("two sources get one number", QUEUE,
     ("Sources/SegmentQueue/SegmentQueue.swift", "let waiting = state.lane + (state.writing.map { [$0] } ?? [])", "let waiting = state.lane")),
    ("time while the queue was closed is a consumer's silence", QUEUE,
     ("Sources/SegmentQueue/QueueDirectory.swift", "          try? file.commit { $0.lastCallAge += time }\n", "          _ = (file, time)\n")),
    ("an opening makes the records before an empty segment young again", QUEUE,
     ("Sources/SegmentQueue/Maintenance/SegmentQueue+Retention.swift", "if first?.epoch != successor.epoch, let newest", "if first == nil, let newest")),
    ("gaps that are deleted are told to nobody", QUEUE,
     ("Sources/SegmentQueue/Cursors/CursorRecord.swift", ".addingClamped(after.lost - min(before.lost, after.lost))", "")),
    ("a consumer whose file can't be read is silent", QUEUE,
     ("Sources/SegmentQueue/Cursors/QueueConsumer.swift", "guard case .success = state.file, !state.isOpen else { return 0 }", "guard case .success = state.file else { return age }\n      if state.isOpen { return 0 }")),
    ("a segment that was begun and given up stays", QUEUE,
     (LOG + "LogWriter.swift", "    try clearHalfMade()\n    let position", "    let position")),
    ("a seal that was cut short is begun again", QUEUE,
     ("Sources/SegmentQueue/Maintenance/Sealer.swift", "if try directory.status(active) == nil, let status", "if false, let status")),
    ("a queue takes its age from the last block", QUEUE,
     (LOG + "Recovery.swift", "headers.map(\\.header.openAge).max() ?? 0", "headers.last?.header.openAge ?? 0")),
    ("a consumer that was once unreadable stays so", QUEUE,
     ("Sources/SegmentQueue/SegmentQueue+Consumers.swift", "if existing.failure?.code == .io {", "if false {")),
    ("an empty segment's snapshot is trusted after another process", QUEUE,
     (LOG + "Recovery.swift", "    if found.end == last.base {\n", "    if false {\n")),
]


def patched(bug):
    """The files that a bug changes: what they are, and what they are with it."""
    files = {}
    for path, text, replacement in bug[2:]:
        before, content = files.get(path) or [(ROOT / path).read_text()] * 2
        if content.count(text) != 1:
            sys.exit(f"'{bug[0]}' no longer applies: {path} has {content.count(text)} times\n{text}")
        files[path] = (before, content.replace(text, replacement))
    return files


def end_session(leader):
    """Kills every process of a session: `swift test` gives the test process a group of its own, which would go on testing beside the next bug's."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # Behind the name, which may have any characters: state, parent, group, session.
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                os.kill(int(entry.name), signal.SIGKILL)
        except (OSError, IndexError):
            pass  # It has ended by itself.


def run(command, copy, patience, until=None):
    """Runs a command in the copy; ends it at the first line that `until` finds. Gives how it ended, that line, and the output."""
    process = subprocess.Popen(command, cwd=copy, env=os.environ | {"SLUICE_LIBRARIES_ONLY": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    has_waited = threading.Event()

    def end():
        has_waited.set()
        end_session(process.pid)

    timer = threading.Timer(patience, end)
    timer.start()
    lines = []
    found = None
    for line in process.stdout:
        lines.append(line)
        if until and (found := until.search(line)):
            end_session(process.pid)
            break
    process.wait()
    timer.cancel()
    return ("late" if has_waited.is_set() else process.returncode), found, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="bugs whose name contains this; without it the unchanged sources are tested first")
    parser.add_argument("--copy", type=pathlib.Path, help="where the copy goes, and stays")
    parser.add_argument("--patience", type=int, default=900, help="seconds for the tests of one bug")
    arguments = parser.parse_args()
    bugs = [(bug, patched(bug)) for bug in BUGS if arguments.only in bug[0]]
    temporary = None if arguments.copy else tempfile.TemporaryDirectory()
    copy = arguments.copy or pathlib.Path(temporary.name)
    shutil.copytree(ROOT, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".build*", ".git"))
    build = ["swift", "build", "--build-tests", "--scratch-path", ".build-lib"]
    issue = re.compile(r'✘ Test (.*?) recorded an issue')
    missed = []

    def test(name, tests):
        code, _, lines = run(build, copy, 3600)
        if code != 0:
            sys.exit(f"'{name}' doesn't compile:\n" + "".join(line for line in lines if "error:" in line))
        return run(["swift", "test", "--skip-build", "--scratch-path", ".build-lib", "--filter", tests], copy, arguments.patience, issue)

    # A process for each target, as in Tests/run: tests that block threads must not starve others into their time limits.
    for tests in () if arguments.only else ("RecordBlocksTests", QUEUE, "PipelineRuntimeTests", "FileSinkTests"):
        code, found, lines = test("nothing", tests)
        if code != 0:
            sys.exit(f"without any bug, {found.group(1) if found else code} fails:\n" + "".join(lines[-20:]))
        print(f"without any bug: nothing fails in {tests}", flush=True)
    for bug, files in bugs:
        try:
            for path, (_, content) in files.items():
                (copy / path).write_text(content)
            code, found, lines = test(bug[0], bug[1])
        finally:
            # What was read at the start: whoever goes on working meanwhile changes nothing here.
            for path, (content, _) in files.items():
                (copy / path).write_text(content)
        if found:
            verdict = found.group(1)
        elif code == "late":
            verdict = f"the tests don't end ({arguments.patience} s)"
        elif code != 0:
            started = [line for line in lines if re.search(r"Fatal error|Precondition failed|unexpected signal", line)]
            verdict = "the test process dies: " + (started[0].strip() if started else f"exit code {code}")
        else:
            verdict = "NOT CAUGHT"
            missed.append(bug[0])
        print(f"{bug[0]}: {verdict}", flush=True)
    print(f"{len(bugs) - len(missed)} of {len(bugs)} caught")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
