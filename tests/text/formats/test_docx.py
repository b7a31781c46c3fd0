"""Word documents: their parts, and what they say."""

import io
import zipfile
from xml.etree import ElementTree

import pytest

from auricle.text.formats.docx import to_docx
from auricle.text.formats.paragraphs import Paragraph
from auricle.values.types import SAMPLE_RATE_HZ
from tests.support.command import ROOT

pytestmark = pytest.mark.unit

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PARAGRAPHS = [
    Paragraph(7 * SAMPLE_RATE_HZ, "Good morning.", "Ann"),
    Paragraph(8 * SAMPLE_RATE_HZ, "Tea\tor coffee?", "Ann"),
    Paragraph(9 * SAMPLE_RATE_HZ, "[1.0 s missing]", is_gap=True),
]


def parts() -> dict[str, bytes]:
    file = to_docx('Talk <1> & "more"\0', "27 Nov · 3:07", PARAGRAPHS, "en")
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_document_has_five_parts_of_well_formed_xml_and_the_types_come_first() -> None:
    found = parts()
    assert list(found) == [
        "[Content_Types].xml",
        "_rels/.rels",
        "word/_rels/document.xml.rels",
        "word/styles.xml",
        "word/document.xml",
    ]
    for part in found.values():
        ElementTree.fromstring(part)


def test_it_has_the_text_with_times_and_a_speaker_where_the_speaker_changes() -> None:
    document = ElementTree.fromstring(parts()["word/document.xml"])
    texts = [element.text for element in document.iter(f"{WORD}t") if element.text]
    assert texts == [
        'Talk <1> & "more"',
        "27 Nov · 3:07",
        *("0:07", "Ann: ", "Good morning."),
        *("0:08", "Tea", "or coffee?"),
        *("0:09", "[1.0 s missing]"),
    ]
    assert len(list(document.iter(f"{WORD}i"))) == 1
    assert {element.get(f"{WORD}val") for element in document.iter(f"{WORD}lang")} == {"en"}


def test_it_is_styled_as_the_page_s_export() -> None:
    page = (ROOT / "web/page/recordings/docx.ts").read_text()
    of_page = "".join(line for line in page.split("const STYLES =")[1].split("'")[1::2])
    ours = parts()["word/styles.xml"].decode()
    # The page's first piece is a template, in backquotes.
    assert of_page in ours


def test_the_same_transcript_is_the_same_file() -> None:
    assert to_docx("a", "b", PARAGRAPHS, None) == to_docx("a", "b", PARAGRAPHS, None)
