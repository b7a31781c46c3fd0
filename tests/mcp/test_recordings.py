"""Tools that transcribe recordings, where they are switched on."""

import base64
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from auricle.client import AsyncClient, Client
from auricle.mcp.recordings import AUDIO_TOOL, MAX_AUDIO_BYTES, file_tool, open_below
from auricle.mcp.route import MAX_AUDIO_BODY_BYTES
from auricle.values.errors import NotFound
from tests.mcp.agents import ANNA, BEN, error_of, over_http, over_stdio, result_of
from tests.mcp.conftest import KEYS, AgentsServer
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, serving
from tests.support.poll import wait_until

pytestmark = pytest.mark.process

CLIP = CLIPS["fellow.wav"]


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentsServer]:
    """Run a server that transcribes for agents; a file in its folder holds all its work."""
    folder = tmp_path_factory.mktemp("writable")
    settings = {
        "api_keys": KEYS,
        "mcp": 1,
        "mcp_transcribe": 1,
        "model": f"scripted:hold:{folder / 'held'}",
    }
    with serving(folder, **settings) as (run, url):
        yield AgentsServer(run, url, folder)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Return a folder with a recording, next to what is none of it."""
    folder = tmp_path / "recordings"
    (folder / "talks").mkdir(parents=True)
    (folder / "talks" / "fellow.wav").write_bytes(CLIP.path.read_bytes())
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.wav").write_bytes(b"secret")
    (tmp_path / "outside.wav").write_bytes(b"secret")
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    (folder / "inside.wav").symlink_to(folder / "talks" / "fellow.wav")
    os.mkfifo(folder / "pipe.wav")
    return folder


def over(
    transport: str, server: AgentsServer, recordings: Path
) -> AbstractAsyncContextManager[Any]:
    if transport == "http":
        return over_http(server.url)
    return over_stdio(server.url, server.folder, "--recordings", str(recordings))


def call_for(transport: str, **options: object) -> tuple[str, dict[str, object]]:
    if transport == "http":
        audio = base64.encodebytes(CLIP.path.read_bytes()).decode()  # with line breaks
        return "transcribe_audio", {"audio_base64": audio, "file_name": "fellow.wav", **options}
    return "transcribe_file", {"path": "talks/fellow.wav", **options}


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_recording_becomes_a_job_with_a_transcript(
    writable: AgentsServer, recordings: Path, transport: str
) -> None:
    tool, arguments = call_for(transport, language="en", wait_s=45)
    async with over(transport, writable, recordings) as client:
        [offered] = [each for each in (await client.list_tools()).tools if each.name == tool]
        assert not offered.annotations.read_only_hint
        assert not offered.annotations.destructive_hint
        done = await result_of(client, tool, **arguments)
        assert done["state"] == "done"
        assert done["segments"][0]["text"]
        assert done["duration_s"] == pytest.approx(CLIP.samples / 16_000, abs=0.001)
        again = await result_of(client, "read_job", job_id=done["job_id"])
        assert again == done
    async with AsyncClient(writable.url, api_key=ANNA) as api:
        listed = [each async for each in api.jobs.list()]
        assert (done["job_id"], "fellow.wav") in [(each.id, each.file_name) for each in listed]
    async with AsyncClient(writable.url, api_key=BEN) as api:
        assert [each async for each in api.jobs.list()] == []


async def test_a_killed_command_loses_no_accepted_recording(
    writable: AgentsServer, recordings: Path
) -> None:
    held = writable.folder / "held"
    held.touch()
    tool, arguments = call_for("stdio", wait_s=45)
    with Client(writable.url, api_key=ANNA) as api:
        before = {each.id for each in api.jobs.list()}

        def accepted() -> set[str]:
            return {each.id for each in api.jobs.list()} - before

        with pytest.raises(Exception, match=r".*"), anyio.fail_after(LIMIT_S):  # noqa: PT012
            async with (
                over("stdio", writable, recordings) as client,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(client.call_tool, tool, arguments)
                await anyio.to_thread.run_sync(wait_until, accepted, "the job")
                [process] = [
                    each
                    for each in psutil.Process().children(recursive=True)
                    if "mcp" in each.cmdline()
                ]
                process.send_signal(signal.SIGKILL)
        held.unlink()
        [job_id] = accepted()
        transcript = api.jobs.wait(job_id, timeout_s=LIMIT_S)
        assert transcript.text
    async with over("stdio", writable, recordings) as client:
        found = await result_of(client, "read_job", job_id=job_id)
        assert found["segments"][0]["text"] == transcript.segments[0].text.strip()


async def test_a_busy_job_is_watched_later(writable: AgentsServer, recordings: Path) -> None:
    held = writable.folder / "held"
    held.touch()
    tool, arguments = call_for("http", wait_s=0, speakers=False)
    async with over("http", writable, recordings) as client:
        started = await result_of(client, tool, **arguments)
        assert started["state"] in ("queued", "running")
        assert started["text_so_far"] == ""
        held.unlink()
        done = await result_of(client, "read_job", job_id=started["job_id"], wait_s=45)
        assert done["state"] == "done"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"audio_base64": "#"}, "(bad_request)"),
        ({"audio_base64": ""}, "$.audio_base64"),
        ({"audio_base64": "AAAA" * (MAX_AUDIO_BYTES // 3 + 2)}, "$.audio_base64"),
        ({"audio_base64": "AAAA", "file_name": "a\nb"}, "$.file_name"),
        ({"audio_base64": "AAAA", "num_speakers": 99}, "$.num_speakers"),
        ({"audio_base64": "AAAA", "language": "xx"}, "(bad_request)"),
        ({"audio_base64": "AAAA", "callback_url": "http://a/"}, "unknown field"),
    ],
)
async def test_bad_recordings_have_an_error(
    writable: AgentsServer, arguments: dict[str, object], reason: str
) -> None:
    async with over_http(writable.url) as client:
        assert reason in await error_of(client, "transcribe_audio", **arguments)


async def test_what_is_no_audio_is_a_failed_job(writable: AgentsServer) -> None:
    noise = base64.b64encode(b"not audio" * 100).decode()
    async with over_http(writable.url) as client:
        done = await result_of(client, "transcribe_audio", audio_base64=noise, wait_s=45)
    assert (done["state"], done["error"]["code"]) == ("failed", "unsupported_format")


async def test_agents_only_read_unless_it_is_switched_on(
    server: AgentsServer, recordings: Path
) -> None:
    async with over_http(server.url) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert not names & {"transcribe_audio", "transcribe_file"}
        with pytest.raises(Exception, match="no tool of this name"):
            await client.call_tool("transcribe_audio", {"audio_base64": "AAAA"})


def test_the_largest_audio_fits_a_body() -> None:
    assert len(base64.b64encode(bytes(MAX_AUDIO_BYTES))) < MAX_AUDIO_BODY_BYTES - 1000
    assert AUDIO_TOOL.schema["required"] == ["audio_base64"]


def test_only_files_below_the_folder_are_opened(recordings: Path) -> None:
    for path in ("talks/fellow.wav", str(recordings / "talks/fellow.wav"), "inside.wav"):
        with open_below(recordings, path) as file:
            assert file.read() == CLIP.path.read_bytes()
    for path in (
        "missing.wav",
        "talks",
        ".",
        "..",
        "../outside.wav",
        "talks/../../outside.wav",
        str(recordings.parent / "outside.wav"),
        "/etc/passwd",
        "link.wav",
        ".hidden/secret.wav",
        "pipe.wav",
        "a\x00b",
        "x" * 5000,
        "/dev/stdin",
        "/proc/self/environ",
    ):
        with pytest.raises(NotFound, match="no such recording"):
            open_below(recordings, path)
    assert str(recordings) in file_tool(recordings).description
