"""Fixtures for commands that send a recording to a scripted server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.job_server import ScriptedServer, scripted_server

RECORDING = b"x" * 600_000


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.mp3"
    path.write_bytes(RECORDING)
    return path
