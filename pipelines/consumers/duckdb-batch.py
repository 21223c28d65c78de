#!/usr/bin/env python3
"""SQL over logs with DuckDB: over a batch that is pulled, and over a queue's sealed segments as they lie on the disk; needs Python's duckdb and requests.

    python3 duckdb-batch.py pull http://127.0.0.1:7171/v1/queues/app-logs reports      # what is new for the consumer 'reports'
    python3 duckdb-batch.py segments data/app-logs                                     # all that is sealed, without any server

The records are JSON objects, as a source with 'format: json' writes them: timestamp, host, path, message.
"""

import glob
import os
import sys
import tempfile

import duckdb
import requests

REPORT = """
    SELECT host, path, count(*) AS records, sum(strlen(message)) AS bytes
    FROM read_json(?, format = 'newline_delimited', columns = {timestamp: 'VARCHAR', host: 'VARCHAR', path: 'VARCHAR', message: 'VARCHAR'},
                   compression = 'gzip', maximum_object_size = 67108864)
    GROUP BY ALL ORDER BY ALL"""


def report(files):
    """Segments without records have nothing to tell, and DuckDB wants at least one file."""
    for host, path, records, size in duckdb.execute(REPORT, [files]).fetchall() if files else []:
        print(f"{host} {path} {records} records {size} bytes")


def pull(queue, consumer):
    requests.put(f"{queue}/consumers/{consumer}", timeout=60).raise_for_status()
    with tempfile.TemporaryDirectory() as folder:
        files, commit = [], None
        while True:
            query = {"consumer": consumer, "commit": commit, "max_bytes": "64MiB"}
            # As it is stored, so it travels: the body is a gzip file, and is kept as one.
            with requests.get(f"{queue}/records", params=query, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=90) as answer:
                answer.raise_for_status()
                if answer.status_code == 204:
                    break
                files.append(os.path.join(folder, f"{len(files):06}.json.gz"))
                with open(files[-1], "wb") as file:
                    for piece in answer.raw.stream(1 << 20, decode_content=False):
                        file.write(piece)
                report(files[-1:])
                # Reported: with the next request it is committed.
                commit = answer.headers["Sluice-Next-Offset"]


if __name__ == "__main__":
    if sys.argv[1] == "pull":
        pull(sys.argv[2].rstrip("/"), sys.argv[3])
    else:
        report(sorted(glob.glob(os.path.join(sys.argv[2], "segments", "*.gz"))))
