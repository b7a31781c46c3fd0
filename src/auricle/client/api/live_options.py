"""Parameters of a live stream: keyword arguments of the clients. No I/O."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import msgspec

from auricle.client.api.options import TaskName
from auricle.values.commands import StreamParameters
from auricle.values.errors import BadRequest


class LiveOptions(TypedDict, total=False):
    """Parameters of a live stream, as the protocol names them; all may be omitted or ``None``.

    Attributes:
        model: A model, as ``/v1/models`` lists it.
        language: A code such as ``en``; detected for each utterance if omitted.
        languages: Languages that detection is restricted to.
        strict_language: Whether the text is never in another language than ``language``.
        task: ``translate``: to English.
        prompt: Text that the model treats as preceding the speech.
        hotwords: Words to expect.
        vocabulary: Name of a vocabulary of the key; its default one if omitted.
        partials: Whether partials are sent.
        endpoint_ms: Silence that ends an utterance.
        word_timestamps: Whether finals have the times of words.
        speakers: Whether finals say who speaks.
        num_speakers: Number of speakers, 1 to 16, if it is known.
        min_speakers: Lower limit of their number.
        max_speakers: Upper limit of their number.
        turn_detection: Whether utterances end where the speaker sounds finished.
        turn_threshold: Probability from which one ends early.
        turn_eager_threshold: The same for an ``EagerFinal``.
        turn_limit_ms: Silence that ends an utterance in any case.
        redact: What is hidden in all events.
        max_lag_s: Maximum delay of finals, 1 to 60 s; speech whose final would come later is
            dropped, oldest first, and reported with the error ``too_late``.
        format: ``opus``, or ``pcm16`` at 256 kbit/s.
    """

    model: str | None
    language: str | None
    languages: Sequence[str] | None
    strict_language: bool | None
    task: TaskName | None
    prompt: str | None
    hotwords: Sequence[str] | None
    vocabulary: str | None
    partials: bool | None
    endpoint_ms: int | None
    word_timestamps: bool | None
    speakers: bool | None
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    turn_detection: bool | None
    turn_threshold: float | None
    turn_eager_threshold: float | None
    turn_limit_ms: int | None
    redact: Sequence[str] | None
    max_lag_s: float | None
    format: Literal["opus", "pcm16"] | None


def stream_parameters(options: LiveOptions) -> StreamParameters:
    """Return the parameters of a stream.

    Raises:
        BadRequest: A value has the wrong type or is out of range.
        TypeError: There is no such parameter.
    """
    for name in options:
        if name not in LiveOptions.__annotations__:
            raise TypeError(f"unknown parameter {name!r}; see LiveOptions")
    try:
        given = {name: value for name, value in options.items() if value is not None}
        return msgspec.convert(given, StreamParameters)
    except msgspec.ValidationError as exc:
        raise BadRequest(f"Invalid stream parameters: {exc}") from exc
