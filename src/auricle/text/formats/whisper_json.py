"""Segments in the JSON format of Whisper's programs, which several APIs return.

https://github.com/openai/whisper, ``transcribe()``. Values that the model does not provide are
omitted, never invented.
"""

from typing import Any

from auricle.values.types import SAMPLE_RATE_HZ, Segment

FRAMES_PER_SECOND = 100
"""Frames of OpenAI's models, the unit of ``seek``."""


def segment_fields(number: int, segment: Segment) -> dict[str, Any]:
    """Return a segment; its tokens are known only if words were requested."""
    return {
        "id": number,
        "seek": segment.start_sample * FRAMES_PER_SECOND // SAMPLE_RATE_HZ,
        "start": seconds(segment.start_sample),
        "end": seconds(segment.end_sample),
        "text": segment.text,
        "tokens": [token for word in segment.words or () for token in word.tokens],
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def seconds(samples: int) -> float:
    """Return a time in seconds, rounded to milliseconds."""
    return round(samples / SAMPLE_RATE_HZ, 3)
