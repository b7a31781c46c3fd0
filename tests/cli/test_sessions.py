"""``auricle sessions`` with a server and its speakers."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx2
import pytest
from anyio import to_thread
from structlog.testing import capture_logs

from tests.support.command import completed, environment
from tests.support.service import Live, keys, live
from tests.support.stream import Caller, call

pytestmark = pytest.mark.server

KEY = "alice-key"
HEADERS = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    """Serve in this process; its log would be in the commands' output."""
    with capture_logs():
        async with live(tmp_path / "live", api_keys=keys(f"alice:{KEY}")) as started:
            yield started


async def sessions(
    running: Live, folder: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    settings = {"url": f"http://127.0.0.1:{running.port}", "api_key": KEY}
    run = partial(completed, "sessions", *arguments, environ=environment(folder, **settings))
    return await to_thread.run_sync(run)


async def test_links_read_the_session_without_the_key(running: Live, tmp_path: Path) -> None:
    async with call(running.port, headers=HEADERS, format="pcm16") as speaker:
        await speaker.until("ready")
        await speaker.caption()
        id = speaker.received[0]["session"]
        listed = await sessions(running, tmp_path, "list", "--json")
        assert json.loads(listed.stdout)["id"] == id
        header, line = (await sessions(running, tmp_path, "list")).stdout.splitlines()
        assert header.split() == ["id", "started", "length", "api", "readers"]
        assert re.fullmatch(rf"{id} +2\d{{3}}-\S+ \S+ +0:00:\d\d +native +0", line)
        done = await sessions(running, tmp_path, "share", "--hours", "0.5")
        page, events, vtt, playlist = done.stdout.splitlines()
        base = f"http://127.0.0.1:{running.port}"
        assert page.startswith(f"{base}/reader#session={id}&token=tok2.")
        assert events.startswith(f"{base}/v1/sessions/{id}/events?session={id}&token=tok2.")
        assert playlist.partition("?")[2] == page.partition("#")[2]
        async with httpx2.AsyncClient() as client:
            assert "hello" in (await client.get(f"{vtt}&follow=false")).text
        assert KEY not in done.stdout
        assert (await sessions(running, tmp_path, "share", id)).returncode == 0


@pytest.mark.parametrize("kind", ["page", "captions", "token"])
async def test_a_link_is_withdrawn_and_others_stay(
    running: Live, tmp_path: Path, kind: str
) -> None:
    async with call(running.port, headers=HEADERS, format="pcm16") as speaker:
        await speaker.until("ready")
        shared = (await sessions(running, tmp_path, "share")).stdout.splitlines()
        other = (await sessions(running, tmp_path, "share", "--hours", "1")).stdout.splitlines()
        token = shared[0].rpartition("token=")[2]
        link = {"page": shared[0], "captions": shared[2], "token": token}[kind]
        done = await sessions(running, tmp_path, "withdraw", link)
        assert (done.returncode, done.stderr) == (0, "The link was withdrawn.\n")
        async with httpx2.AsyncClient() as client:
            statuses = [
                (await client.get(f"{links[2]}&follow=false")).status_code
                for links in (shared, other)
            ]
        assert statuses == [401, 200]


async def test_a_link_that_was_mistyped_is_an_error(running: Live, tmp_path: Path) -> None:
    async with call(running.port, headers=HEADERS, format="pcm16") as speaker:
        await speaker.until("ready")
        done = await sessions(running, tmp_path, "withdraw", "tok2.nonsense")
        assert done.returncode == 2
        assert "bad_request" in done.stderr


@pytest.mark.parametrize(("speakers", "message"), [(0, "no live session"), (2, "2 live sessions")])
async def test_the_session_must_be_named_unless_there_is_one(
    running: Live, tmp_path: Path, speakers: int, message: str
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(speakers):
            context = call(running.port, headers=HEADERS, format="pcm16")
            caller: Caller = await stack.enter_async_context(context)
            await caller.until("ready")
        done = await sessions(running, tmp_path, "share")
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr


async def test_an_unknown_session_is_an_error(running: Live, tmp_path: Path) -> None:
    done = await sessions(running, tmp_path, "share", "nope")
    assert (done.returncode, "Unknown session" in done.stderr) == (2, True)
