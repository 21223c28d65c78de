"""Reading what a file sink wrote: one file, or several in the order of its rotation."""

import glob
import os
import re
import subprocess

from harness import Failure


def files(t, stem, suffix):
    """`stem.log`, `stem.0001.log`, … in order; `suffix` is `.log` or `.log.gz`."""
    pattern = re.compile(re.escape(stem) + r"(?:\.(\d{4,}))?" + re.escape(suffix) + "$")
    found = []
    for path in glob.glob(t.path(glob.escape(stem) + "*")):
        match = pattern.search(path[len(t.directory) + 1:])
        if match:
            found.append((int(match.group(1) or 0), path))
    numbers = [number for number, _ in sorted(found)]
    if numbers != list(range(numbers[0] if numbers else 0, (numbers[0] if numbers else 0) + len(numbers))):
        raise Failure(f"the numbers of the output files have holes: {numbers}")
    return [path for _, path in sorted(found)]


def join(t, stem, suffix, into):
    """Writes all of the output, decompressed, into one file."""
    paths = files(t, stem, suffix)
    if not paths:
        raise Failure(f"there is no output {stem}*{suffix}")
    with open(t.path(into), "wb") as output:
        for path in paths:
            command = ["zcat", path] if suffix.endswith(".gz") else ["cat", path]
            done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE)
            if done.returncode != 0:
                raise Failure(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return paths


def byte_count(t, stem, suffix):
    """The bytes of all output files now."""
    total = 0
    for path in glob.glob(t.path(glob.escape(stem) + "*" + suffix)):
        try:
            total += os.stat(path).st_size
        except FileNotFoundError:
            pass
    return total
