"""The short form of ``make soak``: seconds, with a scripted engine; growth takes longer to see."""

import asyncio

import pytest

from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.audio import as_file, as_wav
from bench.lib.posting import WAV_PATH, WAV_TYPE, Body
from bench.lib.service import running
from bench.soak.figures import figures, reached, show
from bench.soak.hour import hour
from bench.soak.mix import Cost, Rates
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.process, pytest.mark.slow]

PCM = CLIPS["fellow.wav"].pcm
AUDIO_S = PCM.size / SAMPLE_RATE_HZ


def test_a_brief_soak_loses_nothing_and_leaves_nothing() -> None:
    short = [Body("short", AUDIO_S, WAV_TYPE, WAV_PATH, as_wav(PCM))]
    long = [
        Body("long", AUDIO_S, "audio/ogg", "/utterance?language=en", as_file(PCM, "ogg", "libopus"))
    ]
    cost = Cost(utterances=0.1, files=0.1, live=0.1)
    rates = Rates(utterances=3 * AUDIO_S, files=2 * AUDIO_S, streams=4)
    with running(workers=1, engine="tests.support.scripted_engine") as service:
        found = asyncio.run(hour(service, rates, short, long, [PCM] * 4, seconds=9.0, rest_s=1.0))
    shown = figures(found, cost, rates)
    show(shown)
    for kind in ("utterances", "files"):
        statuses = shown[kind]["statuses"]
        assert statuses.keys() <= {"200", "503 queue_full"}  # a busy machine may refuse some
        assert statuses["200"] > 5
    assert not shown["utterances"]["texts_that_changed"]
    assert not shown["broken"]
    assert not shown["unsent"]
    live = shown["live"]
    assert live["finals"] >= live["streams"]
    assert not live["failures"]
    assert not live["failed_finals"]
    assert not live["out_of_order"]
    rest = shown["at_rest"]
    assert rest["processes"][0] == rest["processes"][1]
    assert all(slope is None for slope in shown["growth_mb"].values())
    assert not reached(shown)["every process lived for the whole run"]
    assert set(found.names.values()) >= {"server", "recogniser 1", "decode worker 1"}


def test_what_is_offered_costs_what_was_asked_for() -> None:
    cost = Cost(utterances=0.1, files=0.04, live=0.07)
    rates = cost.rates(0.6, 2)
    spent = rates.utterances * 0.1 + rates.files * 0.04 + rates.streams * 0.07
    assert spent == pytest.approx(1.2)
    assert rates.streams == 6
