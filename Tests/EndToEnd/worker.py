"""A worker with leases, as a process of its own that a test may kill: python3 worker.py URL QUEUE CONSUMER LOG SECONDS.

It borrows up to 20 records at a time, writes them to its log, then acknowledges them; the log has `given LEASE FIRST-LINE COUNT` before and
`acknowledged LEASE` behind the answer.
"""

import http.client
import os
import sys
import time
import urllib.parse


def main():
    url, queue, consumer, log, seconds = sys.argv[1:]
    address = urllib.parse.urlsplit(url)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def ask(path):
        """Asks once; nothing when the server isn't there, or goes away."""
        try:
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
            try:
                connection.request("POST", f"/v1/queues/{queue}/consumers/{consumer}/leases{path}")
                answer = connection.getresponse()
                body = answer.read()
                return answer, body
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
            return None, b""

    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        answer, body = ask("?max_records=20&wait=1s&duration=1s")
        if answer is None or answer.status != 200:
            continue
        lease = answer.getheader("Sluice-Lease")
        os.write(out, b"given %s %s %s\n" % (lease.encode(), answer.getheader("Sluice-Deliveries").encode(), b" ".join(line.split()[0] for line in body.splitlines())))
        # So that there is time to be killed in.
        time.sleep(0.02)
        while time.monotonic() < end:
            os.write(out, b"asked %s\n" % lease.encode())
            done, _ = ask(f"/{lease}/acknowledge")
            if done is not None and done.status in (200, 409):
                os.write(out, b"%s %s\n" % (b"acknowledged" if done.status == 200 else b"lost", lease.encode()))
                break


main()
