"""Format segments as SubRip or WebVTT subtitles.

:mod:`.layout` splits sentences into cues and lines; each gap is a cue of the same length.
In both formats, a blank line ends the text of a cue and ``-->`` has a meaning, so neither may occur
in the text. WebVTT parses ``&`` and ``<`` as markup (W3C WebVTT, "cue text span"); SubRip has no
escapes.

A cue has one speaker. Where the speaker changes, and every half minute, the text begins with the
name and a colon. WebVTT also names the speaker of each cue with a voice span, which few players
show.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from auricle.text.formats.base import USUAL, CueBlock, SubtitleLimits
from auricle.text.formats.gaps import gap_line
from auricle.text.formats.subtitles.layout import Cue, Spoken, lay_out, settle
from auricle.values.types import SAMPLES_PER_MS, Gap, GiveWay, Segment, Speaker, do_nothing

VTT_START = "WEBVTT\n"

NAME_AGAIN_MS = 30_000
"""Time after which a speaker who continues is named again: viewers start to watch anywhere."""

_ARROW = re.compile("--+>")


def cues(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    limits: SubtitleLimits = USUAL,
    speakers: Sequence[Speaker] = (),
    *,
    give_way: GiveWay = do_nothing,
) -> Iterator[Cue]:
    """Yield the cues before they are written in a format; see :class:`.CueBlocks`."""
    missing = [
        Cue(_milliseconds(gap.start_sample), _milliseconds(gap.end_sample), gap_line(gap))
        for gap in gaps
    ]
    return settle(
        lay_out(_sentences(segments, speakers, give_way), limits, give_way), missing, give_way
    )


def _sentences(
    segments: Sequence[Segment], speakers: Sequence[Speaker], give_way: GiveWay
) -> Iterator[list[Spoken]]:
    """Yield the words of each segment, in order of the first words.

    Segments are accessed twice, so that the words of a long transcript need not be kept.
    """
    labels = {speaker.number: speaker.label for speaker in speakers}
    starts: list[tuple[int, int, int, str | None, bool]] = []
    for index, segment in enumerate(segments):
        give_way()
        first = next(_spoken(segment, labels))
        has_text = bool(segment.text.strip())
        starts.append((segment.start_sample, index, first.start_ms, first.speaker, has_text))
    starts.sort(key=itemgetter(0))
    order: list[tuple[int, int, bool]] = []
    said_last: str | None = None
    named_ms = 0
    for _, index, at_ms, label, has_text in starts:
        is_due = label != said_last or at_ms - named_ms >= NAME_AGAIN_MS
        is_named = label is not None and is_due and has_text
        if is_named:
            named_ms = at_ms
        said_last = label
        order.append((at_ms, index, is_named))
    order.sort(key=itemgetter(0))
    for at_ms, index, is_named in order:
        sentence = list(_spoken(segments[index], labels))
        label = sentence[0].speaker
        if is_named:
            sentence.insert(0, Spoken(at_ms, at_ms, f"{label}:", label))
            if not sentence[1].text[:1].isspace():
                sentence[1] = replace(sentence[1], text=f" {sentence[1].text}")
        yield sentence


def srt_blocks(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    limits: SubtitleLimits = USUAL,
    speakers: Sequence[Speaker] = (),
    give_way: GiveWay = do_nothing,
) -> Iterator[CueBlock]:
    """Yield the cues of SubRip, numbered from 1; see :class:`.CueBlocks`."""
    found = cues(segments, gaps, limits, speakers, give_way=give_way)
    for number, cue in enumerate(found, start=1):
        times = f"{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}"
        text = f"{number}\n{times}\n{_ARROW.sub('->', cue.text)}\n"
        yield CueBlock(cue.start_ms, cue.end_ms, text)


def vtt_blocks(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    limits: SubtitleLimits = USUAL,
    speakers: Sequence[Speaker] = (),
    give_way: GiveWay = do_nothing,
) -> Iterator[CueBlock]:
    """Yield the cues of WebVTT; see :class:`.CueBlocks`."""
    for cue in cues(segments, gaps, limits, speakers, give_way=give_way):
        times = f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}"
        text = f"{times}\n{_voice(cue.speaker)}{_escape(cue.text)}\n"
        yield CueBlock(cue.start_ms, cue.end_ms, text)


def _spoken(segment: Segment, labels: Mapping[int, str]) -> Iterator[Spoken]:
    """Yield the words of a segment if they cover its whole text; otherwise its text."""
    words = segment.words or ()
    if "".join(word.text for word in words).split() != segment.text.split():
        words = ()
    speaker = None if segment.speaker is None else labels.get(segment.speaker)
    for each in words or (segment,):
        start_ms = _milliseconds(each.start_sample)
        end_ms = max(start_ms, _milliseconds(each.end_sample))
        yield Spoken(start_ms, end_ms, each.text, speaker)


def _voice(speaker: str | None) -> str:
    """Return the start of a voice span; it ends with the cue (W3C WebVTT, "voice span")."""
    return "" if speaker is None else f"<v {_escape(speaker)}>"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _milliseconds(samples: int) -> int:
    """Round to the nearest millisecond, halves up."""
    return max(0, (samples + SAMPLES_PER_MS // 2) // SAMPLES_PER_MS)


def _clock(ms: int, point: str) -> str:
    """Return ``HH:MM:SS,mmm``; both formats allow more than two digits of hours."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
