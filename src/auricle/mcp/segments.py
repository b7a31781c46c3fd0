"""Pages of segments, whose size is limited. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from auricle.client.api.results import NamedSpeaker
from auricle.values.types import Speaker

T = TypeVar("T")

MAX_PAGE_CHARACTERS = 20_000
"""Text of a page: half an hour of speech; more would fill the context of a small model."""
MAX_PAGE_SEGMENTS = 300
MAX_SEGMENT_CHARACTERS = 8000
"""Text of one segment, which is a sentence, or half a minute of live speech; the rest is cut."""
MAX_NAMES = 100


def names_of(speakers: Sequence[NamedSpeaker]) -> dict[int, str]:
    """Return the names of speakers by their numbers."""
    named = ((each.number, each.name) for each in speakers if each.name)
    return dict(islice(named, MAX_NAMES))


def segment_of(
    start_s: float, end_s: float, text: str, speaker: int | None, names: Mapping[int, str]
) -> dict[str, Any]:
    """Return a segment for a model; its speaker is a name, or ``Speaker 1`` for number 0."""
    found: dict[str, Any] = {"start_s": round(start_s, 2), "end_s": round(end_s, 2)}
    if speaker is not None:
        found["speaker"] = Speaker(speaker, names.get(speaker)).label
    found["text"] = shortened(text.strip(), MAX_SEGMENT_CHARACTERS)
    return found


def page_of(
    segments: Sequence[T], first: int, build: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """Return the segments that fit a page, and where the next page starts.

    Args:
        segments: All segments.
        first: Index of the first one of the page.
        build: Returns a segment as :func:`segment_of` does; called for those of the page only.
    """
    page: list[dict[str, Any]] = []
    characters = 0
    for segment in segments[first : first + MAX_PAGE_SEGMENTS]:
        built = build(segment)
        characters += len(built["text"])
        if characters > MAX_PAGE_CHARACTERS and page:
            break
        page.append(built)
    end = first + len(page)
    return {
        "segments": page,
        "total_segments": len(segments),
        "next": end if end < len(segments) else None,
    }


def fits_page(segments: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether segments of :func:`segment_of` fit one page."""
    characters = sum(len(each["text"]) for each in segments)
    return len(segments) <= MAX_PAGE_SEGMENTS and characters <= MAX_PAGE_CHARACTERS


def shortened(text: str, max_characters: int) -> str:
    """Return a text of limited length, which ends with ``…`` if it was cut."""
    return text if len(text) <= max_characters else f"{text[:max_characters]}…"
