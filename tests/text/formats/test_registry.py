"""Formats of subtitles are found by folders; a request for one that is missing is refused."""

from pathlib import Path

import pytest

import auricle.text.formats
from auricle.text.formats import registry
from auricle.text.formats.base import CueBlock, SubtitleFormat
from auricle.text.formats.registry import FORMATS, find_formats, format_of
from auricle.values.errors import UnsupportedOption

pytestmark = pytest.mark.unit


def test_formats_are_those_of_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert set(find_formats()) == set(FORMATS) == {"srt", "vtt"}
    monkeypatch.setattr(auricle.text.formats, "__path__", [str(tmp_path)])
    assert find_formats() == {}


def test_a_missing_format_is_refused_with_the_field_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert format_of("srt") is FORMATS["srt"]
    monkeypatch.setattr(registry, "FORMATS", {})
    with pytest.raises(UnsupportedOption, match="lacks the format srt") as refused:
        format_of("srt", "output")
    assert refused.value.field == "output"


def test_a_document_is_its_start_and_its_cues_with_blank_lines_between_them() -> None:
    cues = [CueBlock(0, 1, "one\n"), CueBlock(1, 2, "two\n")]
    assert SubtitleFormat(lambda *_: iter(cues)).document([]) == "one\n\ntwo\n"
    assert SubtitleFormat(lambda *_: iter(cues), "S\n").document([]) == "S\n\none\n\ntwo\n"
    assert SubtitleFormat(lambda *_: iter([])).document([]) == ""
