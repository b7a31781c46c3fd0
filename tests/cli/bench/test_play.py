"""Playing streams to a real server with the scripted engine."""

import asyncio

import psutil
import pytest

from auricle.cli.bench.play import Level, play_level
from auricle.cli.bench.score import LevelResult
from auricle.cli.bench.server import running_server
from auricle.cli.support.speech_clip import speech_clip
from auricle.config.settings import Settings

pytestmark = pytest.mark.process


@pytest.mark.wall_clock
def test_finals_and_partials_are_counted(scripted: Settings) -> None:
    async def play() -> list[LevelResult]:
        async with running_server(scripted) as server:
            return [
                await play_level(server.url, server.process, speech_clip(), Level(2, wanted, 6.0))
                for wanted in (True, False)
            ]

    with_partials, without = asyncio.run(play())
    assert (with_partials.streams, with_partials.finals) == (2, 2)
    assert 0.3 < with_partials.p50_s <= with_partials.p95_s  # the silence that ends an utterance
    assert with_partials.partials_per_s > 0
    assert with_partials.cores > 0
    assert without.partials_per_s == 0


def test_a_server_that_does_not_answer_holds_nothing() -> None:
    level = Level(1, False, 1.0)
    played = asyncio.run(play_level("http://127.0.0.1:1", psutil.Process(), speech_clip(), level))
    assert not played.is_held
