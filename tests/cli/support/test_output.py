"""Output formats and files of transcripts."""

import io
import json
import os
import re
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.cli.support.output import (
    OutputFormat,
    check_stdout,
    check_supported,
    check_target,
    chosen_format,
    content,
    destinations,
    render,
    write,
)
from auricle.files.transcribe import FileTranscript
from auricle.text.formats import registry
from auricle.text.formats.base import SubtitleLimits
from auricle.values.errors import SetupError, UnsupportedOption
from auricle.values.types import Gap, Segment, Speaker, Transcript, Word
from tests.support.command import ROOT

pytestmark = pytest.mark.unit

HEARD = FileTranscript(
    Transcript(
        text="Grüße & Küsse.",
        language="de",
        language_probability=0.98765,
        duration_samples=40_000,
        segments=(
            Segment(800, 32_000, " Grüße & Küsse.", (Word(800, 16_000, " Grüße", 0.91239),)),
        ),
    ),
    gaps=(Gap(32_000, 40_000, "poison_job"),),
)


MISSING = "[0.5 s missing: not recognised (poison_job)]"


def test_text_is_the_text_and_one_line_end() -> None:
    assert render(FileTranscript(HEARD.transcript, ()), OutputFormat.TEXT) == "Grüße & Küsse.\n"


def test_missing_speech_is_a_line_in_each_format_for_readers() -> None:
    assert render(HEARD, OutputFormat.TEXT) == f"Grüße & Küsse.\n{MISSING}\n"
    for subtitles in (OutputFormat.SRT, OutputFormat.VTT):
        assert render(HEARD, subtitles).endswith(f"\n{MISSING}\n")


def test_json_has_the_servers_shape_and_keeps_letters_as_they_are() -> None:
    text = render(HEARD, OutputFormat.JSON)
    assert "Grüße" in text
    document = json.loads(text)
    assert "job_id" not in document
    assert document["duration_ms"] == 2500
    assert document["segments"] == [
        {
            "start": 0.05,
            "end": 2.0,
            "text": " Grüße & Küsse.",
            "language": None,
            "words": [{"start": 0.05, "end": 1.0, "word": " Grüße", "probability": 0.9124}],
        }
    ]
    [gap] = document["error"]["gaps"]
    assert (gap["start"], gap["end"], gap["code"]) == (2.0, 2.5, "poison_job")
    assert gap["reason"] == "not recognised (poison_job)"


def test_subtitles_come_from_the_segments() -> None:
    cue = "1\n00:00:00,050 --> 00:00:02,000\nGrüße & Küsse.\n"
    assert render(HEARD, OutputFormat.SRT).startswith(cue)
    assert render(HEARD, OutputFormat.VTT).startswith("WEBVTT\n\n00:00:00.050 --> 00:00:02.000\n")


def test_speakers_are_in_every_format_and_rttm_has_nothing_else() -> None:
    said = replace(
        HEARD.transcript,
        segments=(replace(HEARD.transcript.segments[0], speaker=0),),
        speakers=(Speaker(0),),
    )
    labelled = replace(HEARD, transcript=said)
    assert render(labelled, OutputFormat.TEXT).startswith("Speaker 1: Grüße & Küsse.\n")
    assert "Speaker 1: Grüße" in render(labelled, OutputFormat.SRT)
    assert "<v Speaker 1>Speaker 1: Grüße" in render(labelled, OutputFormat.VTT)
    assert json.loads(render(labelled, OutputFormat.JSON))["segments"][0]["speaker"] == 0
    assert render(labelled, OutputFormat.RTTM, name="a") == (
        "SPEAKER a 1 0.050 1.950 <NA> <NA> Speaker_1 <NA> <NA>\n"
    )


def test_documents_have_a_title_and_paragraphs() -> None:
    assert render(HEARD, OutputFormat.MARKDOWN, name="a talk") == (
        "# a talk\n\n0:02\n\n`0:00` Grüße & Küsse.\n\n"
        "*\\[0.5 s missing: not recognised (poison\\_job)\\]*\n"
    )
    word = content(HEARD, OutputFormat.DOCX, name="a talk")
    assert isinstance(word, bytes)
    with zipfile.ZipFile(io.BytesIO(word)) as archive:
        document = archive.read("word/document.xml").decode()
    assert all(text in document for text in ("a talk", "Grüße &amp; Küsse.", MISSING))
    with pytest.raises(ValueError, match="not text"):
        render(HEARD, OutputFormat.DOCX)
    with pytest.raises(SetupError, match=r"-o FILE\.docx"):
        check_stdout(OutputFormat.DOCX)


def test_the_formats_are_those_of_the_page_and_rttm() -> None:
    page = (ROOT / "web/page/export-menu.ts").read_text()
    of_page = re.search(r"const FORMATS = \[(.*)\] as const", page)
    assert of_page
    ours = {each.suffix.removeprefix(".") for each in OutputFormat}
    assert ours == {name.strip(" '") for name in of_page[1].split(",")} | {"rttm"}


@pytest.mark.parametrize(
    ("output", "format"),
    [
        ("talk.srt", OutputFormat.SRT),
        ("talk.TXT", OutputFormat.TEXT),
        ("talk.md", OutputFormat.MARKDOWN),
        ("talk.docx", OutputFormat.DOCX),
        ("talk.mp3", OutputFormat.TEXT),
        ("talks", OutputFormat.TEXT),
        (None, OutputFormat.TEXT),
    ],
)
def test_the_suffix_of_the_output_is_its_format(output: str | None, format: OutputFormat) -> None:
    assert chosen_format(None, output) is format
    assert chosen_format(OutputFormat.JSON, output) is OutputFormat.JSON


def test_a_folder_that_is_not_there_is_an_error_before_any_work(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "x.srt"
    with pytest.raises(SetupError, match=f"there is no folder {tmp_path}/missing"):
        destinations([Path("a.wav")], str(target), OutputFormat.SRT)
    with pytest.raises(SetupError, match="there is no folder"):
        check_target(None, target)
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="there is no folder"):
        destinations([Path("a.wav"), Path("b.wav")], f"{tmp_path}/file/out", OutputFormat.SRT)
    assert not target.parent.exists()


def test_subtitles_are_as_wide_as_asked() -> None:
    narrow = render(HEARD, OutputFormat.SRT, limits=SubtitleLimits(12, 1))
    assert narrow.startswith("1\n00:00:00,050 --> ")
    cues = [block.split("\n", 2)[2].strip() for block in narrow.split("\n\n")]
    assert cues[:2] == ["Grüße &", "Küsse."]


def test_without_an_output_everything_goes_to_stdout() -> None:
    files = [Path("a.wav"), Path("b.wav")]
    assert destinations(files, None, OutputFormat.TEXT) == [None, None]
    assert destinations(files[:1], None, OutputFormat.SRT) == [None]


@pytest.mark.parametrize("output_format", [OutputFormat.SRT, OutputFormat.VTT])
def test_subtitles_of_several_files_are_not_mixed_on_stdout(output_format: OutputFormat) -> None:
    with pytest.raises(SetupError, match="-o FOLDER"):
        destinations([Path("a.wav"), Path("b.wav")], None, output_format)


def test_one_file_goes_into_the_file_that_is_named(tmp_path: Path) -> None:
    assert destinations([Path("a.wav")], f"{tmp_path}/x.srt", OutputFormat.SRT) == [
        tmp_path / "x.srt"
    ]


def test_one_file_goes_into_a_folder_that_is_named(tmp_path: Path) -> None:
    assert destinations([Path("a.wav")], str(tmp_path), OutputFormat.SRT) == [tmp_path / "a.srt"]
    new = destinations([Path("a.wav")], f"{tmp_path}/new/", OutputFormat.TEXT)
    assert new == [tmp_path / "new" / "a.txt"]


def test_several_files_get_a_file_each_in_the_folder(tmp_path: Path) -> None:
    files = [Path("x/a.wav"), Path("y/b.mp3")]
    expected = [tmp_path / "out" / "a.txt", tmp_path / "out" / "b.txt"]
    assert destinations(files, f"{tmp_path}/out", OutputFormat.TEXT) == expected


def test_files_that_differ_in_their_ending_keep_it(tmp_path: Path) -> None:
    files = [Path("a.wav"), Path("a.mp3"), Path("b.wav")]
    expected = [tmp_path / name for name in ("a.wav.vtt", "a.mp3.vtt", "b.vtt")]
    assert destinations(files, str(tmp_path), OutputFormat.VTT) == expected


def test_two_files_of_one_name_are_not_put_into_one_folder(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="same name"):
        destinations([Path("x/a.wav"), Path("y/a.wav")], str(tmp_path), OutputFormat.TEXT)


def test_several_files_are_not_put_into_one_file(tmp_path: Path) -> None:
    target = tmp_path / "there.txt"
    target.write_text("kept")
    with pytest.raises(SetupError, match="need a folder"):
        destinations([Path("a.wav"), Path("b.wav")], str(target), OutputFormat.TEXT)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"speech")
    with pytest.raises(SetupError, match="is the recording itself"):
        destinations([recording], str(recording), OutputFormat.TEXT)


def test_writing_makes_the_folder_and_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    write("one\n", target)
    write("two\n", target)
    assert target.read_text(encoding="utf-8") == "two\n"
    assert os.listdir(target.parent) == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_transcript_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write("text", tmp_path / "ours")
    usual, ours = ((tmp_path / name).stat().st_mode for name in ("usual", "ours"))
    assert stat.S_IMODE(ours) == stat.S_IMODE(usual)


def test_a_place_that_cant_be_written_is_reported_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"a\.txt can't be written"):
        write("text", tmp_path / "file" / "a.txt")


def test_subtitles_are_refused_before_the_work_without_their_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for each in OutputFormat:
        check_supported(each)
    monkeypatch.setattr(registry, "FORMATS", {})
    for each in (OutputFormat.SRT, OutputFormat.VTT):
        with pytest.raises(UnsupportedOption, match=f"lacks the format {each}"):
            check_supported(each)
    check_supported(OutputFormat.DOCX)
