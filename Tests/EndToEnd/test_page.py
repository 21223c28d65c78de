"""The status page in a real browser, at the size of a telephone and of a desktop, dark and light: what it shows is what the API says, it loads nothing else, foreign text
stays text, it survives a restart, and works by keyboard and with a screen reader."""

import json
import re
import signal
import socket

from browser import Browser
from endpoints import Endpoint, free_port
from harness import test
import served

SIZES = {"telephone": {"width": 390, "height": 844, "mobile": True}, "desktop": {"width": 1440, "height": 900}}
# The same words as the page's own, written anew.
UNITS = ["B", "KiB", "MiB", "GiB"]


def count(value):
    return f"{value:,}"


def size(value):
    for unit in UNITS:
        if value < 1023.95:
            return f"{value} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024


def offset(text):
    return int(text.partition("-")[2])


def status(server, **options):
    answer = server.get("/v1/status", **options)
    server.t.equal(answer.status, 200, f"the answer to /v1/status, {answer}")
    return answer.json


def queue(server, name="q", **options):
    return next(one for one in status(server, **options)["queues"] if one["name"] == name)


class Pipeline:
    """A pipeline with a sink that keeps up, one whose endpoint fails, and a batch job that lags."""

    def __init__(self, t):
        self.t = t
        self.endpoint = Endpoint(answer=lambda *_: 503)
        t.later(self.endpoint.close)
        t.write("logs/app.log", b"".join(b"%05d a line of the application's log\n" % number for number in range(5000)))
        t.write("logs/other.log", b"one line\n")
        t.pipeline(f"""
queue: {{ name: q, path: q, max_size: 64MiB }}
sources:
  app: {{ type: file, paths: [logs/*.log] }}
  network: {{ type: syslog, listen: "udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}" }}
sinks:
  archive: {{ type: file, path: out.log }}
  collector: {{ type: http, url: "{self.endpoint.url}", hold: 50%, retry: {{ initial: 30s, max: 60s }} }}
consumers: {{ nightly: {{ hold: 1MiB }} }}
""")
        self.server = served.run(t)
        t.until("the file sink to have all", lambda: t.size("out.log") == t.size("logs/app.log") + t.size("logs/other.log"), alive=self.server.process)
        t.until("the other sink to fail", lambda: self.sink("collector")["activity"] == "backing_off")

    def sink(self, name):
        return next(one for one in queue(self.server)["sinks"] if one["name"] == name)


def shown(page):
    """The page's figures of one queue: its tiles, and its tables' rows by their names."""
    return page.evaluate("""(() => {
        const text = (element, selector) => element.querySelector(selector)?.innerText.trim() ?? null;
        const card = document.querySelector(".queue");
        const rows = (body, parts) => Object.fromEntries([...card.querySelectorAll(`${body} > tr:not(.note)`)].map(row =>
            [text(row, ".name"), Object.fromEntries(parts.map(part => [part, text(row, "." + part)]))]));
        return {
            name: text(card, "h2"), offsets: text(card, ".offsets"), records: text(card, "dd.records"), stored: text(card, ".stored"), lost: text(card, "dd.lost"),
            segments: text(card, ".segments-text"), notes: [...card.querySelectorAll(".note")].map(note => note.innerText.trim()),
            consumers: rows(".consumers", ["kind", "state-text", "lag-records", "lag-bytes", "hold", "lost"]),
            sources: rows(".sources", ["kind", "state-text", "records", "lost"]),
            files: [...card.querySelectorAll(".files tbody tr")].map(row => ["path", "position", "size"].map(part => text(row, "." + part))),
        };
    })()""")


@test("the page shows what the API tells, at two sizes, dark and light; loads nothing else, complains of nothing, and axe-core finds nothing wrong", seconds=240)
def numbers(t):
    pipeline = Pipeline(t)
    server = pipeline.server
    browser = Browser(t)
    for name, of in SIZES.items():
        for scheme in ("dark", "light"):
            page = browser.page(server.url + "/", scheme=scheme, **of)
            page.until("the files' list to be there", "document.querySelector('.files summary') !== null")
            page.evaluate("document.querySelector('.files summary').click()")
            page.until("the files to be shown", "document.querySelectorAll('.files tbody tr').length === 2")
            facts, found = queue(server), shown(page)
            what = f"{name}, {scheme}: "
            t.equal(found["name"], "q", what + "the queue's name")
            t.equal(found["offsets"], f"offsets {count(offset(facts['start_offset']))} to {count(offset(facts['durable_end']))}", what + "offsets")
            t.equal((found["records"], found["lost"]), (count(facts["records"]), count(facts["lost_records"])), what + "records and losses")
            t.equal(found["stored"], size(facts["stored_bytes"]), what + "stored bytes")
            t.equal(found["segments"], f"{facts['segments']} on disk, {size(facts['stored_bytes'])}", what + "segments")
            t.equal({one["name"] for one in facts["consumers"]}, set(found["consumers"]), what + "the consumers")
            for one in facts["consumers"]:
                row = found["consumers"][one["name"]]
                t.equal((row["lag-records"], row["hold"], row["lost"]), (count(one["lag_records"]), one["hold"], count(one["lost_records"])), what + f"{one['name']}, in {row}")
                t.equal(row["lag-bytes"], size(one["lag_bytes"]) if one["lag_records"] else "", what + f"lag of {one['name']}")
            t.equal(found["consumers"]["archive"]["state-text"], "caught up", what + "the sink that keeps up")
            t.true(found["consumers"]["collector"]["state-text"].startswith("fails, again in "), what + f"the sink that fails, {found['consumers']['collector']}")
            t.true(pipeline.sink("collector")["last_error"] in found["notes"], what + f"the sink's error among {found['notes']}")
            for one in facts["sources"]:
                t.equal((found["sources"][one["name"]]["records"], found["sources"][one["name"]]["kind"]), (count(one["records"]), one["type"]), what + one["name"])
            files = next(one for one in facts["sources"] if one["name"] == "app")["files"]
            t.equal(files["count"], 2, "files of the API")
            t.equal(sorted(found["files"]), sorted([one["path"], count(one["position"]), count(one["size"])] for one in files["newest"]), what + "files")
            t.equal({one["path"]: one["position"] for one in files["newest"]}, {t.path("logs", one): t.size("logs/" + one) for one in ("app.log", "other.log")}, "positions")
            # Nothing is cut off at the side, and nothing comes from elsewhere.
            t.equal(page.evaluate("document.documentElement.scrollWidth <= innerWidth"), True, what + "no scrolling to the side")
            t.true(all(url.startswith((server.url + "/", "data:")) for url in page.requests), what + f"requests go to this server alone, found {page.requests}")
            t.equal(page.complaints, [], what + "the console")
            t.equal(page.accessibility(), [], what + "what axe-core finds")
            t.equal(page.complaints, [], what + "the console")
            page.picture(f"page-{name}-{scheme}")


@test("the page's head keeps others out of it: no script, style, frame or form but its own")
def policy(t):
    server = served.serve(t)
    answer = server.get("/", headers={"Accept": "text/html"})
    t.equal((answer.status, answer.headers["Content-Type"]), (200, "text/html; charset=utf-8"), "status and type")
    directives = dict(one.split(" ", 1) for one in answer.headers["Content-Security-Policy"].split("; "))
    t.equal(directives["default-src"], "'none'", "default-src")
    t.equal(directives["frame-ancestors"], "'none'", "frame-ancestors")
    t.equal("unsafe" in answer.headers["Content-Security-Policy"], False, "unsafe words in the policy")
    for scripts in (directives["script-src"], directives["style-src"]):
        t.true(all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", one) for one in scripts.split()), f"hashes alone, found {scripts}")
    t.true(b"src=" not in answer.body and answer.body.count(b"href=") == 2, "nothing is referred to but the icon in it and the page's own main part")
    t.equal(server.get("/").headers["Content-Type"], "text/plain; charset=utf-8", "what a program gets")
    # A line that got in as markup after all would not run.
    page = Browser(t).page(server.url + "/")
    page.until("the page to be live", "document.getElementById('connection').dataset.state === 'good'")
    page.evaluate("try { document.body.innerHTML = '<img src=x onerror=\"window.ran = 1\">' } catch (error) { window.refused = String(error) }")
    t.true("TrustedHTML" in page.evaluate("window.refused ?? ''"), "markup from text is refused")
    page.evaluate("(() => { const script = document.createElement('script'); try { script.text = 'window.ran = 1'; document.body.append(script) } catch {} })()")
    t.equal(page.evaluate("window.ran ?? 0"), 0, "a script that was put in")


@test("a hostile line in the tail view stays text; the view is opened, paused, and closed by keyboard", seconds=180)
def hostile_tail(t):
    server = served.serve(t)
    server.pushed([b"before"])
    page = Browser(t).page(server.url + "/")
    page.until("the queue to be shown", "document.querySelector('.tail-button') !== null")
    page.tab_to("Tail of q")
    page.key("Enter")
    page.until_text("#tail-title", "Tail of q")
    page.until_text("#tail-state", "live")
    t.equal(page.focused(), "tail-lines", "the focus is in the lines")
    hostile = "<img src=x onerror=\"window.ran = 1\"><script>window.ran = 1</script> \u202e \x1b[31m &amp; grüße"
    server.pushed([hostile.encode(), b"\xff\xfe no UTF-8", b"x" * 10_000])
    page.until("the lines", "document.querySelectorAll('#tail-lines > div').length >= 3")
    lines = page.evaluate("[...document.querySelectorAll('#tail-lines > div')].map(line => line.textContent)")
    t.equal(lines[:2], [hostile, "\ufffd\ufffd no UTF-8"], "the lines are as they came")
    t.true(lines[2].startswith("x" * 4000 + "…"), "a long line is cut")
    t.equal(page.evaluate("document.querySelectorAll('#tail-lines *').length"), 3, "elements among the lines")
    t.equal(page.evaluate("window.ran ?? 0"), 0, "nothing ran")
    # Paused, nothing comes; it goes on where it was, and misses nothing.
    page.tab_to("tail-pause")
    page.key(" ")
    page.until_text("#tail-state", "paused")
    server.pushed([b"while paused"])
    t.equal(page.evaluate("document.getElementById('tail-pause').getAttribute('aria-pressed')"), "true", "aria-pressed")
    page.key(" ")
    page.until_text("#tail-lines", "while paused")
    # No more lines than are kept.
    server.pushed([b"line %d" % number for number in range(2000)])
    page.until_text("#tail-lines", "line 1999")
    t.equal(page.evaluate("document.querySelectorAll('#tail-lines > div').length <= 500"), True, "lines that are kept")
    t.equal(page.accessibility(), [], "what axe-core finds")
    page.key("Escape")
    t.equal(page.text("#tail-title"), None, "the view is closed")
    t.equal(page.focused(), "Tail of q", "the focus is back where it was")
    t.equal(page.complaints, [], "the console")


@test("the page says since when it is stale, and goes on by itself after the server was killed and started again", seconds=180)
def restart(t):
    server = served.serve(t)
    server.pushed([b"one"])
    page = Browser(t).page(server.url + "/")
    page.until_text("dd.records", "1")
    page.until_text("#connection", "live")
    t.equal(page.evaluate("document.title"), "Sluice", "the title")
    server.process.kill()
    page.until_text("#connection", "stale since")
    t.equal(page.evaluate("document.title"), "stale: Sluice", "the title while it is stale")
    again = served.serve(t, listen=f"{server.host}:{server.port}")
    again.pushed([b"two"])
    page.until_text("#connection", "live")
    page.until_text("dd.records", "2")
    t.equal({source for source, _ in page.complaints} - {"network"}, set(), f"the console, but for requests to nobody: {page.complaints}")
    again.process.signal(signal.SIGTERM)
    t.equal(again.process.wait(10), 0, "a stop while a page listens")


@test("where tokens are in use the page asks for one, shows what it may read, and forgets it when told to", seconds=180)
def asks_for_token(t):
    for name in ("q", "secret"):
        with open(t.write(f"{name}.log", b"one\ntwo\n"), "rb") as lines:
            t.sluice("push", name, "--create", stdin=lines)
    token = t.sluice("token", "reader", "--scope", "read@q", "--append", "tokens").strip().splitlines()[-1]
    server = served.Server(t, t.start_sluice("serve", "q", "secret", "--listen", "127.0.0.1:0", "--tokens", "tokens"))
    t.equal(server.get("/v1/status").status, 401, "without a token")
    page = Browser(t).page(server.url + "/")
    page.until_text("#token-form", "asks for a token")
    t.equal(page.focused(), "token", "the focus is in the form")
    t.equal(page.accessibility(), [], "what axe-core finds")
    page.type("wrong")
    page.key("Enter")
    page.until_text("#token-reason", "token isn't known")
    page.type(token)
    page.key("Enter")
    page.until_text("dd.records", "2")
    t.equal(page.evaluate("[...document.querySelectorAll('.queue h2')].map(name => name.innerText)"), ["q"], "the queues")
    t.equal(page.evaluate("Object.entries({ ...localStorage }).length + document.cookie.length"), 0, "nothing stays behind the tab")
    t.true(not any(token in url for url in page.requests), "the token is in no URL")
    page.tab_to("forget-token")
    page.key("Enter")
    page.until_text("#token-form", "asks for a token")
    t.equal({source for source, _ in page.complaints} - {"network"}, set(), f"the console, but for refusals: {page.complaints}")


@test("listeners of the status are bounded, cost nothing when they have gone, and a page of another site is none")
def listeners(t):
    server = served.serve(t)
    server.pushed([b"one"])
    head = b"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
    connections = []
    for _ in range(64):
        connections.append(server.socket())
        connections[-1].sendall(head + b"\r\n")
        t.true(connections[-1].recv(4096).startswith(b"HTTP/1.1 200"), "one of 64 is told")
    refused = server.get("/v1/status", headers={"Accept": "text/event-stream"})
    t.equal((refused.status, refused.code), (429, "too_many_listeners"), "the next one")
    foreign = server.get("/v1/status", headers={"Accept": "text/event-stream", "Sec-Fetch-Site": "cross-site"})
    t.equal((foreign.status, foreign.code), (403, "cross_site"), "a page of another site")
    for one in connections:
        one.close()

    def takes_listeners():
        one = server.socket()
        one.sendall(head + b"\r\n")
        found = one.recv(4096).startswith(b"HTTP/1.1 200")
        one.close()
        return found

    t.until("places to be free again", takes_listeners)
    text = json.dumps(status(server))
    t.true(t.directory not in text, "no path of the machine, where no pipeline runs")


@test("a page that nobody sees holds no connection, asks now and then, and listens again when it is seen")
def hidden(t):
    server = served.serve(t)
    server.pushed([b"one"])
    page = Browser(t).page(server.url + "/")
    page.until_text("dd.records", "1")
    # A browser without a window shows every page: the page is told otherwise.
    tell = "(hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); document.dispatchEvent(new Event('visibilitychange')) })"
    before = len(page.requests)
    page.evaluate(f"{tell}(true)")
    server.pushed([b"two"])
    page.until("the records", "document.querySelector('dd.records').textContent === '2'")
    t.until("it to ask again", lambda: len(page.requests) >= before + 2)
    t.equal(server.metric("sluice_http_status_listeners"), 0, "who listens")
    t.equal(page.text("#connection"), "live", "its state")
    page.evaluate(f"{tell}(false)")
    server.pushed([b"three"])
    page.until("the records", "document.querySelector('dd.records').textContent === '3'")
    t.equal(server.metric("sluice_http_status_listeners"), 1, "who listens")
    t.equal(page.complaints, [], "the console")
