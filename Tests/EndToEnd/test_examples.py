"""Every example under pipelines/consumers does what its comment says, also when it is killed; alert rules and dashboard ask for metrics that there are."""

import glob
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import corpus
from endpoints import free_port
from harness import Failure, test
import served

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "pipelines", "consumers")
ALERTS = os.path.join(ROOT, "pipelines", "monitoring", "alerts.yml")
DASHBOARD = os.path.join(ROOT, "pipelines", "monitoring", "grafana.json")
KIB = 1 << 10


def example(name):
    return os.path.join(EXAMPLES, name)


def start_script(t, *command, **environment):
    """A script in a group of its own, so that killing it kills what it has started."""
    process = t.start(*command, label="script", start_new_session=True, env=os.environ | environment)
    t.later(lambda: end_group(process))
    return process


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.popen.wait()


def parts(t, folder, suffix):
    """The files of a folder by the offset in their names, and their lines."""
    names = sorted((name for name in os.listdir(t.path(folder)) if name.endswith(suffix)), key=lambda name: int(name[: -len(suffix)].rpartition("-")[2]))
    return [line for name in names for line in t.read(os.path.join(folder, name)).split(b"\n")[:-1]]


def run_killed(t, command, kills, feed, **environment):
    """Runs a script again and again, each time with new work from `feed` and killed at random, until that many kills have met it at work; then once to its end."""
    met = runs = 0
    # How long it takes by itself: the kills come within that.
    takes = 0.2
    while met < kills:
        runs += 1
        t.true(runs < 20 * kills + 20, f"of {runs} kills {met} met the script at work, at {takes:.3f} s a run")
        feed()
        script = start_script(t, *command, **environment)
        began = time.monotonic()
        deadline = began + t.random.random() * takes
        while script.is_running and time.monotonic() < deadline:
            time.sleep(0.002)
        if script.is_running:
            met += 1
        else:
            takes = time.monotonic() - began
        end_group(script)
    script = start_script(t, *command, **environment)
    t.equal(script.wait(120), 0, f"exit code of {command[0]}\n{script.stderr_tail}")


def feeder(t, server, expected, count):
    """Pushes `count` more lines at each call, and notes them."""

    def feed():
        lines = [line[:-1] for line in corpus.lines(count, t.seed, first=len(expected))]
        server.pushed(lines)
        expected.extend(lines)

    return feed


def kills(t):
    return 100 if t.sizes.name == "full" else 10


@test("cron-curl.sh: every record is in one file, over runs that are killed, and over restarts of the server")
def cron_curl(t):
    os.mkdir(t.path("batches"))
    server = served.serve(t)
    listen = f"127.0.0.1:{server.port}"
    expected = []
    for part in range(5):
        run_killed(t, [example("cron-curl.sh"), t.path("batches")], kills(t) // 5, feeder(t, server, expected, 400), QUEUE_URL=server.url + server.path())
        t.same_lines(expected, parts(t, "batches", ".log"), f"after {part + 1} rounds")
        t.equal(server.consumer("cron")["lag_records"], 0, "what is not committed")
        server.process.kill()
        server = served.serve(t, listen=listen)


@test("once.sh: killed half-way and run again, each record was processed once", seconds=180)
def once(t):
    os.mkdir(t.path("done"))
    server = served.serve(t)
    expected = []
    command = [example("once.sh"), t.path("done"), "sed 's/^/done /'"]
    # Several batches each time, so that kills fall between all of its steps.
    run_killed(t, command, kills(t), feeder(t, server, expected, 6000), QUEUE_URL=server.url + server.path())
    t.same_lines([b"done " + line for line in expected], parts(t, "done", ".part"), "what was processed")
    t.equal(server.consumer("once")["lag_records"], 0, "what is not committed")
    t.note(f"killed in the middle {kills(t)} times, {len(os.listdir(t.path('done')))} files")


class CuttingProxy(threading.Thread):
    """Stands before a server and breaks every other connection off, or each, of those that carry more than so many bytes, as a network or a dying host does."""

    def __init__(self, t, port, after=60 * KIB, every=2):
        super().__init__(daemon=True)
        self.target, self.after, self.every, self.large, self.cuts = port, after, every, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        t.later(self.listener.close)
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.carry, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, self.after), daemon=True).start()

    def carry(self, source, sink, limit):
        try:
            while data := source.recv(16 * KIB):
                if limit is not None and (limit := limit - len(data)) < 0:
                    limit = None
                    if self.cuts_this():
                        break
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cuts_this(self):
        with self.lock:
            self.large += 1
            is_cut = self.large % self.every == 1 % self.every
            self.cuts += is_cut
            return is_cut


@test("an answer that breaks off in the middle is an error of every script, and none of its records is committed", seconds=180)
def broken_answers(t):
    server = served.serve(t)
    proxy = CuttingProxy(t, server.port)
    url = f"http://127.0.0.1:{proxy.port}{server.path()}"
    lines = [line[:-1] for line in corpus.lines(60_000, t.seed)]
    for first in range(0, len(lines), 6000):
        server.pushed(lines[first:first + 6000])

    def run_until_done(*command):
        """Runs it until it ends with 0; gives what it printed, run by run."""
        printed, failed = [], 0
        for _ in range(60):
            script = start_script(t, *command, QUEUE_URL=url)
            code = script.wait(60)
            printed += script.stdout.encode().split(b"\n")[:-1]
            if code == 0:
                return printed, failed
            failed += 1
        raise Failure(f"{command[0]} doesn't get to its end: {script.stderr_tail}")

    for name in ("done", "batches"):
        os.mkdir(t.path(name))
    _, failed = run_until_done(example("once.sh"), t.path("done"), "cat")
    t.same_lines(lines, parts(t, "done", ".part"), "what once.sh processed")
    _, again = run_until_done(example("cron-curl.sh"), t.path("batches"))
    t.same_lines(lines, parts(t, "batches", ".log"), "what cron-curl.sh drew")
    printed, last = run_until_done(sys.executable, example("pull.py"), url, "job", "--once")
    t.same_lines(lines, printed, "what pull.py printed")
    for consumer in ("once", "cron", "job"):
        t.equal(server.consumer(consumer)["lag_records"], 0, f"what {consumer} has not committed")
    t.true(failed and again and last, f"each script met an answer that broke off, or this test shows nothing: {failed}, {again}, {last}")
    t.note(f"{proxy.cuts} answers broken off; runs that failed: once.sh {failed}, cron-curl.sh {again}, pull.py {last}")


@test("the shortest loop of the HTTP page does its work and commits it, and nothing of an answer that breaks off")
def shortest_loop(t):
    with open(os.path.join(ROOT, "Sources", "QueueServer", "Documentation.docc", "HTTPAPI.md"), encoding="utf-8") as file:
        loop = re.search(r"```sh\n(U=.*?)```", file.read(), re.DOTALL).group(1)
    server = served.serve(t)
    lines = [line[:-1] for line in corpus.lines(9000, t.seed)]
    server.pushed(lines)

    def run(port):
        told = f"http://127.0.0.1:{port}{server.path()}"
        return start_script(t, "sh", "-c", re.sub(r"^U=\S+", f"U={told}", loop)).wait(60)

    proxy = CuttingProxy(t, server.port, every=1)
    t.true(run(proxy.port) != 0 and proxy.cuts == 1, "an answer that breaks off is an error")
    t.equal(server.consumer("nightly")["lag_records"], len(lines), "what is not committed after that")
    first = server.pull(consumer="nightly")
    t.equal(run(server.port), 0, "exit code")
    t.same_lines(sorted(set(first.lines)), sorted(t.read("result").split(b"\n")[:-1]), "the work")
    t.equal(server.consumer("nightly")["cursor"], first.next, "what is committed")


@test("once.sh ends with an error when its place or its folder is gone")
def once_errors(t):
    server = served.serve(t)
    server.pushed([b"a line"] * 10)
    os.mkdir(t.path("done"))
    environment = {"QUEUE_URL": server.url + server.path()}
    script = start_script(t, example("once.sh"), t.path("nowhere"), "cat", **environment)
    t.true(script.wait(30) != 0, "once.sh tells that its folder is not there")
    # A place of another epoch.
    t.write("done/9-99.part", b"")
    script = start_script(t, example("once.sh"), t.path("done"), "cat", **environment)
    t.true(script.wait(30) != 0, "once.sh tells that its place is not one of the queue's any more")


@test("pull.py takes what comes, waits for a restarting server, tells losses, and ends with Ctrl-C")
def pull_python(t):
    server = served.serve(t, "--max-size", "8MiB", "--keep", "0s")
    listen = f"127.0.0.1:{server.port}"
    lines = [line[:-1] for line in corpus.lines(20_000, t.seed)]
    server.pushed(lines[:10_000])
    done = t.call(sys.executable, example("pull.py"), server.url + server.path(), "job", "--once")
    t.same_lines(lines[:10_000], done.split(b"\n")[:-1], "what it prints with --once")
    t.equal(server.consumer("job")["lag_records"], 0, "what is not committed")
    job = t.start(sys.executable, example("pull.py"), server.url + server.path(), "job", label="job")
    server.until_waiting()
    t.stop(server.process)
    server = served.serve(t, "--max-size", "8MiB", "--keep", "0s", listen=listen)
    server.pushed(lines[10_000:])
    t.until("the rest to be printed", lambda: job.stdout.count("\n") >= 10_000, alive=job)
    t.same_lines(lines[10_000:], job.stdout.encode().split(b"\n")[:-1], "what came after the restart")
    server.until_waiting()
    job.signal(signal.SIGINT)
    t.equal(job.wait(), 0, f"exit code after SIGINT\n{job.stderr_tail}")
    # A job that was away for too long.
    t.equal(server.send_json("PUT", server.path("/consumers/job"), {"hold": "1MiB"}).status, 200, "a hold")
    many = corpus.hard_lines(t, 24 << 20)
    for first in range(0, len(many), 2000):
        server.pushed(many[first:first + 2000])
    lost = server.pull(consumer="job").json["lost_records"]
    late = t.start(sys.executable, example("pull.py"), server.url + server.path(), "job", "--once", label="late")
    t.equal(late.wait(60), 0, f"exit code\n{late.stderr_tail}")
    t.contains(late.stderr, "records are lost", "what it tells")
    told = sum(int(number) for number in re.findall(r"(\d+) records are lost", late.stderr))
    t.same_lines(many[told:], late.stdout.encode().split(b"\n")[:-1], "what is left")
    t.true(told >= lost > 0, f"the losses that it tells, {told}, are those of before, {lost}")


@test("duckdb-batch.py reports over pulled batches and over sealed segments, the same")
def duckdb(t):
    for name in ("web", "api"):
        t.write(f"{name}.log", b"".join(corpus.lines({"web": 3000, "api": 2000}[name], t.seed)))
    t.pipeline("""
queue: { name: q, path: q }
sources: { app: { type: file, paths: ["*.log"], format: json } }
""")
    server = served.run(t)
    t.until("all to be there", lambda: server.facts()["records"] == 5000, alive=server.process)
    report = t.call(sys.executable, example("duckdb-batch.py"), "pull", server.url + server.path(), "reports").decode().splitlines()
    found = {os.path.basename(words[1]): (int(words[2]), int(words[4])) for words in map(str.split, report)}
    t.equal(found, {f"{name}.log": (count, t.size(f"{name}.log") - count) for name, count in (("web", 3000), ("api", 2000))}, "the report over what was pulled")
    t.equal(server.consumer("reports")["lag_records"], 0, "what is not committed")
    again = t.call(sys.executable, example("duckdb-batch.py"), "pull", server.url + server.path(), "reports")
    t.equal(again, b"", "the report over nothing new")
    t.equal(server.request("POST", server.path("/seal")).status, 200, "sealing")
    over_segments = t.call(sys.executable, example("duckdb-batch.py"), "segments", t.path("q")).decode().splitlines()
    t.equal(over_segments, report, "the report over the sealed segments")


@test("spark.py counts the lines and words of sealed segments, through Hadoop's gzip codec", only_full=True)
def spark(t):
    lines = [line[:-1] for line in corpus.lines(60_000, t.seed)]
    t.write("in.log", b"".join(line + b"\n" for line in lines))
    t.pipeline("""
queue: { name: q, path: q, max_size: 16MiB }
sources: { app: { type: file, paths: [in.log] } }
""")
    t.run("--once")
    segments = glob.glob(t.path("q/segments/*.gz"))
    t.true(segments, "sealed segments")
    output = t.call(sys.executable, example("spark.py"), t.path("q"), seconds=110, env=os.environ | {"PYSPARK_PYTHON": sys.executable}).decode().splitlines()
    counts = {}
    for word in b"\n".join(lines).replace(b"\n", b" ").decode().split(" "):
        counts[word] = counts.get(word, 0) + 1
    top = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:10]
    t.equal(output, [f"lines {len(lines)}"] + [f"{word} {count}" for word, count in top], "what Spark counts")
    t.note(f"{len(segments)} segments")


@test("hdfs.sh takes a queue into a real HDFS, each record into one file, also when it is killed", only_full=True, seconds=240)
def hdfs(t):
    from hdfs import HDFS

    cluster = HDFS(t)
    server = served.serve(t)
    environment = {"SLUICE": t.sluice_path, "TMPDIR": t.directory}
    command = [example("hdfs.sh"), server.url, "q", cluster.url, "/logs/app"]
    expected = []

    def in_hdfs():
        names = sorted(name for name in cluster.list("/logs/app") if name.endswith(".log"))
        return [line for name in names for line in cluster.read(f"/logs/app/{name}").split(b"\n")[:-1]]

    for _ in range(3):
        run_killed(t, command, 5, feeder(t, server, expected, 5000), **environment)
        t.same_lines(expected, in_hdfs(), "the lines in HDFS")
    t.equal(server.consumer("hdfs")["lag_records"], 0, "what is not committed")
    t.note(f"{len(expected)} lines in {len(cluster.list('/logs/app'))} files")


@test("flume-push.sh sends lines as Flume's HTTP source takes them")
def flume(t):
    server = served.serve(t)
    lines = ["plain", 'with "quotes" and \\ and \\n', "a\ttab", "", "grüße 日本語", "bell \a and escape \x1b"]
    t.call(example("flume-push.sh"), server.url + server.path(), input="".join(line + "\n" for line in lines).encode())
    records = [json.loads(line) for line in server.pull(offset="oldest").lines]
    t.equal([one["body"] for one in records], lines, "bodies")
    t.equal({one["headers"]["host"] for one in records}, {os.uname().nodename}, "hosts")
    t.call(example("flume-push.sh"), server.url + server.path(), input=b"again\n")
    t.equal(server.facts()["records"], len(lines) + 1, "records after another push")


@test("every example has a test and says how to run it")
def examples_are_tested(t):
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    for path in sorted(glob.glob(example("*"))):
        name = os.path.basename(path)
        t.true(f'example("{name}")' in text, f"a test that runs {name}")
        with open(path, encoding="utf-8") as file:
            head = file.read(2000)
        t.true(name in head.split("set -eu")[0], f"{name} says how to run it")
        t.true(os.access(path, os.X_OK), f"{name} can be run")


@test("the alert rules are what Prometheus takes, and each metric that they ask for is served")
def alerts(t):
    t.call(t.program("promtool"), "check", "rules", ALERTS)
    with open(ALERTS, encoding="utf-8") as file:
        text = file.read()
    asked = set(re.findall(r"\bsluice_\w+", "\n".join(line for line in text.splitlines() if line.lstrip().startswith("expr:"))))
    t.true(len(asked) >= 10, f"metrics in the rules, found {asked}")
    server, work = busy_server(t)

    def missing():
        work()
        return asked - set(re.findall(r"^# TYPE (\w+) ", server.get("/metrics").body.decode(), re.MULTILINE))

    try:
        t.until("all metrics of the rules", lambda: not missing(), seconds=30, alive=server.process)
    except Failure as failure:
        raise Failure(f"metrics that rules ask for and that are not served: {sorted(missing())}") from failure


def busy_server(t):
    """A server that has something to tell of every family, once `work`, which it gives too, was called some times."""
    port = free_port(socket.SOCK_DGRAM)
    # A queue that gets fuller, and whose kernel drops datagrams: so that every family has something to tell.
    t.pipeline(f"""
queue: {{ name: q, path: q, max_size: 64MiB }}
sources: {{ network: {{ type: syslog, listen: "udp://127.0.0.1:{port}", format: raw, receive_buffer: 64KiB }} }}
sinks: {{ out: {{ type: http, url: "http://127.0.0.1:{free_port()}/logs", hold: 10% }} }}
consumers: {{ job: {{}} }}
""")
    server = served.run(t)
    t.until("the socket to be open", lambda: "syslog: listening" in server.process.stderr, alive=server.process)
    lines = corpus.hard_lines(t, 256 * KIB)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.later(sender.close)
    server.process.signal(signal.SIGSTOP)
    for _ in range(3000):
        sender.sendto(b"<14>1 - host app - - - " + bytes(300), ("127.0.0.1", port))
    server.process.signal(signal.SIGCONT)

    def work():
        server.pushed(lines)
        # The kernel tells its drops with the next datagram.
        sender.sendto(b"<14>1 - host app - - - more", ("127.0.0.1", port))

    return server, work


@test("the dashboard is sound, and a real Prometheus has an answer to each of its queries")
def dashboard(t):
    with open(DASHBOARD, encoding="utf-8") as file:
        found = json.load(file)
    panels = found["panels"]
    t.equal(len({panel["id"] for panel in panels}), len(panels), "numbers of panels, each once")
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        t.true(panel["title"] and (panel["type"] == "row" or panel["description"]), f"title and description of panel {panel['id']}")
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            t.true(cell[0] < 24 and cell not in taken, f"{panel['title']} stands beside the others, not upon {taken.get(cell)}")
            taken[cell] = panel["title"]
    variables = {one["name"] for one in found["templating"]["list"]}
    targets = [(panel["title"], target["expr"], target["legendFormat"]) for panel in panels for target in panel.get("targets", [])]
    t.true(len(targets) >= 30, f"queries, found {len(targets)}")
    used = set(re.findall(r"\$(\w+)", json.dumps(found))) - {"__all"}
    t.equal(used - {"__rate_interval", "__range"}, variables - {"datasource"}, "variables that queries use")
    server, work = busy_server(t)
    t.write("prometheus.yml", f"""
scrape_configs:
  - job_name: sluice
    scrape_interval: 1s
    static_configs: [{{ targets: ["{server.host}:{server.port}"] }}]
""")
    port = free_port()
    prometheus = t.start(
        t.program("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", f"--web.listen-address=127.0.0.1:{port}", label="prometheus")

    def ask(query):
        """What an instant query gives: label sets."""
        for name, value in (("__rate_interval", "15s"), ("__range", "1h"), ("job", ".*"), ("instance", ".*"), ("queue", ".*")):
            query = query.replace("$" + name, value)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=30) as answer:
                return [one["metric"] for one in json.load(answer)["data"]["result"]]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return []  # it starts
            raise Failure(f"Prometheus refuses {query}: {error.read().decode()}") from error
        except OSError:
            return []

    def missing():
        work()
        return [(title, expression) for title, expression, _ in targets if not ask(expression)]

    try:
        t.until("an answer to each query", lambda: not missing(), seconds=60, alive=[server.process, prometheus])
    except Failure as failure:
        raise Failure(f"{failure}\npanels with a query without an answer: {[title for title, _ in missing()]}") from failure
    for title, expression, legend in targets:
        for labels in ask(expression):
            t.true(set(re.findall(r"{{(\w+)}}", legend)) <= labels.keys(), f"{title}: what the legend '{legend}' names is in {labels}")
    for one in found["templating"]["list"]:
        if one["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", one["definition"]).groups()
            t.true(any(label in labels for labels in ask(series)), f"the variable {one['name']} has values")
