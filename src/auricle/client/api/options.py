"""Options of a transcription: keyword arguments of the clients, and their query. No I/O."""

from collections.abc import Sequence
from typing import Literal, TypedDict

TaskName = Literal["transcribe", "translate"]


class TranscribeOptions(TypedDict, total=False):
    """Options of a transcription, as the HTTP API names them; all may be omitted.

    Attributes:
        model: A model, as ``/v1/models`` lists it.
        language: A code such as ``en``; detected if omitted.
        languages: Languages that detection is restricted to.
        task: ``translate``: to English.
        beam_size: 1 to 20; 1 is fastest.
        initial_prompt: Text that the model treats as preceding the audio.
        hotwords: Words to expect.
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

    model: str
    language: str
    languages: Sequence[str]
    task: TaskName
    beam_size: int
    initial_prompt: str
    hotwords: Sequence[str]
    word_timestamps: bool
    speakers: bool
    num_speakers: int
    min_speakers: int
    max_speakers: int
    multichannel: bool
    condition_on_previous_text: bool
    audio_format: str
    sample_rate: int
    channels: int
    opus_packet_bytes: int
    max_wait_s: float
    trace_id: str


class JobOptions(TranscribeOptions, total=False):
    """Options of a background job.

    Attributes:
        job_id: ID of the job: the same ID with the same audio and options is the same job.
        keep_audio_s: How long the server keeps the audio after the end, in seconds.
        callback_url: URL to which the server sends the job at its end.
    """

    job_id: str
    keep_audio_s: float
    callback_url: str


def query_of(options: TranscribeOptions, allowed: type[TranscribeOptions]) -> dict[str, str]:
    """Return the query for options.

    Raises:
        TypeError: There is no such option.
    """
    query = {}
    for name, value in options.items():
        if name not in allowed.__annotations__:
            raise TypeError(f"unknown option {name!r}; see {allowed.__name__}")
        query[name] = _text(value)
    return query


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ",".join(map(str, value))
    return str(value)
