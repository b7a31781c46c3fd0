"""Text of recordings can't leave its marks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.mcp.untrusted import BEGIN, END, NOTE, marked

pytestmark = pytest.mark.unit


@given(text=st.text() | st.from_regex(r"(</?recording-data>|\n){1,3}"))
def test_any_text_is_between_the_marks_and_is_read_back(text: str) -> None:
    note, begin, data, end = marked({"text": text}).split("\n")
    assert (note, begin, end) == (NOTE, BEGIN, END)
    assert "<" not in data
    assert json.loads(data) == {"text": text}
    assert data.replace("\u200c", "").replace("\u200d", "").isprintable()


def test_text_of_all_scripts_stays_readable() -> None:
    words = "报告 отчёт تقرير דוח रिपोर्ट รายงาน 보고서 می\u200cخواهم"
    assert words in marked({"text": words})


@pytest.mark.parametrize(
    "character",
    [
        *("\u034f", "\u115f", "\u1160", "\u17b4", "\u180b", "\u180f", "\u2800", "\u3164"),
        *("\ufe00", "\ufe0f", "\uffa0", "\U000e0041", "\U000e0100", "\U000e01ef", "\u200b"),
    ],
)
def test_characters_that_nobody_sees_are_escaped(character: str) -> None:
    data = marked({"text": f"a{character}b"}).split("\n")[2]
    assert character not in data
    assert json.loads(data) == {"text": f"a{character}b"}
