"""The server of the measurement: a real one, with the operator's settings without its limits."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from auricle.apis.registry import find_apis
from auricle.cli.bench.server import MANY, running_server
from auricle.config.settings import Settings
from auricle.values.errors import SetupError
from tests.support.poll import poll_until

pytestmark = pytest.mark.process


def test_it_has_the_settings_but_no_limits_and_ends_with_its_workers(
    scripted: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_WORKERS", "1")
    monkeypatch.setenv("AURICLE_API_KEYS", "name:a-key-that-clients-would-need")
    monkeypatch.setenv("AURICLE_QUEUE_AUDIO_S", "7")
    monkeypatch.setenv("AURICLE_LIVE_SPEAKERS", "1")
    for name in (api.name.upper() for api in find_apis() if api.ports):
        monkeypatch.setenv(f"AURICLE_{name}", "1")
        monkeypatch.setenv(f"AURICLE_{name}_HOST", "0.0.0.0")  # a server would refuse it

    async def look() -> tuple[dict[str, Any], list[psutil.Process]]:
        async with running_server(Settings.load()) as server:
            health = httpx2.get(f"{server.url}/health").json()
            found: list[psutil.Process] = []

            def have_started() -> bool:
                found[:] = [server.process, *server.process.children(recursive=True)]
                return len(found) == 1 + 1 + 2

            await poll_until(have_started, "the workers of files, which start last")
            return health, found

    health, processes = asyncio.run(look())
    assert health["sessions"]["max"] == MANY
    assert health["live"]["capacity"] == MANY
    assert len(health["workers"]) == 1
    assert len(processes) == 1 + 1 + 2
    assert not [process for process in processes if process.is_running()]


def test_its_own_error_says_why_it_does_not_start(
    scripted: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_MODEL", "scripted:setup-error")

    async def start() -> None:
        async with running_server(Settings.load()):
            raise AssertionError("it started")

    with pytest.raises(SetupError, match=r"did not start: .*scripted engines have none"):
        asyncio.run(start())


def test_a_cancelled_measurement_leaves_no_process_and_no_directory(
    scripted: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def cancel() -> list[psutil.Process]:
        entered, children = asyncio.Event(), []

        async def use() -> None:
            async with running_server(scripted) as server:
                children.extend([server.process, *server.process.children(recursive=True)])
                entered.set()
                await asyncio.Event().wait()

        using = asyncio.create_task(use())
        await entered.wait()
        using.cancel()
        await asyncio.wait([using])
        return children

    processes = asyncio.run(cancel())
    assert processes
    assert not [process for process in processes if process.is_running()]
    assert not list(tmp_path.glob("auricle-bench-*"))
