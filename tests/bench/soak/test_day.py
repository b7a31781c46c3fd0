"""The short form of the day of ``make soak``: a minute and a half, on a clock that hurries."""

import asyncio

import numpy as np
import pytest

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav
from bench.lib.posting import WAV_PATH, WAV_TYPE, Body
from bench.lib.service import running
from bench.soak import day
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.process, pytest.mark.slow]

HOURS, SPEED = 0.025, 15.0
PCM = CLIPS["fellow.wav"].pcm


def talk() -> Pcm16:
    pause = np.random.default_rng(1).normal(0, 10, 2 * day.ALIGN_SAMPLES).astype(np.int16)
    whole = np.concatenate([PCM, pause])
    return whole[: whole.size - whole.size % day.ALIGN_SAMPLES]


def test_a_brief_day_is_exact_to_the_sample() -> None:
    found = day.sessions(HOURS, talk(), CLIPS["short.wav"].pcm)
    body = Body("short", PCM.size / SAMPLE_RATE_HZ, WAV_TYPE, WAV_PATH, as_wav(PCM))
    program = ("bench.soak.fast_clock", str(SPEED))
    with running(workers=1, program=program, **day.SETTINGS) as service:
        lived = asyncio.run(day.run_day(service, found, SPEED, [body], body))
    shown = day.figures(lived)
    for name, is_reached in day.reached(shown).items():
        if "grows" not in name and "turn" not in name:
            assert is_reached, (name, shown)
    sessions = shown["sessions"]
    assert sessions["speech"]["finals"] > 5
    assert sessions["speech"]["last_final_ends_at_sample"] > 2**32
    assert sessions["ogg"]["finals"] == sessions["webm"]["finals"] > 0
    assert shown["jobs"] > 0
