"""The results of several channels: each has its own utterances, answers and silence."""

import json
from urllib.parse import parse_qsl

import pytest

from auricle.apis.deepgram.wire.live import DeepgramDialect, parameters_of
from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.deepgram.wire.results import Json, ModelInfo
from auricle.values.commands import Configure, Flush, Spare
from auricle.values.errors import AudioError, BadRequest
from auricle.values.events import (
    AudioProgress,
    Closed,
    Final,
    Finalized,
    Flushed,
    Partial,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
    Wire,
)
from tests.apis.deepgram.wire.test_audio_input import wav

pytestmark = pytest.mark.unit

TWO = "encoding=mulaw&channels=2&multichannel=true&interim_results=true&vad_events=true"


def dialect(query: str = TWO) -> DeepgramDialect:
    listen = parse_listen(parse_qsl(query))
    model = ModelInfo("base", "1", "whisper")
    return DeepgramDialect(listen, request_id="id", created="now", model=model)


def tell(one: DeepgramDialect, *events: SessionEvent) -> list[Json]:
    return [json.loads(text) for event in events for text in one.encode(event)]


def final(id: int, channel: int, end_sample: int = 32_000) -> Final:
    return Final(id, id, "hello", 0, end_sample, "en", (), 100.0, False, channel=channel)


def test_each_message_names_its_channel() -> None:
    messages = tell(
        dialect(),
        SpeechStarted(0, 0),
        SpeechStarted(800, 1),
        Partial(1, "", "hel", 0, 16_000, 0),
        SpeechEnded(30_000, 1),
        final(1, 1),
        SpeechEnded(30_000, 0),
        final(2, 0),
    )
    places = [message.get("channel_index", message["channel"]) for message in messages]
    assert places == [[0, 2], [1, 2], [0, 2], [1, 2], [0, 2]]
    assert [message.get("is_final") for message in messages] == [None, None, False, True, True]


def test_a_finalize_is_answered_in_each_channel_or_in_one() -> None:
    one = dialect()
    assert list(one.receive_text('{"type":"Finalize","channel":1}')) == [Flush(1, Spare.ONSET)]
    assert list(one.receive_text('{"type":"Finalize"}')) == [Flush(spares=Spare.ONSET)]
    with pytest.raises(BadRequest, match="channel must be 0 to 1"):
        one.receive_text('{"type":"Finalize","channel":2}')
    tell(one, SpeechStarted(0, 0), SpeechEnded(30_000, 0))
    flushed = Flushed(32_000, True, 0), Flushed(32_000, False, 1)
    messages = tell(one, *flushed, Finalized(32_000, 1), final(1, 0), Finalized(32_000, 0))
    assert [(m["channel_index"][0], m["from_finalize"]) for m in messages] == [(1, True), (0, True)]


def test_silence_of_a_channel_is_reported_while_the_other_speaks() -> None:
    one = dialect()
    tell(one, SpeechStarted(0, 0))
    progress = AudioProgress(32_000, 0, channel_safe_samples=(0, 30_000))
    (message,) = tell(one, progress)
    assert (message["channel_index"], message["duration"]) == ([1, 2], 1.875)


@pytest.mark.parametrize(
    "code", [WarningCode.SIMILAR_CHANNELS, WarningCode.LANGUAGE_IMPROBABLE], ids=str
)
def test_the_metadata_counts_channels_and_has_each_warning_once(code: WarningCode) -> None:
    warned = Warned(code, "Something is wrong.")
    (metadata,) = tell(dialect(), warned, warned, Closed("stop", 16_000, 0, 0, 0))
    assert metadata["channels"] == 2
    assert metadata["warnings"] == [warned.message]


def test_the_session_has_the_channels() -> None:
    parameters = parameters_of(parse_listen(parse_qsl(TWO)))
    assert (parameters.format, parameters.separate_channels) == (Wire.PCM16, 2)
    mixed = parameters_of(parse_listen(parse_qsl("encoding=mulaw&channels=2")))
    assert (mixed.channels, mixed.separate_channels) == (2, 1)


def test_a_container_that_is_mixed_has_no_separate_channels() -> None:
    query = "channels=2&multichannel=true"
    (first,) = dialect(query).receive_bytes(wav(channels=2, rate=8000))
    assert first == Configure(format=Wire.PCM16, sample_rate=8000)
    with pytest.raises(AudioError, match="multichannel needs"):
        list(dialect(query).receive_bytes(b"OggS" + bytes(100)))
