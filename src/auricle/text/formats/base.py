"""What a format of subtitles is: it writes segments and gaps as cues with times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from auricle.values.types import Gap, GiveWay, Segment, Speaker, do_nothing

MAX_CUE_MS = 7000
"""Maximum duration of a cue of speech."""

MIN_LINE_WIDTH, MAX_LINE_WIDTH = 12, 200
MAX_LINES = 10


@dataclass(frozen=True, slots=True)
class SubtitleLimits:
    """Maximum size of a cue; callers must validate values from outside."""

    max_line_width: int = 42
    max_lines: int = 2


USUAL = SubtitleLimits()
"""The defaults that are common in the industry."""


@dataclass(frozen=True, slots=True)
class CueBlock:
    """A cue as a document contains it; in a document, a blank line follows."""

    start_ms: int
    end_ms: int
    text: str


class CueBlocks(Protocol):
    """Yields the cues of all segments with text and one cue for each gap, in order of time."""

    def __call__(
        self,
        segments: Sequence[Segment],
        gaps: Sequence[Gap] = (),
        limits: SubtitleLimits = USUAL,
        speakers: Sequence[Speaker] = (),
        give_way: GiveWay = do_nothing,
    ) -> Iterator[CueBlock]:
        """Yield the cues.

        Args:
            segments: The segments.
            gaps: The gaps.
            limits: Maximum size of a cue.
            speakers: The speakers of the segments; without them, cues have none.
            give_way: Called for each word and cue, as a server must not be busy with them for
                seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class SubtitleFormat:
    """A format of subtitles.

    The constant ``SPEC`` of the module ``spec`` in a folder has its formats by their names.

    Attributes:
        blocks: Yields the cues.
        start: The beginning of a document, if the format has one; a blank line follows.
    """

    blocks: CueBlocks
    start: str | None = None

    def document(
        self,
        segments: Sequence[Segment],
        gaps: Sequence[Gap] = (),
        limits: SubtitleLimits = USUAL,
        speakers: Sequence[Speaker] = (),
        give_way: GiveWay = do_nothing,
    ) -> str:
        """Return a document; arguments are those of :class:`CueBlocks`."""
        texts = [block.text for block in self.blocks(segments, gaps, limits, speakers, give_way)]
        return "\n".join(texts if self.start is None else [self.start, *texts])
