"""Format a transcript as a Word document (Office Open XML, ECMA-376).

Five small parts in a ZIP file are all that Word, LibreOffice and Google Docs need; see
docs/decisions/112. The same content as ``web/page/recordings/docx.ts``.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence

from auricle.text.formats.paragraphs import Paragraph, clock
from auricle.values.types import GiveWay, do_nothing

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_SCHEMAS = "http://schemas.openxmlformats.org"
_WORD = f'xmlns:w="{_SCHEMAS}/wordprocessingml/2006/main"'
_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
MEDIA_TYPE = f"{_TYPE}.document"

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0, section 2.2: characters that no document may have."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of each part, ZIP's earliest: the same transcript is the same file."""

_CONTENT_TYPES = (
    f'<Types xmlns="{_SCHEMAS}/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_TYPE}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>'
)
# Sizes are half points, distances twentieths of a point; A4 with margins of 2.5 cm.
_PAGE = (
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1418" w:right="1418" '
    'w:bottom="1418" w:left="1418" w:header="709" w:footer="709" w:gutter="0"/></w:sectPr>'
)
_STYLES = (
    f'<w:styles {_WORD}><w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/></w:rPr>'
    '</w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="276" '
    'w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>'
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
    '<w:pPr><w:tabs><w:tab w:val="left" w:pos="964"/></w:tabs>'
    '<w:ind w:left="964" w:hanging="964"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:pPr>'
    '<w:spacing w:after="60"/><w:ind w:left="0" w:firstLine="0"/></w:pPr>'
    '<w:rPr><w:b/><w:sz w:val="36"/></w:rPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="Subtitle"><w:name w:val="Subtitle"/><w:pPr>'
    '<w:spacing w:after="360"/><w:ind w:left="0" w:firstLine="0"/></w:pPr>'
    '<w:rPr><w:color w:val="595F69"/></w:rPr></w:style>'
    '<w:style w:type="character" w:styleId="Time"><w:name w:val="Time"/>'
    '<w:rPr><w:color w:val="595F69"/><w:sz w:val="18"/></w:rPr></w:style></w:styles>'
)


def to_docx(
    title: str,
    note: str,
    paragraphs: Sequence[Paragraph],
    language: str | None,
    give_way: GiveWay = do_nothing,
) -> bytes:
    """Return the file.

    Args:
        title: Its title.
        note: Date, duration and the like, below the title.
        paragraphs: The text.
        language: Language code of the text, for the spelling checker.
        give_way: Called for each paragraph.
    """
    body = [
        f"<w:document {_WORD}><w:body>",
        _block("Title", _run(title)),
        _block("Subtitle", _run(note)),
    ]
    for block in _blocks(paragraphs, language):
        body.append(block)
        give_way()
    body.append(f"{_PAGE}</w:body></w:document>")
    parts = {
        "[Content_Types].xml": _CONTENT_TYPES,
        "_rels/.rels": _relation("officeDocument", "word/document.xml"),
        "word/_rels/document.xml.rels": _relation("styles", "styles.xml"),
        "word/styles.xml": _STYLES,
        "word/document.xml": "".join(body),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            archive.writestr(info, (_XML + part).encode(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _relation(kind: str, target: str) -> str:
    office = f"{_SCHEMAS}/officeDocument/2006/relationships"
    relation = f'<Relationship Id="r1" Type="{office}/{kind}" Target="{target}"/>'
    package = f"{_SCHEMAS}/package/2006/relationships"
    return f'<Relationships xmlns="{package}">{relation}</Relationships>'


def _blocks(paragraphs: Sequence[Paragraph], language: str | None) -> Iterator[str]:
    spelling = "" if language is None else f'<w:lang w:val="{_escaped(language)}"/>'
    before: str | None = None
    for each in paragraphs:
        runs = [_run(f"{clock(each.start_sample)}\t", '<w:rStyle w:val="Time"/>')]
        if each.is_gap:
            runs.append(_run(each.text, f"<w:i/>{spelling}"))
        else:
            if each.speaker is not None and each.speaker != before:
                runs.append(_run(f"{each.speaker}: ", "<w:b/>"))
            before = each.speaker
            runs.append(_run(each.text, spelling))
        yield _block(None, *runs)


def _block(style: str | None, *runs: str) -> str:
    properties = "" if style is None else f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>'
    return f"<w:p>{properties}{''.join(runs)}</w:p>"


def _run(text: str, properties: str = "") -> str:
    parts = (f'<w:t xml:space="preserve">{_escaped(part)}</w:t>' for part in text.split("\t"))
    return f"<w:r><w:rPr>{properties}</w:rPr>{'<w:tab/>'.join(parts)}</w:r>"


def _escaped(text: str) -> str:
    text = _FORBIDDEN.sub("", text).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace(">", "&gt;").replace('"', "&quot;")
