"""Format a transcript as Markdown (CommonMark): a title, a note, and paragraphs with their time.

The same output as ``web/page/recordings/markdown.ts``.
"""

import re
from collections.abc import Sequence

from auricle.text.formats.paragraphs import Paragraph, clock
from auricle.values.types import GiveWay, do_nothing

_MARKUP = re.compile(r"[\\`*_\[\]<>#~|]")
"""CommonMark reads these characters as markup wherever they stand."""


def to_markdown(
    title: str, note: str, paragraphs: Sequence[Paragraph], give_way: GiveWay = do_nothing
) -> str:
    """Return the document, with a newline at its end.

    Args:
        title: Its title.
        note: Date, duration and the like, below the title.
        paragraphs: The text.
        give_way: Called for each paragraph.
    """
    blocks = [f"# {_escaped(title)}", _escaped(note)]
    for each in paragraphs:
        blocks.append(_block(each))
        give_way()
    return "\n".join(f"{block}\n" for block in blocks)


def _block(paragraph: Paragraph) -> str:
    text = _escaped(paragraph.text)
    if paragraph.is_gap:
        return f"*{text}*"
    name = "" if paragraph.speaker is None else f" **{_escaped(paragraph.speaker)}:**"
    return f"`{clock(paragraph.start_sample)}`{name} {text}"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text)
