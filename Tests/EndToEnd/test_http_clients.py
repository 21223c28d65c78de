"""A batch of many stored blocks arrives whole at every client that people use, plain and as gzip: one hash for all."""

import glob
import hashlib
import html
import os
import re

import corpus
from harness import Failure, test
import served

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")


class Batch:
    """A queue with the records of several sources in many blocks, and what `zcat` says they are."""

    def __init__(self, t):
        self.t = t
        size = 2 << 20
        for seed, name in enumerate(("one.log", "two.log")):
            corpus.write(t.path(name), size, t.seed + seed)
        t.pipeline("""
queue: { name: q, path: q }
sources:
  one: { type: file, paths: [one.log] }
  two: { type: file, paths: [two.log] }
""")
        self.server = served.run(t)
        pushed = [f"grüße {number} <b>&amp;</b> 日本語".encode() for number in range(200)]
        for first in range(0, len(pushed), 20):
            self.server.pushed(pushed[first:first + 20])
        inputs = sorted((t.read("one.log") + t.read("two.log")).split(b"\n")[:-1] + pushed)
        t.until("all to be durable", lambda: self.server.facts()["records"] == len(inputs), alive=self.server.process)
        # The active segment is gzip, too: nobody writes to it any more.
        files = sorted(glob.glob(t.path("q", "segments", "*.gz*")))
        self.text = b"".join(t.call("gzip", "-dc", input=open(path, "rb").read()) for path in files)
        t.true(sorted(self.text.split(b"\n")[:-1]) == inputs, "zcat gives the lines of all sources")
        self.hash = hashlib.sha256(self.text).hexdigest()
        self.url = self.server.url + self.server.path("/records", offset="oldest", max_bytes="64MiB")
        headers = self.server.get(self.server.path("/records", offset="oldest", max_bytes="64MiB"), headers={"Accept-Encoding": "gzip"}).headers
        t.equal((headers["Content-Encoding"], headers["Sluice-Records"]), ("gzip", str(len(inputs))), "encoding and count of the whole batch")
        t.note(f"{len(self.text)} bytes of {len(inputs)} lines, {headers['Content-Length']} compressed")

    def is_right(self, text, what):
        if text != self.text:
            raise Failure(f"{what}: {len(text)} bytes of {len(self.text)} arrived, {'as a beginning' if self.text.startswith(text) else 'with other bytes'}")

    def is_hash(self, output, what):
        self.t.equal(output.decode().strip(), self.hash, what)


@test("curl and wget get a batch of many blocks whole, plain and compressed")
def command_line_clients(t):
    batch = Batch(t)
    for options in ([], ["--compressed"], ["--compressed", "--http1.0"], ["--compressed", "--limit-rate", "20M"]):
        batch.is_right(t.call(t.program("curl"), "-sS", "--fail", *options, batch.url), f"curl {' '.join(options)}")
    for option in ("none", "auto", "gzip"):
        batch.is_right(t.call(t.program("wget"), "-q", "-O", "-", f"--compression={option}", batch.url), f"wget --compression={option}")


@test("Python's requests, urllib3 and httpx get a batch of many blocks whole, plain and compressed")
def python_clients(t):
    import httpx
    import requests
    import urllib3

    batch = Batch(t)
    pool = urllib3.PoolManager()
    for encoding in ("identity", "gzip"):
        headers = {"Accept-Encoding": encoding}
        batch.is_right(requests.get(batch.url, headers=headers, timeout=60).content, f"requests, {encoding}")
        batch.is_right(pool.request("GET", batch.url, headers=headers).data, f"urllib3, {encoding}")
        batch.is_right(httpx.get(batch.url, headers=headers, timeout=60).content, f"httpx, {encoding}")
    # Piece by piece, with what each asks for by itself.
    with requests.get(batch.url, stream=True, timeout=60) as answer:
        batch.is_right(b"".join(answer.iter_content(1000)), "requests, in pieces")
    with httpx.stream("GET", batch.url, timeout=60) as answer:
        batch.is_right(b"".join(answer.iter_bytes(1000)), "httpx, in pieces")
    with pool.request("GET", batch.url, preload_content=False, headers={"Accept-Encoding": "gzip"}) as answer:
        batch.is_right(b"".join(answer.stream(4096, decode_content=True)), "urllib3, in pieces")


@test("Node's fetch and Java's HttpClient get a batch of many blocks whole, plain and compressed")
def language_clients(t):
    batch = Batch(t)
    for encoding in ("identity", "gzip"):
        batch.is_hash(t.call(t.program("node"), os.path.join(CLIENTS, "pull.mjs"), batch.url, encoding), f"Node, {encoding}")
        batch.is_hash(t.call(t.program("java"), os.path.join(CLIENTS, "Pull.java"), batch.url, encoding), f"Java, {encoding}")


@test("Chromium shows a batch of many blocks whole")
def browser(t):
    batch = Batch(t)
    page = t.call(
        t.program("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={t.path('chromium')}",
        "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom", batch.url,
        env=os.environ | {"HOME": t.directory}).decode()
    found = re.search(r"<pre[^>]*>(.*)</pre>", page, re.DOTALL)
    t.true(found, f"Chromium shows text, found {page[:300]!r}")
    batch.is_right(html.unescape(found[1]).encode(), "Chromium")


@test("a Java server takes every compressed body of the HTTP sink whole")
def java_server(t):
    java = t.start(t.program("java"), os.path.join(CLIENTS, "Collector.java"), t.path("taken.log"), label="collector")
    port = int(t.until("the Java server to listen", lambda: java.stdout.strip(), alive=java))
    corpus.write(t.path("in.log"), 6 << 20, t.seed)
    t.pipeline(f"""
queue: {{ path: q }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks:
  collector: {{ type: http, url: "http://127.0.0.1:{port}/logs", batch: {{ max_bytes: 2MiB, max_records: 1000000 }} }}
""")
    t.run("--once", "--drain")
    t.same("in.log", "taken.log")
