#!/usr/bin/env python3
"""Takes records as they come, for as long as it runs (Ctrl-C ends it), or until none are left (--once); needs Python's requests.

    python3 pull.py http://127.0.0.1:7171/v1/queues/app-logs my-job [--once]

Each batch is committed when it was processed, by the request for the next one; so a crash repeats at most one batch. With SLUICE_TOKEN in the
environment, requests carry it.
"""

import os
import sys
import time

import requests


def process(lines):
    """Put your own work here; when it returns, it is done for good."""
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


def main(queue, consumer, once):
    session = requests.Session()
    if token := os.environ.get("SLUICE_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    session.put(f"{queue}/consumers/{consumer}", timeout=60).raise_for_status()
    commit = None
    while True:
        query = {"consumer": consumer, "commit": commit, "wait": "0s" if once else "20s", "max_bytes": "1MiB"}
        try:
            answer = session.get(f"{queue}/records", params=query, timeout=90)
        except requests.ConnectionError as error:
            print(f"pull.py: {error}; again in 2 s", file=sys.stderr)
            time.sleep(2)
            continue
        if answer.status_code in (429, 503):  # Full, busy or restarting: it says when to ask again.
            time.sleep(int(answer.headers.get("Retry-After", 1)))
            continue
        if answer.status_code == 410 and answer.json()["code"] == "data_lost":  # Away for longer than the queue could keep it all.
            loss = answer.json()
            print(f"pull.py: {loss['lost_records']} records are lost ({loss['reason']})", file=sys.stderr)
            commit = loss["oldest"]
            continue
        answer.raise_for_status()
        if gap := answer.headers.get("Sluice-Gap"):
            offsets, reason, records, _ = gap.split(";")
            print(f"pull.py: {records} records are lost at {offsets} ({reason})", file=sys.stderr)
        if answer.status_code == 200:
            process(answer.content)
        elif once:
            return
        commit = answer.headers["Sluice-Next-Offset"]


if __name__ == "__main__":
    try:
        main(sys.argv[1].rstrip("/"), sys.argv[2], "--once" in sys.argv[3:])
    except KeyboardInterrupt:
        pass
