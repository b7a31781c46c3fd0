"""TLS on real sockets: who gets in, what a client sees, and what happens when files change."""

import asyncio.sslproto
import contextlib
import gc
import os
import socket
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio import to_thread
from anyio.streams.tls import TLSStream
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import LogCapture
from websockets.asyncio.client import connect

from auricle.config.sections.server import ServerSettings
from auricle.server.net.listen import open_sockets
from auricle.server.net.tls import Certificate
from auricle.server.net.uvicorn_overrides import server as run
from auricle.values.errors import SetupError
from tests.support.certificates import Issued, issued
from tests.support.service import CLIP, WAV, listening, opened, poll_until
from tests.support.stream import Caller, pcm, silence

pytestmark = pytest.mark.process  # openssl makes the certificates

CHECK_INTERVAL_S = 0.01
LIMIT_S = 60
LARGE_BYTES = 10_000_000  # more than the system buffers


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issued(tmp_path_factory.mktemp("first") / "tls")


@pytest.fixture(scope="module")
def second(first: Issued, tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return first.renewed(tmp_path_factory.mktemp("second") / "tls")


@pytest.fixture
def mine(first: Issued, second: Issued, tmp_path: Path) -> Issued:
    """One whose files a test may change; it begins as the first one."""
    folder = tmp_path / "tls"
    folder.mkdir()
    for name in ("ca.crt", "server.crt", "server.key"):
        (folder / name).write_bytes((first.folder / name).read_bytes())
        (folder / name).chmod(0o600)
    return Issued(folder)


@asynccontextmanager
async def serving(tmp_path: Path, files: Issued) -> AsyncIterator[int]:
    """The application behind TLS; files that change are taken at once."""
    async with opened(tmp_path / "spool", **files.settings) as service:
        certificate = Certificate.of(service.state.settings.server)
        assert certificate is not None
        follow = partial(certificate.follow, check_interval_s=CHECK_INTERVAL_S)
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            async with listening(service.app, certificate) as port:
                yield port
            group.cancel_scope.cancel()


def certificate_of(port: int, files: Issued, name: str | None = "localhost") -> str:
    """The certificate that a new connection gets; without a name, the client asks for none."""
    client = files.client()
    client.check_hostname = name is not None
    plain = socket.create_connection(("127.0.0.1", port), LIMIT_S)
    with client.wrap_socket(plain, server_hostname=name) as connection:
        objects = connection.getpeercert(binary_form=True)
        assert objects is not None
        return ssl.DER_cert_to_PEM_cert(objects)


async def until_shown(port: int, files: Issued) -> None:
    with anyio.fail_after(LIMIT_S):
        while True:
            with contextlib.suppress(OSError):  # a busy machine's handshake may take too long
                if await to_thread.run_sync(certificate_of, port, files) == files.pem:
                    return
            await anyio.lowlevel.checkpoint()


async def said(stream: socket.socket) -> bytes:
    """All that comes until the server is done with a connection, without a word of ours."""
    received = b""
    with anyio.fail_after(LIMIT_S), contextlib.suppress(ConnectionError):
        while part := await asyncio.get_running_loop().sock_recv(stream, 65536):
            received += part
    return received


async def test_requests_of_each_size_and_refusals_come_through(
    tmp_path: Path, first: Issued
) -> None:
    async with serving(tmp_path, first) as port:
        url = f"https://localhost:{port}"
        async with httpx2.AsyncClient(
            base_url=url, timeout=LIMIT_S, verify=first.client()
        ) as client:
            answer = await client.post("/utterance", content=CLIP.path.read_bytes(), headers=WAV)
            assert answer.json()["text"] == "hello"
            large = await client.post("/v1/auth/token", content=bytes(5_000_000))
            assert large.status_code == 413
            assert (await client.get("/livez")).status_code == 200


async def test_live_sessions_come_through(tmp_path: Path, first: Issued) -> None:
    async with serving(tmp_path, first) as port:
        url = f"wss://localhost:{port}/v1/stream?format=pcm16"
        async with connect(url, ssl=first.client()) as session:
            caller = Caller(session)
            await caller.until("ready")
            await caller.send(pcm(CLIP.pcm) + silence(2))
            await caller.until("final")


async def test_further_ports_stay_without_tls(tmp_path: Path, first: Issued) -> None:
    plain = open_sockets("127.0.0.1", 0, "AURICLE_OTHER_PORT")
    apps = dict.fromkeys(plain, PlainTextResponse("of the port"))
    async with (
        opened(tmp_path / "spool", **first.settings) as service,
        listening(service.app, Certificate.of(service.state.settings.server), apps) as port,
        httpx2.AsyncClient(timeout=LIMIT_S, verify=first.client()) as client,
    ):
        for scheme, listened in (("https", port), ("http", plain[0].getsockname()[1])):
            answer = await client.get(f"{scheme}://localhost:{listened}/livez")
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
async def test_tls_begins_at_1_2(
    tmp_path: Path, first: Issued, version: ssl.TLSVersion, is_taken: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of 1.1: that is the point
        client = first.client(minimum_version=version, maximum_version=version)
    client.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL itself wouldn't ask
    async with serving(tmp_path, first) as port:
        url = f"https://localhost:{port}/livez"
        async with httpx2.AsyncClient(timeout=LIMIT_S, verify=client) as http:
            if is_taken:
                assert (await http.get(url)).status_code == 200
            else:
                with pytest.raises(httpx2.ConnectError):
                    await http.get(url)


async def test_a_client_that_does_not_know_the_ca_does_not_come(
    tmp_path: Path, first: Issued
) -> None:
    async with serving(tmp_path, first) as port, httpx2.AsyncClient(timeout=LIMIT_S) as stranger:
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await stranger.get(f"https://localhost:{port}/livez")


async def test_a_renewed_certificate_is_for_new_connections_and_old_ones_live_on(
    tmp_path: Path, mine: Issued, second: Issued
) -> None:
    before = mine.pem
    async with serving(tmp_path, mine) as port:
        url = f"localhost:{port}"
        assert await to_thread.run_sync(certificate_of, port, mine) == before
        async with (
            connect(f"wss://{url}/v1/stream?format=pcm16", ssl=mine.client()) as session,
            httpx2.AsyncClient(timeout=LIMIT_S, verify=mine.client()) as kept,
        ):
            await kept.get(f"https://{url}/livez")
            mine.become(second)
            await until_shown(port, second)
            assert (
                await to_thread.run_sync(certificate_of, port, mine, None) == second.pem != before
            )
            assert (await kept.get(f"https://{url}/livez")).status_code == 200
            caller = Caller(session)
            await caller.send(pcm(CLIP.pcm) + silence(2))
            await caller.until("final")


async def test_a_broken_pair_leaves_the_old_one_and_is_reported_once(
    tmp_path: Path, mine: Issued, second: Issued, logged: LogCapture
) -> None:
    before = mine.pem

    def warnings_told() -> list[str]:
        objects = [
            entry for entry in logged.entries if entry["event"] == "tls_certificate_unusable"
        ]
        return [entry["reason"] for entry in objects]

    async with serving(tmp_path, mine) as port:
        mine.become(second, "server.crt")  # half of it is there
        await poll_until(lambda: len(warnings_told()) == 1)
        mine.certificate.unlink()
        await poll_until(lambda: len(warnings_told()) == 2)
        garbage_file = mine.folder / "garbage"
        garbage_file.write_text("no certificate")
        garbage_file.replace(mine.certificate)  # in one step, which is seen once
        await poll_until(lambda: len(warnings_told()) == 3)
        assert await to_thread.run_sync(certificate_of, port, mine) == before
        mismatch, gone, garbage = warnings_told()
        mine.become(second)  # in two steps: half of it may be seen
        await until_shown(port, second)
    assert "does not match the first certificate" in mismatch
    assert "does not exist" in gone
    assert "PEM" in garbage


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_a_key_that_others_may_read_is_reported(
    tmp_path: Path, mine: Issued, logged: LogCapture
) -> None:
    def advice() -> list[str]:
        told = [e for e in logged.entries if e["event"] == "tls_key_open_to_others"]
        return [entry["advice"] for entry in told]

    async with serving(tmp_path, mine):
        await poll_until(lambda: any(e["event"] == "tls_certificate_read" for e in logged.entries))
        assert advice() == []
        mine.key.chmod(0o644)
        await poll_until(lambda: advice() == [f"chmod 600 {mine.key}"])


def encrypt(files: Issued) -> None:
    key = files.key
    command = ["openssl", "ec", "-aes128", "-passout", "pass:x", "-in", str(key), "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)


def be_pipe(files: Issued) -> None:
    files.key.unlink()
    os.mkfifo(files.key)


BREAKAGES: dict[str, tuple[Callable[[Issued], object], str]] = {
    "no key": (lambda files: files.key.unlink(), "AURICLE_TLS_KEY: .* does not exist"),
    "no certificate": (
        lambda files: files.certificate.unlink(),
        "AURICLE_TLS_CERT: .* does not exist",
    ),
    "no PEM": (lambda files: files.certificate.write_bytes(b"\0" * 99), "PEM form"),
    "swapped": (lambda files: files.key.write_text(files.pem), "PEM form"),
    "a key with a passphrase": (encrypt, "encrypted"),
    "a pipe": (be_pipe, "not a certificate or key file"),
    "large": (
        lambda files: files.key.write_bytes(b"x" * 2_000_000),
        "not a certificate or key file",
    ),
}


@pytest.mark.parametrize("how", BREAKAGES)
def test_what_cant_be_used_is_reported_at_the_start(mine: Issued, how: str) -> None:
    break_it, told = BREAKAGES[how]
    break_it(mine)
    with pytest.raises(SetupError, match=told):
        Certificate.of(ServerSettings(**mine.settings))


def test_a_key_of_another_certificate_is_reported(mine: Issued, second: Issued) -> None:
    mine.become(second, "server.key")
    with pytest.raises(SetupError, match="does not match the first certificate"):
        Certificate.of(ServerSettings(**mine.settings))


def test_half_of_the_settings_is_reported(mine: Issued) -> None:
    assert Certificate.of(ServerSettings()) is None
    for half in (
        ServerSettings(tls_cert=mine.certificate),
        ServerSettings(tls_key=mine.key),
    ):
        with pytest.raises(SetupError, match="two files"):
            Certificate.of(half)


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00\x01", b"\x16"])
async def test_a_handshake_that_never_ends_is_ended(
    tmp_path: Path, first: Issued, hello: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HANDSHAKE_S", 0.2)
    async with serving(tmp_path, first) as port:
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as silent:
            silent.sendall(hello)
            silent.setblocking(False)
            assert await said(silent) == b""
        await until_shown(port, first)


async def test_a_byte_now_and_then_gains_no_time(
    tmp_path: Path, first: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HANDSHAKE_S", 0.5)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = first.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    dripping = iter(outgoing.read())

    def drip() -> bool:
        """Send a byte; return whether the connection was cut."""
        try:
            slow.sendall(bytes([next(dripping)]))
        except ConnectionError:
            return True
        return False

    async with serving(tmp_path, first) as port:
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as slow:
            await poll_until(drip)


async def test_a_client_that_does_not_say_goodbye_is_cut_off(
    tmp_path: Path, first: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHUTDOWN_S", 0.2)
    async with serving(tmp_path, first) as port:
        plain = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        connection = await to_thread.run_sync(
            partial(first.client().wrap_socket, plain, server_hostname="localhost")
        )
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with socket.socket(fileno=connection.detach()) as mute:
            mute.setblocking(False)
            assert len(await said(mute)) > 100


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", os.urandom(1000)])
async def test_a_connection_without_tls_ends_at_once_without_an_internal_error(
    tmp_path: Path, first: Issued, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, first) as port:
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as plain:
            plain.sendall(sent)
            plain.setblocking(False)
            assert b"HTTP" not in await said(plain)
        assert await to_thread.run_sync(certificate_of, port, first) == first.pem
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


@pytest.mark.parametrize("name", [b"\xff\xfe.example", b"a" * 70 + b".example", b"a..example"])
async def test_an_invalid_name_is_not_an_internal_error(
    tmp_path: Path, first: Issued, name: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    said_name = "x" * 60 + "." + "y" * (len(name) - 61) if len(name) > 64 else "x" * len(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = first.client().wrap_bio(incoming, outgoing, server_hostname=said_name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    assert hello.count(said_name.encode()) == 1
    async with serving(tmp_path, first) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as stranger:
            await stranger.send(hello.replace(said_name.encode(), name))
            with contextlib.suppress(anyio.EndOfStream):
                await stranger.receive()
        assert await to_thread.run_sync(certificate_of, port, first) == first.pem
    assert "Traceback" not in capfd.readouterr().err


async def test_a_connection_that_sends_nothing_takes_little_memory(
    tmp_path: Path, first: Issued
) -> None:
    async with serving(tmp_path, first) as port, await anyio.connect_tcp("127.0.0.1", port):
        made: list[asyncio.sslproto.SSLProtocol] = []

        def find() -> bool:
            objects = gc.get_objects()
            made[:] = [thing for thing in objects if type(thing) is asyncio.sslproto.SSLProtocol]
            return bool(made)

        await poll_until(find)
        # asyncio's own name: if it is another one day, this says so.
        assert {len(protocol._ssl_buffer) for protocol in made} == {16 * 1024}  # type: ignore[attr-defined]


@asynccontextmanager
async def much_to_read(files: Issued) -> AsyncIterator[tuple[TLSStream, run.Server]]:
    """A client that has asked for more than the system's buffers hold, of a server in a hurry."""

    async def large(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * LARGE_BYTES)

    config = run.uvicorn_config(Starlette(routes=[Route("/", large)]))  # type: ignore[arg-type]  # does
    config.timeout_keep_alive = 0
    certificate = Certificate.of(ServerSettings.model_validate(files.settings))
    assert certificate is not None
    listener = socket.create_server(("127.0.0.1", 0))
    server = run.Server(config, certificate.context)
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])
        await poll_until(lambda: server.started and server.servers)
        async with await anyio.connect_tcp(
            *listener.getsockname(),
            tls_hostname="localhost",
            ssl_context=files.client(),
            tls_standard_compatible=False,  # it says no goodbye
        ) as connection:
            await connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await poll_until(lambda: server.server_state.total_requests)
            yield connection, server
        await poll_until(lambda: not server.server_state.connections)
        server.should_exit = True


async def rest_of(connection: TLSStream) -> int:
    """Return how many bytes come until the end, read at leisure."""
    received = 0
    with anyio.fail_after(LIMIT_S), contextlib.suppress(anyio.BrokenResourceError):
        async for part in connection:
            received += len(part)
            await anyio.lowlevel.checkpoint()
    return received


async def test_a_client_that_stops_reading_the_answer_is_cut_off(
    first: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHUTDOWN_S", 0.2)
    async with much_to_read(first) as (connection, server):
        await poll_until(lambda: not server.server_state.connections)
        assert await rest_of(connection) < LARGE_BYTES


async def test_a_client_that_reads_slowly_gets_it_all(first: Issued) -> None:
    async with much_to_read(first) as (connection, _):
        assert await rest_of(connection) > LARGE_BYTES
