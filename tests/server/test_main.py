import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import httpx2
import pytest
from anyio.to_thread import run_sync
from websockets.exceptions import ConnectionClosed

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.settings import Settings
from auricle.server.access.exposure import listen
from auricle.server.net.listen import base_url
from auricle.values.errors import SetupError
from tests.support.decoder import FakeDecoder
from tests.support.forked import Forked
from tests.support.service import application, keys, own_state, poll_until, speech_json
from tests.support.stream import call
from tests.support.transcriber import FakeTranscriber

pytestmark = pytest.mark.process

CLAIMS = 12


def close(sockets: list[socket.socket]) -> None:
    for listening in sockets:
        listening.close()


def test_a_port_in_use_is_reported_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=f"Port {port} .*AURICLE_PORT"):
            listen(ServerSettings(port=port))


@pytest.mark.wall_clock
def test_a_second_server_on_the_same_port_is_refused_at_once() -> None:
    first = listen(ServerSettings(port=0))
    port = first[0].getsockname()[1]
    with pytest.raises(SetupError):
        listen(ServerSettings(port=port))
    close(first)
    close(listen(ServerSettings(port=port)))


def test_port_0_picks_one_for_all_addresses_of_the_host() -> None:
    sockets = listen(ServerSettings(host="localhost", port=0))
    assert len({listening.getsockname()[1] for listening in sockets}) == 1
    close(sockets)


async def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    sockets = listen(ServerSettings(port=0))
    made: list[int] = []

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connection = transport.get_extra_info("socket")
            made.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    server = await asyncio.get_running_loop().create_server(Noting, sock=sockets[0])
    async with server:
        port = sockets[0].getsockname()[1]
        async with await anyio.connect_tcp("127.0.0.1", port):
            await poll_until(lambda: made)
    assert made[0] != 0


def test_other_hosts_than_loopback_need_keys() -> None:
    with pytest.raises(SetupError, match="AURICLE_API_KEYS"):
        listen(ServerSettings(host="0.0.0.0", port=0))
    close(listen(ServerSettings(host="0.0.0.0", port=0, api_keys=keys("k"))))


def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(SetupError, match=r"192\.0\.2\.1"):
        listen(ServerSettings(host="192.0.2.1", port=0, api_keys=keys("k")))


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("localhost", "http://localhost:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
    ],
)
def test_the_url_is_one_that_works_from_here(host: str, shown: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = base_url(ServerSettings(host=host), [listener])
        assert url == f"{shown}{listener.getsockname()[1]}"


async def test_an_application_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = ServerSettings(port=0, spool_dir=tmp_path / "file")
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    whole = Settings(server=settings, ledger=ledger)
    with pytest.raises(SetupError, match="AURICLE_SPOOL_DIR"):
        async with application(whole, FakeTranscriber(), FakeDecoder()):
            pass


class Program:
    """A server in a separate process, which answers when requested."""

    def __init__(self, process: Forked) -> None:
        self.process = process
        self.url = ""

    async def line(self) -> str:
        return (await run_sync(self.process.stdout.readline, abandon_on_cancel=True)).strip()

    def let_answer(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    async def exit_code(self) -> int:
        return await run_sync(self.process.wait, 60.0, abandon_on_cancel=True)

    async def until(self, path: str, status: int, text: str = "") -> None:
        """Ask for a page until it is as it should be."""
        async with httpx2.AsyncClient(timeout=60) as client:
            with anyio.fail_after(60):
                while True:
                    answer = await client.get(f"{self.url}{path}")
                    if answer.status_code == status and text in answer.text:
                        return
                    await anyio.sleep(0.01)

    async def until_accepted(self) -> None:
        await self.until("/metrics", 200, "auricle_requests_in_progress 2.0")  # one is this

    async def until_draining(self) -> None:
        await self.until("/readyz", 503)


@asynccontextmanager
async def program(
    tmp_path: Path, stderr: IO[bytes] | None = None, **settings: str
) -> AsyncIterator[Program]:
    environment = {
        **os.environ,
        "AURICLE_PORT": "0",
        "AURICLE_SPOOL_DIR": str(tmp_path),
        "AURICLE_STATE_DIR": str(own_state(tmp_path)),
        **settings,
    }
    log = 2 if stderr is None else stderr.fileno()
    server = Program(Forked([], environment, "tests.server.program", log))
    try:
        with anyio.fail_after(120):
            server.url = await server.line()
        yield server
    finally:
        server.process.kill()
        await server.exit_code()
        server.process.stdout.close()


async def ask(url: str, answers: list[int]) -> None:
    async with httpx2.AsyncClient(timeout=60) as client:
        answers.append((await client.post(f"{url}/utterance", json=speech_json())).status_code)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_accepted_work_finish_and_refuses_new(
    tmp_path: Path, number: signal.Signals
) -> None:
    answers: list[int] = []
    async with program(tmp_path, AURICLE_DRAIN_S="1000") as server:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, server.url, answers)
            await server.until_accepted()
            server.process.send_signal(number)
            await server.until_draining()
            async with httpx2.AsyncClient(timeout=60) as client:
                refused = await client.post(f"{server.url}/utterance", json=speech_json())
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert refused.json()["error"]["code"] == "draining"
            server.let_answer()
        assert await server.line() == "stopped 1 0"
        assert await server.exit_code() == 0
    assert answers == [200]
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240  # a test may wait


@pytest.mark.parametrize(("drain_s", "signals"), [("0.3", 1), ("1000", 2)])
async def test_requests_left_after_the_drain_time_or_a_second_signal_get_a_retryable_error(
    tmp_path: Path, drain_s: str, signals: int
) -> None:
    answers: list[int] = []
    async with program(tmp_path, AURICLE_DRAIN_S=drain_s) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, server.url, answers)
            await server.until_accepted()
            server.process.send_signal(signal.SIGINT)
            if signals == 2:
                await server.until_draining()
                server.process.send_signal(signal.SIGINT)
        assert answers == [503]
        server.let_answer()
        assert await server.line() == "stopped 1 1"
        assert await server.exit_code() == 0
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240  # a test may wait


async def post_job(client: httpx2.AsyncClient, job_id: str) -> None:
    answer = await client.post("/utterance?wait=0", json=speech_json(job_id=job_id))
    assert answer.status_code == 202


def events(log: Path, name: str) -> list[dict[str, Any]]:
    listening = [json.loads(line) for line in log.read_text().splitlines()]
    return [event for event in listening if event["event"] == name]


async def test_a_signal_lets_accepted_jobs_finish_and_their_callers_fetch_them(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        async with (
            program(tmp_path / "spool", stderr, AURICLE_DRAIN_S="1000") as server,
            httpx2.AsyncClient(base_url=server.url, timeout=60) as client,
        ):
            await post_job(client, "mine")
            await server.until("/jobs/mine", 200, '"running"')
            server.process.send_signal(signal.SIGTERM)
            await server.until_draining()
            assert (await client.get("/readyz")).json()["error"]["code"] == "draining"
            assert (await client.get("/jobs/mine")).json()["state"] == "running"
            refused = await client.post("/utterance?wait=0", json=speech_json())
            assert refused.json()["error"]["code"] == "draining"
            server.let_answer()
            assert await server.line() == "stopped 1 0"
            assert await server.exit_code() == 0
    assert [event["jobs"] for event in events(log, "draining")] == [1]
    assert [event["state"] for event in events(log, "job")] == ["done"]


async def test_jobs_that_cannot_be_finished_in_time_continue_at_the_next_start(
    tmp_path: Path,
) -> None:
    log, state_dir = tmp_path / "log", str(tmp_path / "state")
    with log.open("wb") as stderr:
        async with (
            program(
                tmp_path / "spool", stderr, AURICLE_DRAIN_S="1", AURICLE_STATE_DIR=state_dir
            ) as server,
            httpx2.AsyncClient(base_url=server.url, timeout=60) as client,
        ):
            for job_id in ("mine", "yours"):
                await post_job(client, job_id)
                await server.until(f"/jobs/{job_id}", 200, '"running"')
            server.process.send_signal(signal.SIGTERM)
            assert (await server.line()).startswith("stopped")
            assert await server.exit_code() == 0
    ended = {(event["job_id"], event["state"]) for event in events(log, "job")}
    assert ended == {("mine", "queued"), ("yours", "queued")}
    async with program(tmp_path / "spool", AURICLE_STATE_DIR=state_dir) as server:
        server.let_answer()
        for job_id in ("mine", "yours"):
            await server.until(f"/jobs/{job_id}", 200, '"done"')
        server.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("signals", [1, 2])
async def test_live_clients_are_asked_to_reconnect_and_not_waited_for(
    tmp_path: Path, signals: int
) -> None:
    async with program(tmp_path, AURICLE_DRAIN_S="1000") as server:
        port = int(server.url.rpartition(":")[2])
        async with (
            call(port, format="opus", seq=1) as caller,
            call(port) as waiting,  # has not said yet what it wants
            anyio.create_task_group() as group,
        ):
            await caller.until("ready")
            if signals == 2:  # the server is there until then: it has accepted work
                group.start_soon(ask, server.url, [])
                await server.until_accepted()
                server.process.send_signal(signal.SIGTERM)
                await server.until_draining()
            server.process.send_signal(signal.SIGTERM)
            code, reason = await caller.until_closed()
            assert (code, reason) in {(1012, "draining"), (1012, "")}
            if signals == 1:
                assert caller.of("error")[0]["code"] == "draining"
                assert caller.of("error")[0]["retry_after_s"] > 0
            assert (await waiting.until_closed())[0] == 1012
        server.let_answer()
        assert (await server.line()).startswith("stopped")
        assert await server.exit_code() == 0


async def test_many_that_claim_a_lost_session_at_once_do_not_share_it(tmp_path: Path) -> None:
    log, state_dir = tmp_path / "log", str(tmp_path / "state")
    how: dict[str, Any] = {"format": "pcm16", "seq": 1}
    async with program(tmp_path / "spool", AURICLE_STATE_DIR=state_dir) as server:
        async with call(int(server.url.rpartition(":")[2]), **how) as speaker:
            lost = await speaker.until("ready")
            async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
                reading = client.stream("GET", f"/v1/sessions/{lost['session']}/events")
                async with reading as answer:  # so the session is kept for its readers
                    assert answer.status_code == 200
            server.process.send_signal(signal.SIGTERM)
            assert (await speaker.until_closed())[0] == 1012
        assert await server.exit_code() == 0

    got: list[str] = []
    held: dict[int, str] = {}
    ends: list[str] = []

    connected: set[int] = set()

    async def claim(number: int, port: int) -> None:
        async with call(port, resume=1, **how) as caller:
            connected.add(number)
            await poll_until(lambda: len(connected) == CLAIMS)
            await caller.tell("resume", session=lost["session"], secret=lost["secret"])
            with contextlib.suppress(ConnectionClosed):
                held[number] = (await caller.until("ready"))["session"]
                got.append(held[number])
            await caller.until_closed()
        held.pop(number, None)
        ends.extend(event["code"] for event in caller.of("error"))

    settings = {"AURICLE_STATE_DIR": state_dir, "AURICLE_LIVE_SPEAKERS": "100"}
    with log.open("wb") as stderr:
        async with (
            program(tmp_path / "spool", stderr, **settings) as server,
            anyio.create_task_group() as group,
        ):
            for number in range(CLAIMS):
                group.start_soon(claim, number, int(server.url.rpartition(":")[2]))
            await poll_until(
                lambda: len(held) + len(ends) == CLAIMS and len({*held.values()}) == len(held)
            )
            server.process.send_signal(signal.SIGTERM)
            assert await server.exit_code() == 0
    assert lost["session"] in got
    assert len(ends) == CLAIMS
    assert {*ends} == {"taken_over", "draining"}
    assert not events(log, "unexpected_error")


@pytest.mark.wall_clock
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
async def test_without_descriptors_the_server_continues_and_logs_it_at_intervals(
    tmp_path: Path,
) -> None:
    import resource

    log = tmp_path / "log"
    with log.open("wb") as stderr, contextlib.ExitStack() as stack:
        async with program(tmp_path, stderr) as server, httpx2.AsyncClient(timeout=60) as client:
            port, pid = int(server.url.rpartition(":")[2]), server.process.pid
            assert (await client.get(f"{server.url}/livez")).status_code == 200
            used = len(os.listdir(f"/proc/{pid}/fd"))
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, limits[1]))
            for _ in range(20):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            await poll_until(lambda: b"out of system resource" in log.read_bytes())
            for _ in range(20):  # over the connection that there is
                assert (await client.get(f"{server.url}/livez")).status_code == 200
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            await server.until("/livez", 200)  # by a new one
            server.let_answer()
    told = log.read_bytes().count(b"out of system resource")
    assert 1 <= told < 200
