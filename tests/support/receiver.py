"""A receiver of webhooks: a real HTTP server on this machine."""

import contextlib
import functools
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """Records requests and answers with ``statuses``, then with the status in the path."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), Handler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.methods: list[str] = []
        self.statuses: list[int] = []
        self.is_closing = threading.Event()

    def url(self, path: str = "/200", host: str = "127.0.0.1") -> str:
        """Return a URL of the receiver."""
        return f"http://{host}:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    """Answers for the receiver."""

    server: Receiver

    def do_POST(self) -> None:
        """Record the request and answer."""
        if self.path == "/close":
            self.rfile.read(1)
            self.server.requests.append((self.path, dict(self.headers), b""))
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.methods.append(self.command)
        self.server.requests.append((self.path, dict(self.headers), body))
        path, _, _ = self.path[1:].partition("?")
        is_first = len(self.server.requests) == 1
        if path == "hang" or (path == "hang-once" and is_first):
            self.server.is_closing.wait(60)
            return
        if self.path == "/garbage":
            self.wfile.write(b"garbage\r\n\r\n")
            return
        is_long = self.path == "/long"
        status = int(path) if path.isdecimal() else 200
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else status)
        self.send_header("location", "http://169.254.169.254/latest/meta-data")
        self.send_header("content-length", str(10**7 if is_long else 0))
        self.end_headers()
        if is_long:
            for _ in range(100):
                self.wfile.write(bytes(10**5))

    do_PUT = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def handle(self) -> None:
        """Let senders that leave early leave."""
        with contextlib.suppress(ConnectionError):
            super().handle()


@contextlib.contextmanager
def receiver_running(address: str = "127.0.0.1") -> Iterator[Receiver]:
    """Run a receiver; answers that hang end with it."""
    with Receiver(address) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.01))
        thread.start()
        try:
            yield server
        finally:
            server.is_closing.set()
            server.shutdown()
            thread.join()
