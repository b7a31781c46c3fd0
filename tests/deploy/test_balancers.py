"""Gateways behind the real nginx and HAProxy: resumed sessions reach their gateway, or another."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from auricle.client import ClientRules, Connected, Disconnected, Final, LiveClient, LiveEvent
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.deploy.balancer import ADDRESSES, Site, free_ports, prepared, site
from tests.support.clips import CLIPS
from tests.support.poll import poll_until
from tests.support.service import speech_json
from tests.support.tcp_proxy import TcpProxy, proxy_to

pytestmark = [pytest.mark.process, pytest.mark.anyio, pytest.mark.outside]

BALANCERS = ["nginx", "haproxy"]
PAIR = CLIPS["pair.wav"].pcm
SPEECH: Pcm16 = np.concatenate([PAIR, np.zeros(SAMPLE_RATE_HZ, np.int16), PAIR])
QUICK = ClientRules(first_delay_s=0.05, max_delay_s=0.2, patience_s=60)
STEP = SAMPLE_RATE_HZ // 10
STEP_S = 0.02
CUT_BYTES = 4000
CALLS = 6


@pytest.fixture(scope="module", params=BALANCERS)
def balancer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lasting(balancer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(balancer, tmp_path_factory.mktemp(balancer)) as found:
        yield found


@pytest.fixture
def shared(lasting: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site of several tests: none of them ends its gateways."""
    monkeypatch.setenv("SSL_CERT_FILE", str(lasting.certificate.ca))
    return lasting


@pytest.fixture
def running(balancer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with site(balancer, tmp_path) as found:
        monkeypatch.setenv("SSL_CERT_FILE", str(found.certificate.ca))
        yield found


def usually(name: str) -> pytest.MarkDecorator:
    """Run a test with this balancer, and with the others among the slow tests."""
    values = [pytest.param(x, marks=[] if x == name else pytest.mark.slow) for x in BALANCERS]
    return pytest.mark.parametrize("balancer", values, indirect=True)


class Listener:
    """One stream of speech through the balancer, and the events it received."""

    def __init__(self) -> None:
        self.events: list[LiveEvent] = []

    async def run(self, url: str, pcm: Pcm16 = SPEECH, proxy: TcpProxy | None = None) -> None:
        async with LiveClient(url, rules=QUICK) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(self._speak, client, pcm, proxy)
            async for event in client:
                self.events.append(event)

    async def _speak(self, client: LiveClient, pcm: Pcm16, proxy: TcpProxy | None) -> None:
        for at in range(0, pcm.size, STEP):
            if proxy is not None and proxy.cut_after_bytes is None:
                proxy.cut_after_bytes = CUT_BYTES
            await client.send(pcm[at : at + STEP])
            await anyio.sleep(STEP_S)
        client.finish()

    @property
    def connections(self) -> list[bool]:
        """Whether each connection resumed the session before it."""
        return [event.resumed for event in self.events if isinstance(event, Connected)]

    @property
    def spans(self) -> list[tuple[int, str, int, int]]:
        finals = [event for event in self.events if isinstance(event, Final)]
        return [(one.id, one.text, one.start_sample, one.end_sample) for one in finals]


async def heard_alone(site: Site) -> list[tuple[int, str, int, int]]:
    """Return the finals without a balancer and without faults."""
    alone = Listener()
    await alone.run(site.gateways["b"].url)
    assert len(alone.spans) == 4
    return alone.spans


def open_socket(site: Site, query: str) -> connect:
    return connect(f"wss://localhost:{site.port}/v1/stream?{query}", compression=None)


async def session_of(socket: ClientConnection) -> dict[str, Any]:
    ready: dict[str, Any] = json.loads(await socket.recv())
    assert ready["type"] == "ready"
    return ready


async def test_a_resumed_session_reaches_its_gateway(shared: Site) -> None:
    form = "format=pcm16&seq=1"
    sessions = []
    for _ in range(CALLS):
        async with open_socket(shared, form) as socket:
            sessions.append(await session_of(socket))
    assert {ready["session"].partition("-")[0] for ready in sessions} == set(ADDRESSES)
    for ready in sessions:
        name = ready["session"].partition("-")[0]
        for value in (ready["session"], name, name, f"{name}-"):
            async with open_socket(shared, f"{form}&resume=1&session={value}") as socket:
                known = {key: ready[key] for key in ("session", "secret")}
                await socket.send(json.dumps({"type": "resume", **known, "last_result": 0}))
                again = await session_of(socket)
                assert (again["session"], again["resumed"]) == (ready["session"], True)


async def test_an_unknown_session_is_served_by_any_gateway(shared: Site) -> None:
    for strange in ("c-12", "", "-", "%20a-1", "a%00-", "auricle_any", "ab", "x" * 900):
        query = f"format=pcm16&seq=1&resume=1&session={strange}"
        async with open_socket(shared, query) as socket:
            resume = {"type": "resume", "session": "c-12", "secret": "s", "last_result": 0}
            await socket.send(json.dumps(resume))
            ready = await session_of(socket)
            assert ready["resumed"] is False
            assert ready["session"].partition("-")[0] in ADDRESSES


async def test_clients_whose_connections_are_cut_resume(shared: Site) -> None:
    whole = await heard_alone(shared)
    async with proxy_to(shared.port) as proxy, anyio.create_task_group() as tasks:
        listeners = [Listener() for _ in range(3)]
        for listener in listeners:
            tasks.start_soon(listener.run, f"https://localhost:{proxy.port}", SPEECH, proxy)
    for listener in listeners:
        first, *others = listener.connections
        assert (first, set(others)) == (False, {True})
        assert listener.spans == whole


def held_speech(held: Path) -> dict[str, object]:
    """Return a request whose answer is not given while this file is there."""
    return speech_json(initial_prompt=f"scripted:hold:{held}")


async def at_both(running: Site, listeners: list[Listener], tasks: anyio.abc.TaskGroup) -> None:
    """Start listeners, and return when all have had their first words."""
    for listener in listeners:
        tasks.start_soon(listener.run, running.url)
    await poll_until(lambda: all(listener.spans for listener in listeners), "the first words")


@usually("nginx")
async def test_when_a_gateway_dies_its_clients_continue_at_the_other_with_every_word_once(
    running: Site,
) -> None:
    whole = await heard_alone(running)
    listeners = [Listener() for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        await at_both(running, listeners, tasks)
        running.gateways["a"].server.process.kill()
    assert [listener.spans for listener in listeners] == [whole, whole]
    moved = sorted(listener.connections for listener in listeners)
    assert moved == [[False], [False, False]]  # one was at b all the time


@usually("haproxy")
async def test_a_gateway_that_drains_hands_its_clients_on_and_finishes_its_jobs(
    running: Site, tmp_path: Path
) -> None:
    whole = await heard_alone(running)
    leaving, staying = (running.gateways[name] for name in "ab")
    held = tmp_path / "a" / "held"
    held.touch()
    answers: list[httpx2.Response] = []
    listeners = [Listener() for _ in range(2)]

    async def post(client: httpx2.AsyncClient) -> None:
        answers.append(await client.post(f"{leaving.url}/utterance", json=held_speech(held)))

    async with httpx2.AsyncClient(timeout=60) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(post, client)
        await at_both(running, listeners, tasks)
        leaving.server.process.send_signal(signal.SIGTERM)
        leaving.server.line_with("draining")
        assert (await client.get(f"{leaving.url}/readyz")).status_code == 503
        await poll_until(lambda: any(len(one.connections) > 1 for one in listeners), "the move")
        assert not answers  # it is there still, and refuses whom the balancer sends
        held.unlink()
    assert [answer.status_code for answer in answers] == [200]
    assert [listener.spans for listener in listeners] == [whole, whole]
    assert sorted(listener.connections for listener in listeners) == [[False], [False, False]]
    told = [event for one in listeners for event in one.events if isinstance(event, Disconnected)]
    assert ["1012" in event.reason or "restarting" in event.reason for event in told] == [True]
    assert leaving.server.wait() == 0
    assert staying.server.process.poll() is None


# HAProxy's own.


def stats(folder: Path) -> dict[str, dict[str, str]]:
    """Return what HAProxy knows of each server."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(folder / "haproxy.sock"))
        control.sendall(b"show stat\n")
        said = b"".join(iter(lambda: control.recv(65536), b"")).decode()
    heads, *rows = (line.split(",") for line in said.removeprefix("# ").splitlines() if line)
    found = [dict(zip(heads, row, strict=False)) for row in rows]
    return {row["svname"]: row for row in found if row["pxname"] == "gateways"}


async def test_haproxy_weighs_the_gateways_by_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site("haproxy", tmp_path, max_sessions=4) as found:
        monkeypatch.setenv("SSL_CERT_FILE", str(found.certificate.ca))

        def weights() -> dict[str, str]:
            return {name: stats(found.folder)[name]["weight"] for name in ADDRESSES}

        def status(name: str) -> str:
            return stats(found.folder)[name]["status"]

        # HAProxy gives its socket its name after it has begun to listen.
        await poll_until((found.folder / "haproxy.sock").exists, "the socket of HAProxy")
        await poll_until(lambda: weights() == {"a": "100", "b": "100"}, "all that is free")
        form = "format=pcm16&seq=1&resume=1&session=a"
        resume = {"type": "resume", "session": "a-1", "secret": "s", "last_result": 0}
        async with open_socket(found, form) as socket:
            await socket.send(json.dumps(resume))
            await session_of(socket)
            await poll_until(lambda: weights() == {"a": "75", "b": "100"}, "three quarters")
        held = tmp_path / "b" / "held"
        held.touch()
        answers: list[httpx2.Response] = []
        async with httpx2.AsyncClient(timeout=60) as client, anyio.create_task_group() as tasks:

            async def post() -> None:
                url = f"{found.gateways['b'].url}/utterance"
                answers.append(await client.post(url, json=held_speech(held)))

            def is_working() -> bool:
                health = httpx2.get(f"{found.gateways['b'].url}/health").json()
                return any(worker["state"] == "busy" for worker in health["workers"])

            tasks.start_soon(post)
            await poll_until(is_working, "the job in b's worker")
            await poll_until(lambda: status("b").startswith("UP"), "b")
            found.gateways["b"].server.process.send_signal(signal.SIGTERM)
            await poll_until(lambda: status("b").startswith(("DRAIN", "DOWN")), "the drain")
            assert not answers
            held.unlink()
        assert [answer.status_code for answer in answers] == [200]
        assert found.gateways["b"].server.wait() == 0
        await poll_until(lambda: status("b").startswith("DOWN"), "the end")
        assert status("a").startswith("UP")


# The files themselves.


async def test_the_configuration_is_one_that_the_program_takes(
    balancer: str, tmp_path: Path
) -> None:
    command = prepared(balancer, free_ports(), tmp_path)
    check = {"nginx": "-t", "haproxy": "-c"}[balancer]
    done = await anyio.run_process([*command, check], check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    assert "warn" not in said.lower()
