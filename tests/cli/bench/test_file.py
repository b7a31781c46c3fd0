"""The recording that is timed: how long it is, and that a server transcribes it."""

import asyncio

import pytest

from auricle.audio.opus import find_libopus
from auricle.cli.bench.file import MAX_REPEATS, Recording, file_speed, repeats_after
from auricle.cli.bench.server import running_server
from auricle.cli.support.speech_clip import speech_clip
from auricle.config.settings import Settings
from auricle.values.errors import RequestError

RECORDING = Recording(speech_clip(), find_libopus())


@pytest.mark.unit
@pytest.mark.parametrize(
    ("first_s", "full", "quick"),
    [(0.01, MAX_REPEATS, MAX_REPEATS), (1.0, 6, 2), (5.0, 1, 0), (20.0, 0, 0)],
)
def test_the_longer_file_takes_some_seconds(first_s: float, full: int, quick: int) -> None:
    assert repeats_after(first_s, is_quick=False) == full
    assert repeats_after(first_s, is_quick=True) == quick


@pytest.mark.process
def test_a_server_transcribes_it(scripted: Settings) -> None:
    async def measure() -> tuple[float, float]:
        async with running_server(scripted) as server:
            return await file_speed(server.url, RECORDING, "", is_quick=True)

    speed, audio_s = asyncio.run(measure())
    assert speed > 0
    assert audio_s / speech_clip().seconds in range(1, MAX_REPEATS + 1)


@pytest.mark.process
def test_a_refused_file_is_an_error(scripted: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_MAX_UPLOAD_MB", "1")

    async def measure() -> None:
        async with running_server(scripted) as server:
            await file_speed(server.url, RECORDING, "", is_quick=True)

    with pytest.raises(RequestError, match="HTTP 413"):
        asyncio.run(measure())
