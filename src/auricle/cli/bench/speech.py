"""What each stream of a level plays: the shipped clip from another sentence on. No I/O."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from auricle.cli.support.speech_clip import PACKET_S, SpeechClip
from auricle.protocol.framing import LENGTH, SEQ

PERIOD_S = 4.4
"""Streams start within this time of each other: the mean length of a sentence with its pause, so
that the ends of sentences are spread evenly."""


@dataclass(frozen=True, slots=True)
class StreamSpeech:
    """What one stream plays.

    Attributes:
        messages: One framed and numbered packet of ``PACKET_S`` each.
        ends_s: Where the sound of each sentence ends that counts, in seconds of the stream.
        delay_s: When the stream starts, from the start of the level.
    """

    messages: tuple[bytes, ...]
    ends_s: tuple[float, ...]
    delay_s: float


def stream_speech(
    clip: SpeechClip, stream: int, streams: int, counted_s: float, more_s: float
) -> StreamSpeech:
    """Return what a stream plays.

    Args:
        clip: The clip, which is played in a loop.
        stream: Number of the stream, from 0.
        streams: Number of all streams.
        counted_s: Sentences count that end before this time.
        more_s: The stream lasts longer by this time, so that the load stays while results arrive.
    """
    first = round(_starts_s(clip)[stream % len(clip.sentences)] / PACKET_S)
    count = round((counted_s + more_s) / PACKET_S)
    loop = itertools.islice(itertools.cycle(clip.packets), first, first + count)
    messages = tuple(
        LENGTH.pack(len(packet)) + packet + SEQ.pack(number) for number, packet in enumerate(loop)
    )
    ends_s = itertools.takewhile(lambda end_s: end_s < counted_s, _ends_s(clip, first * PACKET_S))
    return StreamSpeech(messages, tuple(ends_s), PERIOD_S * stream / streams)


def _starts_s(clip: SpeechClip) -> list[float]:
    """Return where the silence before each sentence begins, at the border of a packet."""
    before_s = [0.0, *(sentence.end_s for sentence in clip.sentences[:-1])]
    return [round((at_s + TAIL_S) / PACKET_S) * PACKET_S if at_s else 0.0 for at_s in before_s]


TAIL_S = 0.1
"""Sound below the threshold of a sentence's end."""


def _ends_s(clip: SpeechClip, start_s: float) -> Iterator[float]:
    for turn in itertools.count():
        for sentence in clip.sentences:
            end_s = turn * clip.seconds + sentence.end_s - start_s
            if end_s > 0:
                yield end_s
