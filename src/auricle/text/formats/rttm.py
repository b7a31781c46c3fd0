"""Format speakers as RTTM, which tools for speaker diarization read.

One line for each stretch of one speaker (NIST, "The Rich Transcription 2009 Evaluation Plan",
appendix A): type, file, channel, start and duration in seconds, and the speaker.
"""

from collections.abc import Sequence

from auricle.values.types import SAMPLE_RATE_HZ, GiveWay, Segment, Speaker, do_nothing

MAX_PAUSE_SAMPLES = SAMPLE_RATE_HZ // 4
"""Segments of one speaker with a shorter pause between them are one stretch."""


def to_rttm(
    segments: Sequence[Segment],
    speakers: Sequence[Speaker],
    name: str,
    give_way: GiveWay = do_nothing,
) -> str:
    """Return the turns of a recording; segments without a speaker are omitted.

    Args:
        segments: The segments.
        speakers: Their speakers.
        name: Name of the recording; spaces, which separate fields, become underscores.
        give_way: Called for each segment.
    """
    labels = {speaker.number: _field(speaker.label) for speaker in speakers}
    file = _field(name)
    return "".join(
        f"SPEAKER {file} 1 {start / SAMPLE_RATE_HZ:.3f} {(end - start) / SAMPLE_RATE_HZ:.3f} "
        f"<NA> <NA> {labels[number]} <NA> <NA>\n"
        for start, end, number in _turns(segments, give_way)
        if number in labels
    )


def _turns(segments: Sequence[Segment], give_way: GiveWay) -> list[tuple[int, int, int]]:
    turns: list[tuple[int, int, int]] = []
    for segment in sorted(segments, key=lambda segment: segment.start_sample):
        give_way()
        start, end, number = segment.start_sample, segment.end_sample, segment.speaker
        if number is None or end <= start:
            continue
        if turns and turns[-1][2] == number and start - turns[-1][1] < MAX_PAUSE_SAMPLES:
            start, last_end, _ = turns.pop()
            end = max(end, last_end)
        turns.append((start, end, number))
    return turns


def _field(text: str) -> str:
    return "_".join(text.split()) or "-"
