"""Options of a transcription: keyword arguments of the clients, and their query. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

TaskName = Literal["transcribe", "translate"]


class TranscribeOptions(TypedDict, total=False):
    """Options of a transcription, as the HTTP API names them; all may be omitted or ``None``.

    Attributes:
        model: A model, as ``/v1/models`` lists it.
        language: A code such as ``en``; detected if omitted.
        languages: Languages that detection is restricted to.
        strict_language: Whether the text is never in another language than ``language``.
        task: ``translate``: to English.
        beam_size: 1 to 20; 1 is fastest.
        initial_prompt: Text that the model treats as preceding the audio.
        hotwords: Words to expect.
        vocabulary: Name of a vocabulary of the key; its default one if omitted.
        word_timestamps: Whether to return the times of words.
        speakers: Whether to label the speakers.
        num_speakers: Number of speakers, 1 to 16, if it is known.
        min_speakers: Lower limit of their number.
        max_speakers: Upper limit of their number.
        multichannel: Whether to transcribe each channel apart.
        condition_on_previous_text: Whether chunks get the preceding text as context.
        audio_format: Format of the audio; detected if omitted.
        sample_rate: Rate of ``pcm16``, in Hz.
        channels: Channels of ``pcm16``.
        opus_packet_bytes: Constant packet size of unframed ``opus``.
        max_wait_s: The server's deadline, in seconds.
        trace_id: A name that is logged and returned.
    """

    model: str | None
    language: str | None
    languages: Sequence[str] | None
    strict_language: bool | None
    task: TaskName | None
    beam_size: int | None
    initial_prompt: str | None
    hotwords: Sequence[str] | None
    vocabulary: str | None
    word_timestamps: bool | None
    speakers: bool | None
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    multichannel: bool | None
    condition_on_previous_text: bool | None
    audio_format: str | None
    sample_rate: int | None
    channels: int | None
    opus_packet_bytes: int | None
    max_wait_s: float | None
    trace_id: str | None


class JobOptions(TranscribeOptions, total=False):
    """Options of a background job.

    Attributes:
        job_id: ID of the job: the same ID with the same audio and options is the same job.
        file_name: Name of the recording, for lists of jobs.
        keep_audio_s: How long the server keeps the audio after the end, in seconds.
        callback_url: URL to which the server sends the job at its end.
        webhook_events: Types of further events that it gets, such as ``job.progress``.
    """

    job_id: str | None
    file_name: str | None
    keep_audio_s: float | None
    callback_url: str | None
    webhook_events: Sequence[str] | None


def query_of(options: TranscribeOptions, allowed: type[TranscribeOptions]) -> dict[str, str]:
    """Return the query for options.

    Raises:
        TypeError: There is no such option.
    """
    query = {}
    for name, value in options.items():
        if name not in allowed.__annotations__:
            raise TypeError(f"unknown option {name!r}; see {allowed.__name__}")
        if value is not None:
            query[name] = _text(value)
    return query


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return ",".join(map(str, value))
    return str(value)
