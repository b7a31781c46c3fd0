import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from auricle.config.sections.live import LiveSettings
from auricle.config.sections.server import ServerSettings
from auricle.server.main import agent_sockets
from auricle.server.ops.agent_check import agent_line, line_of, serve_agent
from auricle.values.errors import SetupError
from auricle.values.transcriber import WorkerState, WorkerStats
from auricle.values.types import ANONYMOUS
from tests.server.live.test_load_meter import stats
from tests.support.service import Live, live, poll_until
from tests.support.transcriber import READY

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("free_share", "line"),
    [
        (1.0, b"up ready 100%\n"),
        (0.75, b"up ready 75%\n"),
        (0.004, b"up ready 1%\n"),
        (0.0, b"up ready 1%\n"),
        (-0.5, b"up ready 1%\n"),
        (1.5, b"up ready 100%\n"),
    ],
)
def test_the_weight_is_what_is_free_and_never_nothing(free_share: float, line: bytes) -> None:
    assert agent_line(is_ready=True, is_draining=False, free_share=free_share) == line


def test_a_server_that_goes_drains_and_one_that_cannot_work_is_down() -> None:
    assert agent_line(is_ready=True, is_draining=True, free_share=1) == b"drain\n"
    assert agent_line(is_ready=False, is_draining=True, free_share=1) == b"drain\n"
    assert agent_line(is_ready=False, is_draining=False, free_share=1) == b"down\n"


async def ask(port: int, said: bytes = b"") -> bytes:
    """Return all that the agent says before it hangs up."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        if said:
            await stream.send(said)
        with anyio.fail_after(60):
            answer = b""
            while True:
                try:
                    answer += await stream.receive()
                except anyio.EndOfStream:
                    return answer


def agent_beside(service: Live, group: anyio.abc.TaskGroup) -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    state = service.state
    line = partial(line_of, state.recognition.transcriber, state.lifecycle, state.live)
    group.start_soon(serve_agent, line, [listener])
    return int(listener.getsockname()[1])


async def test_it_says_how_things_are_now(tmp_path: Path) -> None:
    async with (
        live(tmp_path, LiveSettings(max_sessions=4)) as service,
        anyio.create_task_group() as group,
    ):
        port = agent_beside(service, group)
        assert await ask(port) == b"up ready 100%\n"
        service.state.live.places.admit(ANONYMOUS, None)
        assert await ask(port) == b"up ready 75%\n"
        service.transcriber.current = replace(
            stats("busy", waiting_audio_s=4.0, waiting_jobs=1), seconds_per_audio_s=0.1
        )
        await poll_until(lambda: service.state.live.load > 0.8)
        assert await ask(port) == b"up ready 10%\n"
        service.transcriber.current = replace(READY, ready=False)
        assert await ask(port) == b"down\n"
        hung = WorkerStats("asr-1", None, WorkerState.BUSY, 0, 0, 0, None, overdue=True)
        service.transcriber.current = replace(READY, workers=(hung,))
        assert await ask(port) == b"down\n"
        service.state.drain()
        assert await ask(port) == b"drain\n"
        group.cancel_scope.cancel()


async def test_data_sent_to_it_is_not_read_and_an_open_connection_costs_nothing(
    tmp_path: Path,
) -> None:
    async with live(tmp_path) as service, anyio.create_task_group() as group:
        port = agent_beside(service, group)
        silent = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(100)]
        for stream in silent:
            assert await stream.receive() == b"up ready 100%\n"
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
        assert await ask(port) == b"up ready 100%\n"
        for stream in silent:
            await stream.aclose()
        group.cancel_scope.cancel()


def test_a_port_in_use_is_reported_by_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match="AURICLE_AGENT_CHECK_PORT"):
            agent_sockets(ServerSettings(agent_check_port=port))


def test_without_a_port_nothing_listens() -> None:
    assert agent_sockets(ServerSettings()) == []
