"""Transcripts of files, with words at consecutive samples."""

from auricle.values.types import Segment, Transcript, Word


def segment(
    start: int, text: str, *, has_words: bool = True, language: str | None = None
) -> Segment:
    """Return a segment whose words last one sample each."""
    words = tuple(
        Word(start + at, start + at + 1, f" {word}", 0.9) for at, word in enumerate(text.split())
    )
    return Segment(
        start, start + len(words), f" {text}", words if has_words else None, language=language
    )


def transcript(*segments: Segment, language: str = "en") -> Transcript:
    """Return the transcript that segments make up."""
    text = " ".join(each.text.strip() for each in segments)
    return Transcript(text, language, 1.0, 1000, segments)
