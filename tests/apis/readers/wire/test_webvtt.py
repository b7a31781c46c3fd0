from dataclasses import replace

import pytest

from auricle.apis.readers.wire.events import KeepAlive
from auricle.apis.readers.wire.webvtt import START, encode_cues, encode_segment
from auricle.values.events import Final, Partial, SpeakerSegment
from auricle.values.types import Speaker

pytestmark = pytest.mark.unit

FINAL = Final(1, 1, "Salt & <pepper> --> now.", 16_000, 48_000, "en", None, 310.0, False)


def test_a_final_is_cues_with_the_times_of_the_session() -> None:
    assert START + encode_cues(1, FINAL) == (
        b"WEBVTT\n\n00:00:01.000 --> 00:00:03.000\nSalt &amp; &lt;pepper&gt; --&gt; now.\n\n"
    )


def test_nothing_but_finals_with_text_has_cues() -> None:
    assert encode_cues(1, replace(FINAL, text="")) == b""
    assert encode_cues(1, Partial(1, "so", "", 0, 1)) == b""
    assert encode_cues(1, KeepAlive()).startswith(b"NOTE")


def test_speakers_and_channels_are_named() -> None:
    assert b"<v Speaker 2>Speaker 2: Salt" in encode_cues(1, replace(FINAL, speaker=1))
    assert b"<v Speaker 1>Speaker 1: Salt" in encode_cues(1, replace(FINAL, channel=0))
    parts = (SpeakerSegment(16_000, 30_000, "Yes.", 0), SpeakerSegment(30_000, 48_000, "No.", 1))
    both = encode_cues(1, replace(FINAL, text="Yes. No.", speaker=0, segments=parts))
    assert b"<v Speaker 1>Speaker 1: Yes." in both
    assert b"<v Speaker 2>Speaker 2: No." in both
    named = replace(FINAL, speaker=1, speakers=(Speaker(1, "Ann"),))
    assert b"<v Ann>Ann: Salt" in encode_cues(1, named)


def test_a_segment_has_all_cues_that_are_shown_in_its_time() -> None:
    before = replace(FINAL, text="Before.", start_sample=0, end_sample=16_000)
    across = replace(FINAL, text="Across.", start_sample=80_000, end_sample=112_000)
    first = encode_segment([before, across], 0, 6000).decode()
    second = encode_segment([before, across], 6000, 12_000).decode()
    head = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
    cue = "00:00:05.000 --> 00:00:07.000\nAcross.\n\n"
    assert first == f"{head}00:00:00.000 --> 00:00:01.000\nBefore.\n\n{cue}"
    assert second == f"{head}{cue}"


def test_a_segment_of_silence_is_a_valid_file() -> None:
    assert encode_segment([], 0, 6000).startswith(b"WEBVTT\n")
