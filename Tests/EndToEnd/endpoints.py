"""HTTP endpoints that tests send to: one that remembers what it took, and one that never answers."""

import gzip
import http.server
import json
import socket
import socketserver
import threading


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that was killed in the middle of a request is no news here


class Endpoint:
    """Takes bodies of lines. A body whose Idempotency-Key is known was taken before, and is only acknowledged again.

    `answer(number, key, body)` may return another status than 200 (and headers as a second value); a body counts as taken only when the status is 2xx.
    """

    def __init__(self, port=0, answer=None):
        self.lock = threading.Lock()
        self.keys = {}
        self.bodies = []
        self.requests = 0
        self.repeats = 0
        self.conflicts = []
        self.encodings = set()
        self.answer = answer
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def log_message(self, *_):
                pass

            def do_POST(self):
                endpoint._take(self)

            do_PUT = do_POST

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/logs"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    @property
    def lines(self):
        """All lines in the order in which they were taken, without line feeds."""
        with self.lock:
            text = b"".join(self.bodies)
        return text.split(b"\n")[:-1]

    @property
    def byte_count(self):
        with self.lock:
            return sum(map(len, self.bodies))

    def _take(self, handler):
        raw = _body(handler)
        if raw is None:
            return
        encoding = handler.headers.get("Content-Encoding", "identity")
        # One member only: what many servers read of a gzip body.
        body = gzip.decompress(raw) if encoding == "gzip" else raw
        key = handler.headers.get("Idempotency-Key", "")
        with self.lock:
            self.requests += 1
            number = self.requests
            self.encodings.add(encoding)
        status, headers = 200, {}
        if self.answer:
            given = self.answer(number, key, body)
            status, headers = given if isinstance(given, tuple) else (given or 200, {})
        if 200 <= status < 300:
            with self.lock:
                if not key:
                    self.conflicts.append("a request without Idempotency-Key")
                elif key in self.keys:
                    self.repeats += 1
                    if self.keys[key] != hash(body):
                        self.conflicts.append(f"other lines under the key {key}")
                else:
                    self.keys[key] = hash(body)
                    self.bodies.append(body)
        answer = b"" if status < 300 else json.dumps({"status": status}).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)


def _body(handler):
    """The request's body by length or by chunks; None when the client went away."""
    try:
        if "chunked" in handler.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while True:
                length = int(handler.rfile.readline().split(b";")[0], 16)
                parts.append(handler.rfile.read(length))
                handler.rfile.readline()
                if length == 0:
                    return b"".join(parts)
        length = int(handler.headers.get("Content-Length", "0"))
        body = handler.rfile.read(length)
        return body if len(body) == length else None
    except (OSError, ValueError):
        return None


class HangingEndpoint:
    """Accepts connections, reads what comes, and never answers."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        self._open = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/logs"

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._swallow, args=(connection,), daemon=True).start()

    @staticmethod
    def _swallow(connection):
        try:
            while connection.recv(1 << 16):
                pass
        except OSError:
            pass

    def close(self):
        for one in [self._socket, *self._open]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


def free_port(kind=socket.SOCK_STREAM):
    """A port of the loopback address that nobody uses just now."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
