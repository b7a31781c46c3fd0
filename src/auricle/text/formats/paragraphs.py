"""Group segments and gaps into paragraphs, for documents that people read.

The rules are those of ``web/page/paragraphs.ts``, so that an export of the page and of the command
line look alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from auricle.text.formats.gaps import gap_line
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import SAMPLE_RATE_HZ, Gap, GiveWay, Segment, Speaker, do_nothing

PAUSE_SAMPLES = 2 * SAMPLE_RATE_HZ
"""A pause of this length starts a paragraph: longer than between sentences, shorter than between
topics."""
MAX_CHARACTERS = 480
"""A longer paragraph is hard to read; the next segment starts another."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text with its start.

    Attributes:
        start_sample: Start, in 16 kHz samples from the start of the audio.
        text: The text, or what describes a gap.
        speaker: Label of the speaker; ``None`` if unknown.
        is_gap: Whether it describes missing speech.
    """

    start_sample: int
    text: str
    speaker: str | None = None
    is_gap: bool = False


def paragraphs_of(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    speakers: Sequence[Speaker] = (),
    language: str | None = None,
    starts: Sequence[bool | None] = (),
    give_way: GiveWay = do_nothing,
) -> list[Paragraph]:
    """Return the paragraphs in order of time.

    One ends after a pause, at another speaker, at missing speech, and when it gets too long.
    ``starts`` overrules the pause and the length.

    Args:
        segments: The segments.
        gaps: Missing speech.
        speakers: Speakers of the segments; without them, paragraphs have none.
        language: Language of segments that don't name theirs.
        starts: For each segment whether a paragraph starts with it; ``None``: by the rules.
        give_way: Called for each segment.
    """
    labels = {speaker.number: speaker.label for speaker in speakers}
    spoken = zip_longest(segments, starts)
    parts: list[tuple[Segment | Gap, bool | None]] = [(gap, None) for gap in gaps]
    parts += [(part, start) for part, start in spoken if part.text.strip()]
    parts.sort(key=lambda part: part[0].start_sample)
    paragraphs: list[Gap | list[Segment]] = []
    characters = 0
    for part, start in parts:
        give_way()
        last = paragraphs[-1] if paragraphs else None
        if isinstance(part, Gap):
            paragraphs.append(part)
        elif isinstance(last, list) and _continues(last[-1], part, characters, start):
            last.append(part)
            characters += len(part.text)
        else:
            paragraphs.append([part])
            characters = len(part.text)
    return [
        Paragraph(each.start_sample, gap_line(each), is_gap=True)
        if isinstance(each, Gap)
        else _joined(each, labels, language)
        for each in paragraphs
    ]


def clock(sample: int) -> str:
    """Return a time in the audio as text: ``0:07``, ``1:02:03``."""
    minutes, seconds = divmod(max(sample, 0) // SAMPLE_RATE_HZ, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _continues(before: Segment, part: Segment, characters: int, start: bool | None) -> bool:
    if part.speaker != before.speaker:
        return False
    if start is not None:
        return not start
    return (
        characters + len(part.text) <= MAX_CHARACTERS
        and part.start_sample - before.end_sample < PAUSE_SAMPLES
    )


def _joined(segments: Sequence[Segment], labels: dict[int, str], language: str | None) -> Paragraph:
    first = segments[0]
    space = "" if (first.language or language) in SPACELESS_LANGUAGES else " "
    speaker = None if first.speaker is None else labels.get(first.speaker)
    return Paragraph(
        first.start_sample, space.join(part.text.strip() for part in segments), speaker
    )
