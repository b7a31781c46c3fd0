"""An HTTP server for files over real sockets, whose answers can be made faulty one by one."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer.

    Attributes:
        breaks_after: Bytes of the body after which the connection is closed.
        stalls_after: Bytes of the body after which nothing more is sent.
        status: An answer without a body.
        headers: Headers that replace the usual ones.
        ignores_range: Sends the whole file.
        content: A body in place of the file's.
    """

    breaks_after: int | None = None
    stalls_after: int | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    ignores_range: bool = False
    content: bytes | None = None


@dataclass
class Served:
    """A file: its content, its validator, and the faults of its next answers."""

    content: bytes
    etag: str = '"1"'
    faults: list[Fault] = field(default_factory=list)


@dataclass
class FileServer:
    """The server: ``files`` by path, and the headers of all requests that it got."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def add(self, path: str, content: bytes, *faults: Fault, etag: str = '"1"') -> str:
        """Serve a file and return its address."""
        self.files[path] = Served(content, etag, list(faults))
        return self.url + path

    def ranges(self) -> list[str]:
        """Return the ranges of all requests; empty for whole files."""
        return [headers.get("range", "") for _, headers in self.requests]


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    """Run a server on a free port of this machine."""
    state = FileServer("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.requests.append((self.path, headers))
            file = state.files.get(self.path)
            if file is None:
                self.send_error(404)
                return
            fault = file.faults.pop(0) if file.faults else Fault()
            if fault.status:
                self._head(fault.status, {"Content-Length": "0"} | fault.headers)
                return
            whole = file.content if fault.content is None else fault.content
            body, status, more = whole, 200, {"ETag": file.etag}
            match = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
            is_same = headers.get("if-range", file.etag) == file.etag
            if match and is_same and not fault.ignores_range:
                start = int(match[1])
                if start >= len(whole):
                    self._head(416, {"Content-Length": "0"})
                    return
                body, status = whole[start:], 206
                more["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
            self._head(status, {"Content-Length": str(len(body))} | more | fault.headers)
            limits = [fault.breaks_after, fault.stalls_after]
            limit = min((each for each in limits if each is not None), default=len(body))
            with contextlib.suppress(OSError):
                self.wfile.write(body[:limit])
                self.wfile.flush()
            if fault.stalls_after is not None:
                state.stop.wait()
            if limit < len(body):
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # clients that break off

    with Server(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            state.stop.set()
            server.shutdown()
            thread.join()
