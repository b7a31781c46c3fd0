"""Each channel of a session has the utterances and texts that it has alone."""

import struct
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest

from auricle.values.commands import Configure, Finalize, Flush, Stop, StreamParameters
from auricle.values.errors import BadRequest
from auricle.values.events import (
    Closed,
    Final,
    Finalized,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    WarningCode,
    Wire,
)
from auricle.values.types import Job, Pcm16
from tests.support.clips import CLIPS
from tests.support.session import Answer, Rig, echo, silence

pytestmark = pytest.mark.unit

SECOND = 16_000
PAIR, FELLOW, SHORT = (CLIPS[name].pcm for name in ("pair.wav", "fellow.wav", "short.wav"))
Place = tuple[int, int, str]


def call(*channels: list[Pcm16]) -> npt.NDArray[np.int16]:
    """Return interleaved samples [samples, channels], with silence after the shorter ones."""
    tracks = [np.concatenate([*parts, silence(2)]) for parts in channels]
    samples = max(track.size for track in tracks)
    return np.stack([np.pad(track, (0, samples - track.size)) for track in tracks], axis=1)


CALL = call([PAIR, silence(1), SHORT], [silence(3), FELLOW])
LEFT, RIGHT = CALL.T


def rig(**changes: object) -> Rig:
    values = {"format": Wire.PCM16, "language": "en", "channels": 2, "multichannel": True}
    return Rig(parameters=StreamParameters(**(values | changes)))  # type: ignore[arg-type]  # fields by name


def speak(
    it: Rig, audio: npt.NDArray[np.int16], position: int | None = None, *, step: int = 320
) -> None:
    for at in range(0, len(audio), step):
        part = audio[at : at + step]
        it.wait(len(part) / SECOND)
        head = b"" if position is None else struct.pack("<Q", position + at)
        it.send(head + part.tobytes())


def alone(pcm: Pcm16, **changes: object) -> list[Place]:
    """Return the finals of a session with one channel."""
    it = rig(channels=1, multichannel=False, **changes)
    speak(it, pcm.reshape(-1, 1))
    it.command(Stop())
    return places(it.finals)[None]


def places(finals: list[Final]) -> dict[int | None, list[Place]]:
    """Return place and text of the finals of each channel, in order."""
    found: dict[int | None, list[Place]] = defaultdict(list)
    for final in finals:
        found[final.channel].append((final.start_sample, final.end_sample, final.text))
    return found


@pytest.fixture(scope="module")
def expected() -> dict[int | None, list[Place]]:
    both = {0: alone(LEFT), 1: alone(RIGHT)}
    assert len(both[0]) >= 3
    assert both[1]
    return both  # type: ignore[return-value]  # keys without None


def test_each_channel_is_transcribed_as_alone(expected: dict[int | None, list[Place]]) -> None:
    it = rig()
    speak(it, CALL)
    it.command(Stop())
    assert places(it.finals) == expected
    assert [final.id for final in it.finals] == list(range(1, len(it.finals) + 1))
    numbers = [final.utterance for final in it.finals]
    assert len(set(numbers)) == len(numbers)
    for kind in (SpeechStarted, SpeechEnded, Partial):
        assert {event.channel for event in it.of(kind)} == {0, 1}
    assert it.warnings == []
    (closed,) = it.of(Closed)
    assert closed.audio_samples == len(CALL)
    assert it.marks[-1].channel_safe_samples == (len(CALL), len(CALL))


@pytest.mark.parametrize("size_bytes", [333, 1021])
def test_messages_may_end_anywhere(
    size_bytes: int, expected: dict[int | None, list[Place]]
) -> None:
    it, data = rig(partials=False), CALL.tobytes() + b"\x01"
    for at in range(0, len(data), size_bytes * 40):
        part = data[at : at + size_bytes * 40]
        it.wait(len(part) / (4 * SECOND))
        for first in range(0, len(part), size_bytes):
            it.send(part[first : first + size_bytes])
    it.command(Stop())
    assert places(it.finals) == expected


def test_a_lost_connection_changes_no_channel(expected: dict[int | None, list[Place]]) -> None:
    it = rig(seq=True)
    cut = 4 * SECOND
    speak(it, CALL[:cut], 0)
    it.reconnect()
    received = it.session.received_sample
    assert received == cut
    speak(it, CALL[received - 800 :], received - 800)
    it.command(Stop())
    unique = {final.id: final for final in it.finals}
    assert places(list(unique.values())) == expected


def test_a_new_session_repeats_no_final_of_either_channel(
    expected: dict[int | None, list[Place]],
) -> None:
    first = rig(seq=True, partials=False)
    speak(first, CALL[: 9 * SECOND], 0)
    mark = first.marks[-1]
    assert mark.channel_safe_samples[0] != mark.channel_safe_samples[1]
    assert mark.safe_sample == min(mark.channel_safe_samples)
    start = max(0, mark.safe_sample - 8 * SECOND)
    second = rig(
        seq=True,
        partials=False,
        start_sample=start,
        safe_sample=mark.safe_sample,
        channel_safe_samples=mark.channel_safe_samples,
    )
    speak(second, CALL[start:], start)
    second.command(Stop())
    assert places([*first.finals, *second.finals]) == expected


def test_a_slow_channel_does_not_delay_the_other() -> None:
    def slow_in_the_left(job: Job) -> Answer:
        number = int(job.utterance.rpartition(":")[2])
        return None if number in slow else echo(job)

    slow = {1}
    it = rig(partials=False)
    it.answer_with = slow_in_the_left
    speak(it, CALL)
    assert {final.channel for final in it.finals} == {1}
    assert it.marks[-1].safe_sample < it.marks[-1].channel_safe_samples[1]
    slow.clear()
    for job in tuple(it.open_jobs.values()):
        answer = echo(job)
        assert answer is not None
        it.answer(job.id, answer)
    assert {final.channel for final in it.finals} == {0, 1}


def test_a_silent_channel_holds_no_audio_and_no_mark() -> None:
    it = rig(channels=3, partials=False)
    pair = np.concatenate([PAIR, silence(1)])
    speak(it, np.stack([pair, np.zeros_like(pair), np.zeros_like(pair)], axis=1), step=SECOND)
    assert {final.channel for final in it.finals} == {0}
    for _ in range(60):
        speak(it, np.zeros((SECOND, 3), np.int16), step=SECOND)
    assert it.marks[-1].safe_sample > it.session.received_sample - SECOND
    held = [each.segmenter._recording for each in it.session.channels]
    assert all(recording.end_sample - recording.start_sample < SECOND for recording in held)


def test_flush_answers_for_each_channel_or_for_one() -> None:
    it = rig(partials=False)
    speak(it, CALL[: 4 * SECOND])
    it.command(Flush(channel=1))
    assert [(event.channel, event.ended_utterance) for event in it.of(Flushed)] == [(1, True)]
    assert [event.channel for event in it.of(Finalized)] == [1]
    it.command(Flush())
    assert [event.channel for event in it.of(Flushed)] == [1, 0, 1]
    assert sorted(event.channel for event in it.of(Finalized)) == [0, 1, 1]


def test_finalize_ends_the_utterances_of_all_channels() -> None:
    it = rig(partials=False)
    speak(it, CALL[: 9 * SECOND // 2])
    it.command(Finalize())
    assert not it.session.channels.unfinished_audio({})
    assert {final.channel for final in it.finals} == {0, 1}


def test_unfinished_audio_has_the_numbers_of_its_utterances() -> None:
    it = rig(partials=False)
    speak(it, CALL[: 4 * SECOND])
    left, right = it.session.channels.unfinished_audio({})
    assert left.utterance != right.utterance
    (rest,) = [
        audio
        for audio in it.session.channels.unfinished_audio({right.utterance: right.samples - 100})
        if audio.utterance == right.utterance
    ]
    assert rest.pcm.size == 100


@pytest.mark.parametrize("samples", [PAIR, np.tile(PAIR, 3)])
def test_one_channel_that_is_sent_as_two_is_reported(samples: Pcm16) -> None:
    it = rig(partials=False)
    speak(it, samples[: samples.size // 2 * 2].reshape(-1, 2))
    it.command(Stop())
    assert [warning.code for warning in it.warnings] == [WarningCode.SIMILAR_CHANNELS]


def test_a_warning_names_channels_with_the_same_audio() -> None:
    it = rig(partials=False, channels=3)
    pair = PAIR[: PAIR.size // 2]
    speak(it, np.stack([pair, np.zeros_like(pair), pair], axis=1))
    it.command(Stop())
    (warning,) = it.warnings
    assert warning.message.startswith("Channels 0 and 2 carry the same audio.")


def test_formats_without_these_channels_are_refused() -> None:
    with pytest.raises(BadRequest, match="multichannel needs raw samples or WAV"):
        rig(format=Wire.OPUS)
    with pytest.raises(BadRequest, match="channels must be 1 to 2"):
        rig(format=Wire.OPUS, channels=3, multichannel=False)
    with pytest.raises(BadRequest, match="multichannel and speakers exclude each other"):
        rig(speakers=True)
    it = rig()
    with pytest.raises(BadRequest, match="multichannel needs"):
        it.command(Configure(format=Wire.WEBM))
    speak(it, CALL[: 2 * SECOND])
    it.command(Stop())
    assert it.finals
