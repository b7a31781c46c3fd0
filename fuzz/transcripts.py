"""Transcripts as an input describes them, and what must hold of subtitles made of them."""

from collections.abc import Mapping, Sequence

from auricle.values.types import Segment, Transcript, Word


def transcript_of(fields: Mapping[str, Sequence[str]]) -> Transcript:
    """Return a transcript as the fields ``text``, ``pieces`` (words or none) and ``starts`` say."""
    texts = fields.get("text", [])[:20] or ["Hello"]
    starts = [
        int(s) for s in fields.get("starts", []) if s.isascii() and s.isdigit() and len(s) < 9
    ]
    segments = []
    for number, text in enumerate(texts):
        start = starts[number] if number < len(starts) else number * 16_000
        end = start + 8000
        words = None
        if fields.get("pieces"):
            words = tuple(Word(start, end, word, 0.5, (1, 2)) for word in text.split())
        segments.append(Segment(start, end, text, words, -0.2, 0.1, 1.5, 0.0))
    return Transcript(
        "".join(texts).strip(),
        fields["language"][0] if fields.get("language") else None,
        0.5,
        480_000,
        tuple(segments),
    )


def count_cues(text: str) -> int:
    """Return the number of cues in SubRip or WebVTT; no text may make one."""
    times = sum(" --> " in line for line in text.split("\n"))
    blocks = [block for block in text.split("\n\n") if " --> " in block]
    assert times == len(blocks), "a text makes cues"
    return times
