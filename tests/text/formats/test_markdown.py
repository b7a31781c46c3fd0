"""Markdown: the same document as the page's export."""

import pytest

from auricle.text.formats.markdown import to_markdown
from auricle.text.formats.paragraphs import Paragraph
from auricle.values.types import SAMPLE_RATE_HZ

pytestmark = pytest.mark.unit


def test_paragraphs_have_their_times_and_speakers_and_no_markup_of_the_text() -> None:
    # As in web/test/recordings/markdown.test.ts.
    paragraphs = [
        Paragraph(0, "One_1. Two.", "Speaker 1"),
        Paragraph(2 * SAMPLE_RATE_HZ, "Three.", "Speaker 2"),
        Paragraph(9 * SAMPLE_RATE_HZ, "[missing]", is_gap=True),
        Paragraph(11 * SAMPLE_RATE_HZ, "*Four*"),
    ]
    assert to_markdown("a_b.mp3", "0:11", paragraphs) == "\n".join(
        f"{block}\n"
        for block in (
            r"# a\_b.mp3",
            "0:11",
            r"`0:00` **Speaker 1:** One\_1. Two.",
            "`0:02` **Speaker 2:** Three.",
            r"*\[missing\]*",
            r"`0:11` \*Four\*",
        )
    )
