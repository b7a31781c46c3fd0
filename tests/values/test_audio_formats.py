"""The table of audio formats, and what the documents say of it."""

import re
from pathlib import Path

import pytest

from auricle.values.audio_formats import CONTAINERS, FORMAT_OPTIONS, AudioFormat, Container

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "http-api.md").read_text(encoding="utf-8")


def code(names: tuple[str, ...]) -> str:
    return " ".join(f"`{name}`" for name in names)


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=lambda each: each.title)
def test_the_reference_lists_each_container(container: Container) -> None:
    cells = (container.title, *map(code, (container.suffixes, container.media_types)))
    assert f"| {' | '.join(cells)} | {code(container.codecs)} |\n" in PAGE


def test_the_reference_lists_each_option() -> None:
    row = re.search(r"^\| `audio_format` \| (.*?) \|", PAGE, re.MULTILINE)
    assert row
    assert set(re.findall(r"`(\w+)`", row.group(1))) == set(FORMAT_OPTIONS)


def test_no_suffix_belongs_to_two_containers() -> None:
    suffixes = [suffix for each in CONTAINERS.values() for suffix in each.suffixes]
    assert len(suffixes) == len(set(suffixes))


def test_every_detected_format_is_a_container_except_packets() -> None:
    assert set(AudioFormat) - set(CONTAINERS) == {AudioFormat.OPUS, AudioFormat.UNKNOWN}


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "m4a", "mp4", "ogg", "webm"])
def test_the_page_for_openai_names_formats_that_exist(suffix: str) -> None:
    page = (DOCS / "clients" / "openai-api.md").read_text(encoding="utf-8")
    row = re.search(r"^\| `file` \| (.*?), detected", page, re.MULTILINE)
    assert row
    assert suffix in re.findall(r"\w+", row.group(1))
    assert any(f".{suffix}" in each.suffixes for each in CONTAINERS.values())
