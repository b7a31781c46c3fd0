"""A server of ``/utterance`` and ``/jobs`` that follows a script."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, object]

ACCEPTED: Answer = (202, {"job_id": "a", "state": "queued", "progress": 0.0})
RUNNING: Answer = (200, {"job_id": "a", "state": "running", "progress": 0.5})
RESULT = {
    "text": "Good morning.",
    "language": "en",
    "language_probability": 0.99,
    "duration_ms": 1500,
    "segments": [{"start": 0.0, "end": 1.5, "text": " Good morning.", "words": None}],
}
DONE: Answer = (200, {"job_id": "a", "state": "done", "progress": 1.0, "result": RESULT})
LOST: Answer = (0, b"")
"""The connection is closed without a response."""
FORGOTTEN: Answer = (404, {"error": {"code": "not_found", "message": "There is no such job."}})
FULL: Answer = (
    503,
    {
        "error": {
            "code": "queue_full",
            "message": "The queue is full.",
            "retryable": True,
            "retry_after_s": 0.01,
        }
    },
)


class ScriptedServer(ThreadingHTTPServer):
    """Answers probes, uploads, polls and deletions from scripts, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Scripted)
        self.probes: list[Answer] = [(200, {})]
        self.uploads: list[Answer] = [ACCEPTED]
        self.jobs: list[Answer] = [DONE]
        self.deletions: list[Answer] = [(200, {})]
        self.requests: list[str] = []
        self.received: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Scripted(BaseHTTPRequestHandler):
    server: ScriptedServer

    def do_GET(self) -> None:
        script = self.server.probes if self.path == "/livez" else self.server.jobs
        self._answer(_next(script))

    def do_POST(self) -> None:
        self.server.received.append(self.rfile.read(int(self.headers["content-length"])))
        self._answer(_next(self.server.uploads))

    def do_DELETE(self) -> None:
        self._answer(_next(self.server.deletions))

    def _answer(self, answer: Answer) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        status, content = answer
        if not status:
            self.close_connection = True
            return
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _next(script: list[Answer]) -> Answer:
    """Return the next response; the last one is repeated."""
    return script.pop(0) if len(script) > 1 else script[0]


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        thread = threading.Thread(target=scripted.serve_forever, args=(0.01,))
        thread.start()
        yield scripted
        scripted.shutdown()
        thread.join()
