"""file -> queue -> JetStream -> queue -> file: each line once and in order, whatever dies on the way; every loss told with its count."""

import base64
import json
import os
import random
import signal
import threading
import time

import corpus
from endpoints import free_port
from harness import test
from nats import Client, Cluster, Node

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAULTS = {"quick": 8, "normal": 15, "full": 200}


def edge(t, cluster, extra="", source="in.log", queue="edge", name="edge.yaml", servers=None, max_size="64MiB"):
    return t.pipeline(f"""
queue: {{ path: {queue}, max_size: {max_size} }}
sources: {{ app: {{ type: file, paths: [{source}] }} }}
sinks:
  out: {{ type: jetstream, servers: {servers or cluster.servers}, stream: LOGS, subject: sluice.test.{queue}, replicas: {min(3, len(cluster.nodes))}{extra} }}
""", name)


def hub(t, cluster, extra="", queue="hub", name="hub.yaml", out="out.log", sink=""):
    return t.pipeline(f"""
queue: {{ path: {queue}, max_size: 512MiB }}
sources: {{ cluster: {{ type: jetstream, servers: {cluster.servers}, stream: LOGS{extra} }} }}
sinks: {{ copy: {{ type: file, path: {out}{sink} }} }}
""", name)


def through(t, edges=("edge.yaml",), hubs=("hub.yaml",)):
    """All that is there from one end to the other."""
    for file in edges:
        t.run("--once", "--drain", file=file)
    for file in hubs:
        t.run("--once", "--drain", file=file)


def follow(t, count, until_ended):
    """Appends to in.log for as long as it is told; gives the thread."""

    def write():
        number = 0
        with open(t.path("in.log"), "ab", buffering=0) as file:
            while not until_ended.is_set() or number < count:
                file.write(b"".join(corpus.lines(200, t.seed + number, first=number * 200)))
                if number % 100 == 50:
                    # A block that goes in pieces.
                    file.write(random.Random(number).randbytes(2_200_000).replace(b"\n", b"x") + b"\n")
                number += 1
                time.sleep(0.01)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


@test("a log goes through JetStream from queue to queue, and comes out as it was")
def copied(t):
    cluster = Cluster(t)
    corpus.write(t.path("in.log"), 24 << 20, t.seed)
    with open(t.path("in.log"), "ab") as file:
        # A block that no message takes, and a last line without its line feed.
        file.write(random.Random(t.seed).randbytes(5 << 20).replace(b"\n", b"x") + b"\n\n\r\nlast\0line")
    edge(t, cluster)
    hub(t, cluster)
    through(t)
    t.same("in.log", "out.log")
    state = cluster.info("LOGS")["state"]
    t.note(f"{t.size('in.log')} bytes in {state['messages']} messages, {state['bytes']} bytes stored")
    through(t)
    t.same("in.log", "out.log")
    t.equal(cluster.info("LOGS")["state"]["messages"], state["messages"], "messages after another run of both")
    # What was read is still what any gzip reader makes of a message.
    t.equal(t.consumer("out", "edge")["lag_records"], 0, "the sink's lag")


@test("kill -9 and pauses of servers, edge and hub lose nothing and double nothing", seconds=300)
def faults(t):
    cluster = Cluster(t, 3)
    t.write("in.log", b"")
    edge(t, cluster)
    hub(t, cluster)
    ended = threading.Event()
    writer = follow(t, 0, ended)
    runs = {name: t.start_run(file=f"{name}.yaml", label=name) for name in ("edge", "hub")}
    t.until("the first lines to arrive", lambda: t.size("out.log") > 0, alive=list(runs.values()))
    counts = {}
    for number in range(FAULTS[t.sizes.name]):
        seen = t.size("out.log")
        kind = t.random.choice(["kill server", "pause server", "kill edge", "kill hub", "kill both"])
        counts[kind] = counts.get(kind, 0) + 1
        if kind.endswith("server"):
            node = t.random.choice(cluster.nodes)
            if kind.startswith("kill"):
                node.kill()
                time.sleep(t.random.uniform(0, 1))
                node.start()
            else:
                node.pause()
                time.sleep(t.random.uniform(0.1, 3))
                node.resume()
            t.until("every replica to have all of the stream", lambda: cluster.is_whole("LOGS"), seconds=60)
        else:
            for name in ("edge", "hub") if kind == "kill both" else (kind.split()[1],):
                runs[name].kill()
                runs[name] = t.start_run(file=f"{name}.yaml", label=name)
        if number % 4 == 0:
            t.until("more lines to arrive", lambda: t.size("out.log") > seen, alive=list(runs.values()))
        time.sleep(t.random.uniform(0, 0.3))
    ended.set()
    writer.join()
    t.until("the end of the log to arrive", lambda: t.size("out.log") >= t.size("in.log"), alive=list(runs.values()))
    for run in runs.values():
        t.stop(run)
    t.same("in.log", "out.log")
    t.equal([gap for gap in gaps(t, "hub")], [], "gaps")
    t.note(f"{t.size('in.log')} bytes; " + ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))


def gaps(t, queue):
    """The losses that a queue tells, by reason."""
    return [gap for gap in t.show(queue).get("gaps", []) if gap.get("records")]


@test("a minute without quorum: the local queue fills, nothing is lost, order is kept", seconds=200)
def no_quorum(t):
    cluster = Cluster(t, 3)
    t.write("in.log", b"")
    edge(t, cluster)
    hub(t, cluster)
    ended = threading.Event()
    writer = follow(t, 0, ended)
    runs = [t.start_run(file=f"{name}.yaml", label=name) for name in ("edge", "hub")]
    t.until("the first lines to arrive", lambda: t.size("out.log") > 0, alive=runs)
    for node in cluster.nodes[:2]:
        node.kill()
    time.sleep(60 if t.sizes.name == "full" else 8)
    t.true(all(run.is_running for run in runs), "edge and hub to go on without a quorum")
    lag = t.consumer("out", "edge")["lag_records"]
    t.true(lag > 0, f"records to wait in the edge's queue, found {lag}")
    for node in cluster.nodes[:2]:
        node.start()
    ended.set()
    writer.join()
    t.until("the end of the log to arrive", lambda: t.size("out.log") >= t.size("in.log"), alive=runs)
    for run in runs:
        t.stop(run)
    t.same("in.log", "out.log")
    t.note(f"{lag} records waited")


@test("two sinks on one subject: the second is fenced and says so, the first goes on")
def fenced(t):
    cluster = Cluster(t)
    corpus.write(t.path("in.log"), 1 << 20, t.seed)
    edge(t, cluster)
    hub(t, cluster)
    t.run("--once", "--drain", file="edge.yaml")
    t.write("other.log", b"".join(b"other %d\n" % number for number in range(1000)))
    t.pipeline(open(t.path("edge.yaml")).read().replace("in.log", "other.log").replace("path: edge", "path: other"), "other.yaml")
    run = t.start_run(file="other.yaml")
    t.until("the second sink to be fenced", lambda: "belongs to another queue" in run.stderr, alive=run)
    t.contains(run.stderr, "give it a 'subject' of its own", "the remedy")
    t.stop(run)
    t.equal(t.consumer("out", "other")["lag_records"], 1000, "what the second sink still has to give")
    with open(t.path("in.log"), "ab") as file:
        file.write(b"and on\n")
    through(t)
    t.same("in.log", "out.log")


@test("a copied queue directory fences one of the two that publish")
def copied_queue(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(100)))
    edge(t, cluster)
    t.run("--once", "--drain", file="edge.yaml")
    t.call("cp", "-a", "edge", "copy")
    t.pipeline(open(t.path("edge.yaml")).read().replace("path: edge", "path: copy"), "copy.yaml")
    runs = [t.start_run(file=name, label=name) for name in ("edge.yaml", "copy.yaml")]

    def grow():
        with open(t.path("in.log"), "ab") as file:
            file.write(b"more\n")
        return any("another process" in run.stderr for run in runs)

    t.until("one of the two to be fenced", grow, alive=runs)
    t.true(sum("another process" in run.stderr for run in runs) == 1, "one, not both, to be fenced")
    for run in runs:
        t.stop(run)
    hub(t, cluster)
    t.run("--once", "--drain", file="hub.yaml")
    t.same("in.log", "out.log") if t.size("in.log") == t.size("out.log") else t.true(
        t.read("in.log").startswith(t.read("out.log")), "what came through to be the log's beginning")


@test("a copied or an older queue directory publishes nothing, one after the other, too, and however often it is started")
def copied_later(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(100)))
    edge(t, cluster)
    t.run("--once", "--drain", file="edge.yaml")
    t.call("cp", "-a", "edge", "copy")
    t.pipeline(open(t.path("edge.yaml")).read().replace("path: edge", "path: copy"), "copy.yaml")
    with open(t.path("in.log"), "ab") as file:
        file.write(b"".join(b"more %d\n" % number for number in range(50)))
    t.run("--once", "--drain", file="edge.yaml")
    for _ in range(2):
        run = t.start_run(file="copy.yaml")
        t.until("the copy to be fenced", lambda: "another process has published" in run.stderr, alive=run)
        t.contains(run.stderr, "a copy, or an older one that was put back", "what it says")
        t.stop(run)
    # The original goes on, over a kill, too.
    with open(t.path("in.log"), "ab") as file:
        file.write(b"".join(b"again %d\n" % number for number in range(50)))
    run = t.start_run(file="edge.yaml")
    t.until("the last to be sent", lambda: t.consumer("out", "edge")["lag_records"] == 0, alive=run)
    run.kill()
    t.run("--once", "--drain", file="edge.yaml")
    hub(t, cluster)
    t.run("--once", "--drain", file="hub.yaml")
    t.same("in.log", "out.log")


@test("wrong credentials, missing servers and a stream of another make are told; the local queue goes on")
def told(t):
    options = {"user": "u", "pass": "right"}
    cluster = Cluster(t, extra='authorization { user: u, password: "right" }', options=options)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(1000)))

    def complains(text, remedy, file="edge.yaml"):
        run = t.start_run(file=file)
        t.until(f"'{text}'", lambda: text in run.stderr, alive=run, seconds=30)
        t.contains(run.stderr, remedy, "the remedy")
        t.true("wrong" not in run.stderr and "right" not in run.stderr, f"no secret in the log\n{run.stderr_tail}")
        t.stop(run)
        t.equal(t.consumer("out", "edge")["lag_records"], 1000, "records that wait in the queue")

    t.write("password", b"wrong")
    edge(t, cluster, extra=", user: u, password: '${file:password}'")
    complains("Authorization Violation", "correct 'credentials'")
    t.write("password", b"right")
    edge(t, cluster, extra=", user: u, password: '${file:password}'", servers="[nats://127.0.0.1:1]")
    complains("no NATS server can be connected to", "records stay in the queue")
    edge(t, cluster, extra=", user: u, password: '${file:password}'", servers=cluster.servers)
    t.pipeline(open(t.path("edge.yaml")).read().replace("replicas: 1", "replicas: 3"), "three.yaml")
    complains("can't be made with replicas 3", "set 'replicas' to as many as there are", "three.yaml")
    with Client(cluster.nodes, options) as client:
        client.api("STREAM.CREATE.LOGS", {"name": "LOGS", "subjects": ["other.>"], "storage": "memory", "max_age": 3600 * 10**9})
    edge(t, cluster, extra=", user: u, password: '${file:password}', max_age: 7d")
    for text in ("its subjects (other.>) don't take 'sluice.test.edge'", "its storage is 'memory'", "it has max_age 3600s, 'max_age' asks for 604800s"):
        complains(text, "Sluice changes no stream that is there")
    found = t.start_sluice("check", "--connect", "edge.yaml")
    t.equal(found.wait(), 1, "exit code of sluice check --connect")
    t.contains(found.stderr, "its storage is 'memory'", "what check --connect says")
    with Client(cluster.nodes, options) as client:
        client.api("STREAM.DELETE.LOGS")
    t.contains(t.sluice("check", "--connect", "edge.yaml"), "is made when the pipeline runs", "check of a stream that isn't there")
    t.run("--once", "--drain", file="edge.yaml")
    t.contains(t.sluice("check", "--connect", "edge.yaml"), "as configured", "check of the stream")


@test("TLS: the server's certificate is checked with its name, the client shows its own, a token is kept secret")
def tls(t):
    def certificate(name, alternative):
        t.call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        t.write(f"{name}.ext", f"subjectAltName={alternative}\n")
        t.call("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")

    t.call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test CA")
    certificate("server", "IP:127.0.0.1")
    certificate("elsewhere", "DNS:elsewhere.example")
    certificate("client", "DNS:client.example")
    t.write("in.log", b"line\n")
    t.write("token", b"geheim")

    def serve(name):
        port = free_port()
        text = (
            f'listen: 127.0.0.1:{port}\nauthorization {{ token: geheim }}\njetstream {{ store_dir: "{t.path("nats-" + name)}" }}\n'
            f'tls {{ cert_file: "{t.path(name + ".pem")}", key_file: "{t.path(name + ".key")}", ca_file: "{t.path("ca.pem")}", verify: true }}\n')
        return Node(t, name, port, text).start()

    def pipeline(node, tls, name):
        return t.pipeline(f"""
queue: {{ path: q }}
sources: {{ app: {{ type: file, paths: [in.log] }} }}
sinks: {{ out: {{ type: jetstream, servers: ["tls://127.0.0.1:{node.port}"], tls: {tls}, token: "${{file:token}}", stream: LOGS, subject: a.b, replicas: 1 }} }}
""", name)

    def complains(file, text):
        run = t.start_run(file=file)
        t.until("the sink to say that it can't be opened", lambda: "the sink can't be opened" in run.stderr, alive=run, seconds=30)
        t.contains(run.stderr, text, "the reason")
        t.true("geheim" not in run.stderr, "no secret in the log")
        t.stop(run)

    server, elsewhere = serve("server"), serve("elsewhere")
    files = "{ ca: ca.pem, certificate: client.pem, key: client.key }"
    pipeline(server, files, "p.yaml")
    t.until("the server to be up", lambda: "Server is ready" in server.process.stderr, alive=server.process)
    complains(pipeline(elsewhere, files, "name.yaml"), "correct 'tls'")
    complains(pipeline(server, "{ certificate: client.pem, key: client.key }", "authority.yaml"), "correct 'tls'")
    complains(pipeline(server, "{ ca: in.log, certificate: client.pem, key: client.key }", "file.yaml"), "'in.log' (tls.ca) can't be read as PEM certificates")
    complains(pipeline(server, "{ ca: ca.pem }", "client.yaml"), "asks for a client's certificate")
    t.run("--once", "--drain")
    t.equal(t.consumer("out")["lag_records"], 0, "the sink's lag")


@test("messages that aren't Sluice's, and blocks that are damaged, are passed over and told")
def foreign(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(500)))
    edge(t, cluster)
    t.run("--once", "--drain", file="edge.yaml")
    with Client(cluster.nodes) as client:
        queue = "0123456789abcdef" * 2
        fields = {"Sluice-Queue": queue, "Sluice-First-Offset": "0", "Sluice-Next-Offset": "7", "Sluice-Start-Offset": "0", "Sluice-Writer": "1"}
        client.publish("sluice.foreign", b"hello")
        client.publish("sluice.foreign", b"hello", {**fields, "Sluice-Next-Offset": "0"})
        client.publish("sluice.damaged", b"\x1f\x8b\x08\x04 no block at all", fields)
        client.publish("sluice.pieces", b"x", {**fields, "Sluice-Piece": "2/3"})
        client.publish("sluice.pieces", b"x", {**fields, "Sluice-Piece": "1/99999999"})
    hub(t, cluster, sink=", gaps: true")
    run = t.run("--once", "--drain", file="hub.yaml")
    t.contains(run.stderr, "isn't one of a Sluice sink", "what the log says")
    t.contains(run.stderr, "a message's blocks can't be read", "what the log says")
    lines = t.read("out.log").split(b"\n")[:-1]
    lost = [json.loads(line)["sluice_gap"] for line in lines if line.startswith(b'{"sluice_gap":')]
    t.equal([(gap["reason"], gap["records"]) for gap in lost], [("dropped", 7)], "gaps")
    t.same_lines(t.read("in.log").split(b"\n")[:-1], [line for line in lines if not line.startswith(b'{"sluice_gap":')], "lines")


@test("what a stream's limits deleted before it was read is an exact gap; losses of the edge travel too")
def deleted(t):
    cluster = Cluster(t)
    t.write("in.log", b"")
    edge(t, cluster)
    hub(t, cluster, sink=", gaps: true")
    written = 0

    def send(count):
        nonlocal written
        with open(t.path("in.log"), "ab") as file:
            file.write(b"".join(b"line %d\n" % number for number in range(written, written + count)))
        written += count
        t.run("--once", "--drain", file="edge.yaml")

    send(100)
    t.run("--once", "--drain", file="hub.yaml")
    send(70)
    send(30)
    last = cluster.info("LOGS")["state"]["last_seq"]
    send(50)
    cluster.call("STREAM.PURGE.LOGS", {"seq": last + 1})
    t.run("--once", "--drain", file="hub.yaml")
    cluster.call("STREAM.PURGE.LOGS")
    send(5)
    t.run("--once", "--drain", file="hub.yaml")
    lines = t.read("out.log").split(b"\n")[:-1]
    lost = [json.loads(line)["sluice_gap"] for line in lines if line.startswith(b'{"sluice_gap":')]
    t.equal([(gap["reason"], gap["records"]) for gap in lost], [("retention", 100)], "gaps")
    expected = [b"line %d" % number for number in [*range(100), *range(200, 255)]]
    t.same_lines(expected, [line for line in lines if not line.startswith(b'{"sluice_gap":')], "lines")
    # A hub that comes later begins with the oldest message, and is told of what was there before.
    hub(t, cluster, queue="late", name="late.yaml", out="late.log", sink=", gaps: true")
    t.run("--once", "--drain", file="late.yaml")
    lines = t.read("late.log").split(b"\n")[:-1]
    t.equal(json.loads(lines[0])["sluice_gap"]["records"], 250, "records before the late hub's first")
    t.equal(lines[1:], [b"line %d" % number for number in range(250, 255)], "the late hub's lines")


@test("what the edge's own queue lost before it was sent is a gap at the hub, with its count")
def edge_losses(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(100)))
    edge(t, cluster)
    # Without a server, and so that all of it is in a segment of its own, which goes before the sink has read it.
    t.pipeline(open(t.path("edge.yaml")).read().replace(cluster.servers, "[nats://127.0.0.1:1]"), "alone.yaml")
    t.run("--once", file="alone.yaml")
    t.sluice("queue", "seal", "edge")
    t.sluice("queue", "trim", "edge", "--before", "newest", "--force")
    with open(t.path("in.log"), "ab") as file:
        file.write(b"and on\n")
    hub(t, cluster, sink=", gaps: true")
    through(t)
    lines = t.read("out.log").split(b"\n")[:-1]
    t.equal(json.loads(lines[0])["sluice_gap"]["records"], 100, "records that the first entry tells")
    t.equal(lines[1:], [b"and on"], "lines")


@test("a host that gets another subject goes on there, and the hub misses nothing")
def other_subject(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(100)))
    edge(t, cluster)
    hub(t, cluster)
    through(t)
    with open(t.path("in.log"), "ab") as file:
        file.write(b"".join(b"more %d\n" % number for number in range(50)))
    t.pipeline(open(t.path("edge.yaml")).read().replace("sluice.test.edge", "sluice.test.renamed"), "edge.yaml")
    through(t)
    t.same("in.log", "out.log")
    t.equal(t.show("hub")["total_lost"], 0, "records that the hub tells as lost")


@test("a stream that was deleted and made anew is read from its beginning")
def made_anew(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(100)))
    edge(t, cluster)
    hub(t, cluster)
    for _ in range(3):
        through(t)
        with open(t.path("in.log"), "ab") as file:
            file.write(b"more\n" * 10)
    cluster.call("STREAM.DELETE.LOGS")
    through(t)
    t.same("in.log", "out.log")


@test("blocks in pieces are put together however their subjects are mixed, and in whatever number")
def pieces(t):
    cluster = Cluster(t)
    names = [f"e{number}" for number in range(7)]
    messages = []
    for name in names:
        t.write(f"{name}.log", name.encode() + b" begins\n" + t.random.randbytes(2_500_000).replace(b"\n", b"x") + b"\n" + name.encode() + b" ends\n")
        edge(t, cluster, source=f"{name}.log", queue=name, name=f"{name}.yaml")
        t.run("--once", "--drain", file=f"{name}.yaml")
    with Client(cluster.nodes) as client:
        for sequence in range(1, client.api("STREAM.INFO.LOGS")["state"]["last_seq"] + 1):
            message = client.api("STREAM.MSG.GET.LOGS", {"seq": sequence})["message"]
            head = base64.b64decode(message["hdrs"]).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line.startswith("Sluice-"))
            messages.append((message["subject"], headers, base64.b64decode(message.get("data", ""))))
        t.true(sum("Sluice-Piece" in headers for _, headers, _ in messages) >= 3 * len(names), "pieces of every subject")
        client.api("STREAM.DELETE.LOGS")
        client.api("STREAM.CREATE.LOGS", {"name": "LOGS", "subjects": ["sluice.>"]})
        queues = {subject: [one for one in messages if one[0] == subject] for subject, _, _ in messages}
        for number, waiting in enumerate(queues.values()):
            # Beginnings that their sinks gave up, after one or two pieces: all of it comes again.
            first = next(index for index, one in enumerate(waiting) if one[1].get("Sluice-Piece", "").startswith("1/"))
            waiting[first:first] = waiting[first : first + number % 3]
        while queues:
            subject = t.random.choice(list(queues))
            _, headers, data = queues[subject].pop(0)
            client.publish(subject, data, headers)
            if not queues[subject]:
                del queues[subject]
    hub(t, cluster)
    t.run("--once", "--drain", file="hub.yaml")
    found = t.read("out.log")
    for name in names:
        t.equal(found.count(t.read(f"{name}.log").split(b"\n")[1]), 1, f"times that the long line of {name} came")
    t.equal(len(found), sum(t.size(f"{name}.log") for name in names), "bytes")


@test("hubs with a share each split the subjects; each record once in all")
def shares(t):
    cluster = Cluster(t)
    names = [f"e{number}" for number in range(6)]
    for name in names:
        t.write(f"{name}.log", b"".join(b"%s line %d\n" % (name.encode(), number) for number in range(1000)))
        edge(t, cluster, source=f"{name}.log", queue=name, name=f"{name}.yaml")
    for index in range(2):
        hub(t, cluster, extra=f", share: {{ index: {index}, of: 2 }}", queue=f"hub{index}", name=f"hub{index}.yaml", out=f"out{index}.log")
    through(t, [f"{name}.yaml" for name in names], ["hub0.yaml", "hub1.yaml"])
    outputs = [t.read(f"out{index}.log").split(b"\n")[:-1] if t.size(f"out{index}.log") else [] for index in range(2)]
    owners = [{line.split()[0] for line in lines} for lines in outputs]
    t.equal(owners[0] & owners[1], set(), "hosts that both hubs have")
    for name in names:
        found = [line for lines in outputs for line in lines if line.split()[0] == name.encode()]
        t.same_lines(t.read(f"{name}.log").split(b"\n")[:-1], found, f"lines of {name}")
    t.note(f"shares: {', '.join(str(len(one)) for one in owners)} of {len(names)} hosts")
    # By a list, each subject is asked for by itself; a subject of two patterns comes once.
    hub(t, cluster, extra=", subjects: [sluice.test.e1, 'sluice.*.e1', sluice.test.e4]", queue="listed", name="listed.yaml", out="listed.log")
    through(t, [], ["listed.yaml"])
    found = t.read("listed.log").split(b"\n")[:-1]
    for name in ("e1", "e4"):
        t.same_lines(t.read(f"{name}.log").split(b"\n")[:-1], [line for line in found if line.startswith(name.encode())], f"lines of {name}")
    t.equal(len(found), 2000, "lines of the list")


@test("the shipped pipelines jetstream-edge and jetstream-hub do what their comments say")
def shipped(t):
    cluster = Cluster(t)
    settings = {**os.environ, "NATS_SERVERS": cluster.nodes[0].url, "NATS_REPLICAS": "1", "STREAM_SIZE": "1GiB", "SLUICE_LOGS": t.path("logs"), "ARCHIVE_DIR": t.path("archive")}
    os.mkdir(t.path("logs"))
    expected = []
    for name in ("a", "b"):
        expected.append([b"%s %d" % (name.encode(), number) for number in range(1000)])
        t.write(f"logs/{name}.log", b"".join(line + b"\n" for line in expected[-1]))
    for name in ("edge", "hub"):
        t.run("--once", "--drain", file=os.path.join(ROOT, "pipelines", f"jetstream-{name}.yaml"), env=settings)
    found = t.call("sh", "-c", "zcat archive/*").split(b"\n")[:-1]
    t.equal(len(found), 2000, "lines in the archive")
    for lines in expected:
        t.same_lines(lines, [line for line in found if line[:1] == lines[0][:1]], "lines of a file")


@test("a full stream makes the sink wait, and a full hub asks for nothing more")
def full(t):
    cluster = Cluster(t)
    corpus.write(t.path("in.log"), 24 << 20, t.seed)
    edge(t, cluster, extra=", max_bytes: 1MiB, max_age: 1h")
    run = t.start_run(file="edge.yaml")
    t.until("the stream to be full", lambda: "is full and its overflow is 'wait'" in run.stderr, alive=run)
    cluster.call("STREAM.UPDATE.LOGS", {**cluster.info("LOGS")["config"], "max_bytes": -1})
    t.stop(run)
    # Unchanged in the file, it now differs, and that is said.
    t.contains(complaint(t), "it has max_bytes none", "check --connect")
    edge(t, cluster)
    t.pipeline(f"""
queue: {{ path: small, max_size: 8MiB, retention: {{ keep: 1s }} }}
sources: {{ cluster: {{ type: jetstream, servers: {cluster.servers}, stream: LOGS }} }}
sinks: {{ copy: {{ type: file, path: out.log, pull: {{ rate: 4MiB/s }} }} }}
""", "hub.yaml")
    t.run("--once", "--drain", file="edge.yaml")
    run = t.start_run(file="hub.yaml")
    t.until("all of it to arrive", lambda: t.size("out.log") == t.size("in.log"), alive=run, seconds=90)
    t.stop(run)
    t.same("in.log", "out.log")


def complaint(t):
    process = t.start_sluice("check", "--connect", "edge.yaml")
    process.wait()
    return process.stderr


@test("a stop ends edge and hub in time, with a server that hangs, too")
def stops(t):
    cluster = Cluster(t)
    t.write("in.log", b"".join(b"line %d\n" % number for number in range(100)))
    edge(t, cluster)
    hub(t, cluster)
    runs = [t.start_run(file=f"{name}.yaml", label=name) for name in ("edge", "hub")]
    t.until("the lines to arrive", lambda: t.size("out.log") == t.size("in.log"), alive=runs)
    cluster.nodes[0].pause()
    with open(t.path("in.log"), "ab") as file:
        file.write(b"more\n")
    t.until("the line to wait in the queue", lambda: t.consumer("out", "edge")["lag_records"] == 1)
    for run in runs:
        run.signal(signal.SIGTERM)
    for run in runs:
        run.wait(8)
    cluster.nodes[0].resume()
    through(t)
    t.same("in.log", "out.log")
