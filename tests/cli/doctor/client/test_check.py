"""``auricle doctor --client`` with real servers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from auricle.apis.openai.client_check import ATTENDEE
from auricle.audio.opus import find_libopus
from auricle.cli.doctor.client.check import url_problem
from auricle.cli.doctor.client.sample import speech_sample
from auricle.cli.support.finding import Level
from tests.support.certificates import issued
from tests.support.command import completed, environment, serving
from tests.support.doctor import doctor, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("server")) as (_, url):
        yield url


def test_a_request_is_sent_as_the_program_sends_it(url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, "n8n", f"{url}/v1")
    client, address, probe, request, speech, *_ = done.stdout.replace("\n  ", "").splitlines()
    assert client.startswith("ok       client    n8n, as of")
    assert address.startswith("warning  address")
    assert "In a container, 127.0.0.1 is the container" in address
    assert f"GET {url}/v1/models (test of the credentials): HTTP 200" in probe
    assert f"ok       request   POST {url}/v1/audio/transcriptions: HTTP 200" in request
    assert speech.startswith("wrong    speech    100.0% word errors")  # of a scripted engine
    assert done.returncode == 1


def test_a_path_that_the_program_does_not_complete(url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, "librechat", f"{url}/v1")
    assert done.returncode == 1
    assert f"POST {url}/v1: HTTP 404" in done.stdout
    assert f"Enter the URL {url}/v1/audio/transcriptions in LibreChat." in done.stdout


@pytest.mark.parametrize("key", [None, "sk-of-somebody-else"])
def test_a_wrong_key(url: str, tmp_path: Path, key: str | None) -> None:
    done = doctor(tmp_path, "vexa", url, key)
    assert done.returncode == 1
    assert "HTTP 401" in done.stdout
    assert "Set --api-key or AURICLE_API_KEY to a key of the server" in done.stdout


def test_a_probe_after_which_the_program_does_not_use_the_server(url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, "nextcloud", f"{url}/v1")
    assert done.returncode == 1
    assert "/audio/translations (test for speech to text): HTTP 404" in done.stdout
    assert "set AURICLE_UNKNOWN_MODELS=default" in done.stdout


def test_a_server_without_tls(url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, "vexa", url.replace("http", "https"))
    assert "the server does not use TLS" in done.stdout
    assert f"Enter the URL {url} in Vexa." in done.stdout


def test_a_server_with_tls(tmp_path: Path) -> None:
    certificate = issued(tmp_path / "tls")
    with serving(tmp_path, **certificate.settings) as (_, url):
        done = doctor(tmp_path, "vexa", url.replace("https", "http"))
        assert "the server uses TLS" in done.stdout
        assert f"Enter the URL {url} in Vexa." in done.stdout
        done = doctor(tmp_path, "vexa", url)
        assert "TLS certificate is not trusted" in done.stdout
        assert "Vexa must trust the certificate too." in done.stdout


def test_nothing_listens(tmp_path: Path) -> None:
    done = doctor(tmp_path, "vexa", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "http://127.0.0.1:1: connection refused" in done.stdout


class _Busy(BaseHTTPRequestHandler):
    refusals = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        is_busy, _Busy.refusals = _Busy.refusals > 0, _Busy.refusals - 1
        answer: dict[str, object] = {"text": speech_sample(find_libopus(None)).text}
        if is_busy:
            answer = {"error": {"code": "queue_full", "message": "Full."}}
        body = json.dumps(answer).encode()
        self.send_response(503 if is_busy else 200)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def busy_server(refusals: int) -> Iterator[str]:
    """Refuse as many requests as the server has no room for."""
    _Busy.refusals = refusals
    with served_by(_Busy) as url:
        yield url


@contextmanager
def served_by(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_server_that_is_busy_for_a_moment(tmp_path: Path) -> None:
    with busy_server(refusals=1) as url:
        done = doctor(tmp_path, "attendee", f"{url}/v1")
    assert done.returncode == 0
    assert "warning  load      the server was busy once before" in done.stdout
    assert "ok       speech    0.0% word errors" in done.stdout


def test_a_server_that_stays_busy(tmp_path: Path) -> None:
    with busy_server(refusals=100) as url:
        done = doctor(tmp_path, "attendee", f"{url}/v1")
    assert done.returncode == 1
    assert "HTTP 503, Full." in done.stdout


class _Silent(_Busy):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.rfile.read()  # until the client has given up


@pytest.mark.wall_clock
def test_a_server_that_is_too_slow_is_not_called_away(tmp_path: Path) -> None:
    with served_by(_Silent) as url:
        environ = environment(tmp_path)
        done = completed(
            "doctor", "--client", "attendee", "--timeout", "1", f"{url}/v1", environ=environ
        )
    assert done.returncode == 1
    assert "no answer within 1 s" in done.stdout
    assert "--timeout 5 waits longer, but Attendee may give up" in done.stdout
    assert "firewalls" not in done.stdout


def test_a_name_that_is_not_a_program(tmp_path: Path) -> None:
    done = doctor(tmp_path, "siri", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert "Unknown client 'siri'; use one of attendee," in done.stderr


@pytest.mark.parametrize("url", ["", "server", "ftp://server", "http://server:0", "http://[::1"])
def test_what_is_not_a_url(url: str) -> None:
    problem = url_problem(ATTENDEE, url)
    assert problem
    assert problem.level is Level.WRONG
    assert problem.advice == "Use a URL such as http://127.0.0.1:6007/v1."


@pytest.mark.parametrize("host", ["server", "192.0.2.1", "[2001:db8::1]"])
def test_the_address_of_another_machine_is_no_problem(host: str) -> None:
    assert url_problem(ATTENDEE, f"http://{host}:6007/v1") is None
