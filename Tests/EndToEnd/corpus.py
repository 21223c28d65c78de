"""Log lines made from a seed: every line tells its own number, so that what is lost, doubled or out of order is seen."""

import base64
import random

_APPS = ["api", "auth", "billing", "gateway", "ingest", "mailer", "scheduler", "search", "storage", "worker"]
_MESSAGES = [
    "INFO request completed method=GET path=/v1/orders/{a} status=200 bytes={b} duration_ms={c}",
    "INFO request completed method=POST path=/v1/accounts/{a}/sessions status=201 bytes={b} duration_ms={c}",
    "INFO cache hit key=user:{a}:profile age_s={c}",
    "INFO cache miss key=user:{a}:profile, loaded from replica-{d} in {c} ms",
    "DEBUG connection {a} from 10.{d}.{e}.{f}:{b} accepted, {c} open",
    "DEBUG connection {a} from 10.{d}.{e}.{f}:{b} closed by peer",
    "WARN slow query took {c} ms: SELECT * FROM events WHERE tenant_id = {a} AND kind = {d} ORDER BY created_at LIMIT {e}",
    "WARN queue depth {b} is above its threshold, throttling producer {d}",
    "ERROR upstream 10.{d}.{e}.{f}:8443 answered 503, attempt {d} of 5, next in {c} ms",
    "INFO job {a} finished: {b} rows in {c} ms, checkpoint {a}-{b}",
    "INFO user {a} signed in from 10.{d}.{e}.{f} with method=totp",
    "INFO GC pause {c} us, heap {b} KiB of {a} KiB",
]


def lines(count, seed, first=0):
    """`count` lines from number `first` on, each with its line feed, as an iterator of bytes."""
    generator = random.Random(seed)
    bits = generator.getrandbits
    formats = [f"{app}[{1000 + 7 * i + j}]: {message}" for i, app in enumerate(_APPS) for j, message in enumerate(_MESSAGES)]
    names = len(formats)
    for number in range(first, first + count):
        r = bits(96)
        message = formats[(r & 0xFFFF) % names].format(
            a=(r >> 16 & 0xFFFFF), b=(r >> 36 & 0x3FFF), c=(r >> 50 & 0x3FF), d=(r >> 60 & 7), e=(r >> 63 & 0x1F), f=(r >> 68 & 0xFF))
        seconds = number // 900
        yield f"2026-09-{1 + seconds // 86400 % 28:02}T{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{number % 900:03}Z host-{r >> 76 & 3} #{number:010} {message}\n".encode()


def write(path, size, seed, first=0):
    """Writes a file of at least `size` bytes; gives the number of lines. A piece of 64 MiB is made line by line; a larger file repeats it with new numbers."""
    total = count = 0
    piece = []
    with open(path, "wb") as file:
        while total < size and not piece:
            block, length = [], 0
            for line in lines(1 << 30, seed, first):
                block.append(line)
                length += len(line)
                if total + length >= size or total + length >= 64 << 20:
                    break
            file.write(b"".join(block))
            count, total = len(block), length
            piece = block
        while total < size:
            # Only the number changes: making 10 GiB line by line would take minutes.
            block = [line[:33] + b"%010d" % (first + count + i) + line[43:] for i, line in enumerate(piece)]
            joined = b"".join(block)
            if total + len(joined) > size:
                keep = joined.find(b"\n", size - total - 1) + 1
                joined = joined[:keep]
            file.write(joined)
            total += len(joined)
            count += joined.count(b"\n")
    return count


def number(line):
    """The number that a line tells."""
    return int(line[33:43])


def hard_lines(t, total):
    """Numbered lines that compress badly, so that they fill a queue soon."""
    lines, size = [], 0
    while size < total:
        line = b"%08d " % len(lines) + base64.b64encode(t.random.randbytes(t.random.randrange(60, 300)))
        lines.append(line)
        size += len(line) + 1
    return lines
