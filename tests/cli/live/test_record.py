"""The transcript of a live stream, and its output."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.cli.live.record import LiveRecord, lines_of, transcript_of
from auricle.cli.support.output import OutputFormat
from auricle.client import (
    Final,
    FinalSpeakers,
    Gap,
    LiveClient,
    SpeakerRevision,
    SpeakerSegment,
)
from auricle.values.errors import SetupError
from auricle.values.types import Speaker, Word

pytestmark = pytest.mark.unit

WORDS = (Word(16_000, 20_000, " Good", 0.5),)


def final(id: int, text: str, language: str | None = "en", error: str | None = None) -> Final:
    start = id * 16_000
    return Final(id, id, text, start, start + 8000, language, WORDS, 1.0, False, error)


def record(output_format: OutputFormat, target: Path | None = None) -> LiveRecord:
    return LiveRecord(LiveClient("http://127.0.0.1:9"), output_format, target)


def test_finals_become_a_transcript() -> None:
    finals = [final(1, " Good day. "), final(2, ""), final(3, "Bye.")]
    result = transcript_of(finals, 80_000)
    assert result.transcript.text == "Good day. Bye."
    assert result.transcript.duration_samples == 80_000
    assert [(s.start_sample, s.end_sample) for s in result.transcript.segments] == [
        (16_000, 24_000),
        (48_000, 56_000),
    ]
    assert result.transcript.segments[0].words == WORDS
    assert result.gaps == ()


def test_its_language_is_the_most_frequent_one() -> None:
    finals = [final(1, "a", "de"), final(2, "b", "en"), final(3, "c", "en"), final(4, "d", None)]
    assert transcript_of(finals, 0).transcript.language == "en"
    assert transcript_of([final(1, "", "de")], 0).transcript.language is None


def test_languages_without_spaces_get_none() -> None:
    finals = [final(1, "今日", "ja"), final(2, "は", "ja"), final(3, "Yes.", "en")]
    assert transcript_of(finals, 0).transcript.text == "今日は Yes."


def test_what_could_not_be_recognised_is_a_gap() -> None:
    [gap] = transcript_of([final(1, "", error="poison_job"), final(2, "Bye.")], 0).gaps
    assert (gap.start_sample, gap.end_sample, gap.code) == (16_000, 24_000, "poison_job")


def test_each_utterance_is_a_line() -> None:
    assert lines_of([final(1, " Good day."), final(2, " "), final(3, "Bye. ")]) == (
        "Good day.\nBye.\n"
    )


SPLIT = replace(
    final(1, "Good day. Bye."),
    words=(Word(16_000, 19_000, " Good", 0.5), Word(20_000, 24_000, " Bye.", 0.5)),
    speaker=0,
    segments=(
        SpeakerSegment(16_000, 20_000, "Good day.", 0),
        SpeakerSegment(20_000, 24_000, "Bye.", 1),
    ),
)


def test_a_final_has_a_line_and_a_segment_for_each_speaker() -> None:
    assert lines_of([SPLIT]) == "Speaker 1: Good day.\nSpeaker 2: Bye.\n"
    transcript = transcript_of([SPLIT, final(2, "And?")], 0).transcript
    assert [segment.speaker for segment in transcript.segments] == [0, 1, None]
    assert [speaker.label for speaker in transcript.speakers] == ["Speaker 1", "Speaker 2"]
    assert [
        [(word.text, word.speaker) for word in segment.words or ()]
        for segment in transcript.segments[:2]
    ] == [[(" Good", 0)], [(" Bye.", 1)]]


def test_speakers_are_corrected_in_the_output(tmp_path: Path) -> None:
    target = tmp_path / "a.vtt"
    live_record = record(OutputFormat.VTT, target)
    live_record.add(final(1, "Good day."))
    assert "<v" not in target.read_text()
    segments = (SpeakerSegment(16_000, 24_000, "Good day.", 2),)
    live_record.revise(SpeakerRevision((FinalSpeakers(1, 2, segments), FinalSpeakers(7, 0, ()))))
    live_record.finish()
    assert "<v Speaker 3>Speaker 3: Good day." in target.read_text()
    known = (Speaker(2, "Ann"),)
    live_record.revise(SpeakerRevision((FinalSpeakers(1, 2, segments, known),)))
    live_record.finish()
    assert "<v Ann>Ann: Good day." in target.read_text()
    assert lines_of(live_record.finals) == "Ann: Good day.\n"


def test_a_file_is_whole_after_each_final(tmp_path: Path) -> None:
    target = tmp_path / "new" / "captions.srt"
    live_record = record(OutputFormat.SRT, target)
    assert live_record.add(final(1, "Good day.")) is None
    first = target.read_text()
    assert first == "1\n00:00:01,000 --> 00:00:02,000\nGood day.\n"
    assert live_record.add(final(2, "Bye.")) is None
    assert target.read_text().startswith(first)
    assert target.read_text().endswith("Bye.\n")


def test_text_in_a_file_has_the_lines_of_stdout(tmp_path: Path) -> None:
    live_record = record(OutputFormat.TEXT, tmp_path / "a.txt")
    for one in (final(1, "Good day."), final(2, "Bye.")):
        live_record.add(one)
    assert (tmp_path / "a.txt").read_text() == "Good day.\nBye.\n"
    assert not live_record.has_lines


def test_json_leaves_out_unknown_values(tmp_path: Path) -> None:
    live_record = record(OutputFormat.JSON, tmp_path / "a.json")
    live_record.add(final(1, "Good day."))
    document = json.loads((tmp_path / "a.json").read_text())
    assert set(document) == {"text", "language", "duration_ms", "segments", "error"}
    assert document["segments"][0]["words"][0]["word"] == " Good"


LOST = Gap(32_000, 540_800, "unreachable")
LINE = "[31.8 s missing: server unreachable]"


def test_lost_speech_is_a_gap_of_the_json_with_start_end_and_reason(tmp_path: Path) -> None:
    live_record = record(OutputFormat.JSON, tmp_path / "a.json")
    live_record.add(final(1, "Good day."))
    live_record.add(LOST)
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["text"] == "Good day."
    assert document["duration_ms"] == 33_800
    assert document["error"]["code"] == "unreachable"
    assert document["error"]["gaps"] == [
        {"start": 2.0, "end": 33.8, "code": "unreachable", "reason": "server unreachable"}
    ]


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        (OutputFormat.TEXT, f"Good day.\n{LINE}\nBye.\n"),
        (
            OutputFormat.SRT,
            "1\n00:00:01,000 --> 00:00:02,000\nGood day.\n\n"
            f"2\n00:00:02,000 --> 00:00:33,800\n{LINE}\n\n"
            "3\n00:00:40,000 --> 00:00:41,000\nBye.\n",
        ),
        (
            OutputFormat.VTT,
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nGood day.\n\n"
            f"00:00:02.000 --> 00:00:33.800\n{LINE}\n\n"
            "00:00:40.000 --> 00:00:41.000\nBye.\n",
        ),
    ],
)
def test_lost_speech_is_a_line_where_it_is_missing(
    tmp_path: Path, output_format: OutputFormat, expected: str
) -> None:
    live_record = record(output_format, tmp_path / "a")
    for news in (final(1, "Good day."), final(40, "Bye."), LOST):
        live_record.add(news)
    assert (tmp_path / "a").read_text() == expected


def test_lost_speech_alone_is_worth_a_file(tmp_path: Path) -> None:
    live_record = record(OutputFormat.TEXT, tmp_path / "a")
    assert live_record.is_empty
    live_record.add(LOST)
    assert not live_record.is_empty


def test_a_stream_without_words_gives_an_empty_file(tmp_path: Path) -> None:
    record(OutputFormat.VTT, tmp_path / "a.vtt").finish()
    assert (tmp_path / "a.vtt").read_text() == "WEBVTT\n"


def test_lines_on_stdout_are_not_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    live_record = record(OutputFormat.TEXT)
    assert live_record.has_lines
    live_record.add(final(1, "Good day."))
    live_record.finish()
    assert capsys.readouterr().out == ""


def test_other_formats_go_to_stdout_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    live_record = record(OutputFormat.VTT)
    live_record.add(final(1, "Good day."))
    assert capsys.readouterr().out == ""
    live_record.finish()
    assert capsys.readouterr().out.endswith("Good day.\n")


def test_what_a_file_has_no_room_for_is_not_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.txt"
    target.mkdir()
    (target / "in the way").touch()
    live_record = record(OutputFormat.TEXT, target)
    assert isinstance(live_record.add(final(1, "Good day.")), SetupError)
    assert isinstance(live_record.add(final(2, "Bye.")), SetupError)
    with pytest.raises(SetupError, match="can't be written"):
        live_record.finish()
    assert capsys.readouterr().out == "Good day.\nBye.\n"
