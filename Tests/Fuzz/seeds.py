#!/usr/bin/env python3
"""Writes the first inputs of each fuzz target into its corpus: from the golden file, the fixtures, the shipped pipeline files, and by the format pages' tables.

    python3 Tests/Fuzz/seeds.py

The same bytes each time; what fuzzing found since lies beside them and is left alone.
"""

import gzip
import pathlib
import re
import struct
import zlib

FUZZ = pathlib.Path(__file__).resolve().parent
ROOT = FUZZ.parent.parent
QUEUE = (0x1122334455667788, 0x99AABBCCDDEEFF00)


def write(target, name, data):
    folder = FUZZ / target / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def entry(kind, body):
    return struct.pack("<BI", kind, len(body)) + body


def block(kind, base, count, lines=b"", entries=b"", source=1, flags=0, salt=0x5EEDCAFE):
    """One block by the table of the format page."""
    data = b""
    if lines:
        deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = deflater.compress(lines) + deflater.flush(zlib.Z_FULL_FLUSH)
    body = data + b"\x03\x00" + struct.pack("<II", zlib.crc32(lines), len(lines))
    length = 148 + len(entries)
    header = bytes.fromhex("1f8b08040000000000ff") + struct.pack("<H", length - 12) + b"SL" + struct.pack("<H", length - 16)
    header += struct.pack("<BBHHHQQIIQQIIqqQIIQQQQQ", 1, kind, flags, 0, 0, *QUEUE, salt, length + len(body), base, count, len(lines), source, 1, 2, 3, 1,
                          zlib.crc32(body), base, 0, 0, base, 0)
    header += entries
    return header + struct.pack("<I", zlib.crc32(header)) + body


def blocks():
    golden = (ROOT / "Tests/RecordBlocksTests/Golden/format-1.gz").read_bytes()
    write("FuzzBlocks", "golden-keys", b"\x08" + (ROOT / "Tests/RecordBlocksTests/Golden/format-1-keys.gz").read_bytes())
    for choice in (0, 1, 2, 5, 8, 9):
        write("FuzzBlocks", f"golden-{choice}", bytes([choice]) + golden)
    write("FuzzBlocks", "torn", b"\x08" + golden[:-40])
    write("FuzzBlocks", "longer-than-it-is", b"\x04" + golden[:300])
    write("FuzzBlocks", "damaged", b"\x00" + golden[:0xE0] + b"????" + golden[0xE4:])
    write("FuzzBlocks", "hole", b"\x00" + golden[:0x1A1] + golden[0x265:])
    write("FuzzBlocks", "twice", b"\x00" + golden[0xD5:0x1A1] * 2)
    write("FuzzBlocks", "unknown-entry", b"\x00" + block(0, 0, 2, b"a\nb\n", entry(99, b"new") + entry(3, struct.pack("<II", 1, 2) + b"more")))
    write("FuzzBlocks", "long-name", b"\x01" + block(3, 0, 0, entries=entry(1, struct.pack("<I", 1) + b"n" * 300), flags=4, source=0))
    write("FuzzBlocks", "name-not-utf8", b"\x01" + block(1, 0, 0, entries=entry(1, struct.pack("<I", 1) + b"\xff\xfe\x80"), source=0))
    key = struct.pack("<QQQB", 0, 2, 9, 8) + b"order-17" + b"\x04hash"
    write("FuzzBlocks", "key", b"\x09" + block(3, 0, 0, entries=entry(6, key) * 2, flags=4, source=0) + block(0, 0, 2, b"a\nb\n", entry(6, key + b"more")))
    write("FuzzBlocks", "key-not-ascii", b"\x01" + block(0, 0, 1, b"a\n", entry(6, key.replace(b"17", b"\xff\x20"))))
    write("FuzzBlocks", "large", b"\x01" + block(0, 0, 65536, b"\n" * 65536) + block(0, 65536, 1, b"end\n"))
    write("FuzzBlocks", "fewer-lines", b"\x01" + block(0, 0, 3, b"one\ntwo"))
    lines = (ROOT / "fixtures/logs/app.log").read_bytes()[:3000]
    write("FuzzBlocks", "lines", b"\x09" + block(3, 0, 0, flags=4, source=0) + block(0, 0, lines.count(b"\n"), lines))


def cursor(kind=1, generation=1, cursor=5, in_flight=2**64 - 1, hold=(0, 0), loss=(2**64 - 1, 0), state=None, seeks=0, ledger=None):
    """One slot by the table of `CursorRecord`."""
    tail = struct.pack("<QQQBQQQQQQQBQH", cursor, in_flight, seeks, *hold, 3, 30, 5, 50, 3, *loss, 9, 0 if state is None else len(state) + 1)
    tail += state or b""
    if ledger is not None:
        tail += bytes(24) + ledger
    head = struct.pack("<IHBBQQQ", 0x52434C53, 32 + len(tail) + 4, 1 if ledger is None else 2, kind, generation, *QUEUE)
    record = head + tail
    return record + struct.pack("<I", zlib.crc32(record))


def cursors():
    both = cursor(generation=2, cursor=7) + cursor()
    for choice in range(4):
        write("FuzzCursors", f"plain-{choice}", bytes([choice]) + both)
    write("FuzzCursors", "one-slot", b"\x03" + cursor(kind=2))
    write("FuzzCursors", "in-flight", b"\x03" + cursor(in_flight=12) + cursor(in_flight=9, generation=2))
    write("FuzzCursors", "holds", b"\x03" + cursor(hold=(1, 1 << 30)) + cursor(hold=(2, 33), generation=2))
    write("FuzzCursors", "hold-by-age", b"\x03" + cursor(hold=(3, 3600 * 10**9)) + cursor(hold=(3, 2**63 - 1), generation=2))
    write("FuzzCursors", "loss", b"\x03" + cursor(loss=(40, 4)) + cursor(generation=2))
    write("FuzzCursors", "state", b"\x03" + cursor(state=b"{}") + cursor(state=b"", generation=2))
    write("FuzzCursors", "sought", b"\x03" + cursor(seeks=3) + cursor(generation=2))
    six = lambda *numbers: b"".join(number.to_bytes(6, "little") for number in numbers)
    open_range = b"\x01" + six(10, 10, 100, 0) + struct.pack("<HI", 2, 30_000)
    acknowledged = b"\x00" + six(5, 5, 50, 0)
    lost = b"\x02" + six(35, 30, 300, 5) + six(4, 40, 0) + struct.pack("<HI", 1, 0)
    for name, parts in (("none", ()), ("open", (open_range, acknowledged, open_range)), ("lost", (lost, acknowledged, open_range))):
        ledger = struct.pack("<IHH", 7, 5, len(parts)) + b"".join(parts)
        leases = dict(kind=3, ledger=ledger, in_flight=30, loss=(40, 4) if name == "lost" else (2**64 - 1, 0))
        write("FuzzCursors", f"leases-{name}", b"\x03" + cursor(**leases) + cursor(**leases, generation=2))
    write("FuzzCursors", "foreign", b"\x01" + cursor() + cursor(generation=2)[:-4] + b"????")


def syslog():
    for path in sorted((ROOT / "fixtures/syslog").glob("*.datagram")):
        write("FuzzSyslog", path.stem, b"\x00" + path.read_bytes())
    for number, text in enumerate([
        b"", b"<13>", b"<34>1 2026-10-11T22:14:15.003Z host su - ID47 [a b=\"c\\]\" b=\"d\"][e] \xef\xbb\xbfmessage",
        b"<13>1 - - - - - -", b"<13>1 - h\xff a p m - \xff\xfe", b"<13>Message forwarded from host: app[1]: text", b"<189>45: host: *Oct 11 22:14:15.003: %SYS-5-X: y",
        b"<13>1 1790000000.123456789 host events x", b"<13>Wed, 2026 Oct 11 2026 22:14:15.5+05:30 h a: b", b"<13>Oct 11 22:14:15 2026: %ASA-6-1: z",
        b"<13>Feb 29 00:00:60 h a: b", b"12 <13>Oct 11 22:14:15 h a: b\r\n\0\n", b"<13>a::b", b"<13>2026-10-11 22:14:15,123456789012 +0530 h a(b)[c]: d", b"\n\n", b"a\nb\0c",
    ]):
        write("FuzzSyslog", f"odd-{number:02}", bytes([number % 4 * 4 & 12]) + text)
    write("FuzzSyslog", "raw", b"\x01<13>a\nb\n")
    write("FuzzSyslog", "cut", b"\x02<13>Oct 11 22:14:15 host app[1]: text")


def pipeline_files():
    for path in sorted((ROOT / "pipelines").glob("*.yaml")):
        write("FuzzPipelineFiles", path.stem, path.read_bytes())
    tests = ROOT / "Tests/PipelineConfigurationTests"
    for name in ("ResolvedPipelinesTests", "WrongShapeTests", "HostileFileTests", "SubstitutionTests", "GoodFileTests", "ServerTests"):
        texts = re.findall(r'#?"""\n(.*?)\n +"""', (tests / f"{name}.swift").read_text(), re.S)
        for number, text in enumerate(texts[:14]):
            lines = text.split("\n")
            margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
            write("FuzzPipelineFiles", f"{name[:-5].lower()}-{number:02}", "\n".join(line[margin:] for line in lines).encode())


def compressed():
    log = (ROOT / "fixtures/logs/access.log").read_bytes()[:2000]
    member = gzip.compress(log, mtime=0)
    other = gzip.compress(b"second\n" * 20, 1, mtime=0)
    empty = gzip.compress(b"", mtime=0)
    head = b"\xff\x0f\x80"
    deflater = zlib.compressobj(0, zlib.DEFLATED, 31)
    stored = deflater.compress(log[:500]) + deflater.flush()
    named = b"\x1f\x8b\x08\x1c" + b"\0" * 6 + b"\x03\0abcname\0comment\0" + member[10:]
    for name, data in {
        "one": member, "several": member + other + member, "empty": b"", "empty-member": empty, "empty-first": empty + other, "padded": member + b"\0" * 512,
        "torn": member[:-20], "torn-trailer": member[:-3], "torn-header": member + other[:5], "bad-checksum": member[:-8] + b"????" + member[-4:],
        "bad-data": member[:200] + b"\xff" * 8 + member[208:], "garbage-behind": member + b"not gzip at all", "magic-behind": member + b"\x1f", "no-gzip": b"plain text\n",
        "stored": stored, "named": named, "zeros": gzip.compress(b"\0" * 400_000, mtime=0), "many": empty * 40 + other,
    }.items():
        write("FuzzGzip", name, head + data)
    write("FuzzGzip", "short-pieces", b"\x02\x00\x10" + other)


for make in (blocks, cursors, syslog, pipeline_files, compressed):
    make()
