"""The frozen values that cross the borders between rooms.

Media time is counted in 16 kHz samples everywhere; seconds appear only in settings and in JSON.
"""

import enum
from dataclasses import dataclass, field
from typing import Annotated, NewType

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
"""Whisper's sample rate, and so the rate of all audio inside Auricle."""

Pcm16 = Annotated[npt.NDArray[np.int16], "shape [samples]"]
"""Mono speech at 16 kHz, int16, shape [samples], read-only once shared."""

OpusPacket = NewType("OpusPacket", bytes)
"""One Opus packet (RFC 6716 §3), at least one byte."""

JobId = NewType("JobId", str)
ClientId = NewType("ClientId", str)
"""The name of the key that a request came with; queues are shared fairly between these."""

ANONYMOUS = ClientId("anonymous")


MAX_BEAM_SIZE = 20
"""Each beam costs as much as a whole decoder; beyond 10 nothing is gained."""


class Task(enum.StrEnum):
    """What is asked of the model."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class JobKind(enum.Enum):
    """How urgent a job is, most urgent first."""

    FINAL = "final"
    SPECULATIVE = "speculative"
    PARTIAL = "partial"
    FILE = "file"


DEFAULT_BEAM_SIZE = 5
"""Of files; live finals have 2 (docs/decisions/040)."""
LIVE_BEAM_SIZE = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What may change a job's text, apart from its audio.

    Attributes:
        language: A Whisper language code, or ``None`` to detect it.
        languages: Codes that detection is restricted to; empty: any language.
        task: Transcribe, or translate to English.
        beam_size: 1 is greedy.
        initial_prompt: Text that the model takes as having come before.
        hotwords: Words that the model should expect.
        word_timestamps: Whether segments carry words with their times.
        is_piece: Cut out of a recording, at most some 10 s long. Beams write its text without
            Whisper's timestamps; its segments are sentences with the times of their words.
        sentence_times: ``False`` skips the split of such a piece into sentences: less work if only
            the text counts, which is the same.
        prefix_tokens: The model's own tokens that the text is to begin with; a doubtful result
            drops them. For partials; a final has none.
        is_guess: Of unfinished speech: what is unlikely is not decoded again, only what loops is.
    """

    language: str | None = None
    task: Task = Task.TRANSCRIBE
    beam_size: int = DEFAULT_BEAM_SIZE
    initial_prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    word_timestamps: bool = False
    is_piece: bool = False
    sentence_times: bool = True
    prefix_tokens: tuple[int, ...] = ()
    is_guess: bool = False
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class Job:
    """One stretch of speech, at most 30 s, to be recognised.

    Attributes:
        id: Unique among the jobs in flight.
        pcm: int16, shape [samples], 16 kHz mono; made read-only here.
        options: What may change the text.
        kind: How urgent it is.
        client: Whose share of the queue it uses.
        utterance: What a crash is blamed on and what a newer partial replaces: session and
            utterance of live speech, the job's id otherwise.
        max_wait_s: The caller's deadline from submission to answer; ``None``: it waits.
        reservation: Room that was reserved for this job when its caller was admitted.
        trace_id: Goes into the logs beside the id.
    """

    id: JobId
    pcm: Pcm16
    options: Options = Options()
    kind: JobKind = JobKind.FINAL
    client: ClientId = ANONYMOUS
    utterance: str = ""
    max_wait_s: float | None = None
    reservation: str | None = None
    trace_id: str = ""

    def __post_init__(self) -> None:
        if self.pcm.dtype != np.int16 or self.pcm.ndim != 1 or not self.pcm.size:
            raise ValueError(f"pcm is {self.pcm.dtype} {self.pcm.shape}, not int16 [n > 0]")
        if not self.pcm.flags.c_contiguous:  # its bytes go to a worker as they lie in memory
            object.__setattr__(self, "pcm", np.ascontiguousarray(self.pcm))
        self.pcm.setflags(write=False)
        if not self.utterance:
            object.__setattr__(self, "utterance", self.id)

    @property
    def audio_s(self) -> float:
        """The audio's length in seconds: what queues and budgets are counted in."""
        return self.pcm.size / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Word:
    """One word; times are samples from the start of the audio it belongs to.

    ``tokens`` are the model's own, if the engine tells them: what a prefix is made of.
    """

    start_sample: int
    end_sample: int
    text: str
    probability: float
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of text; times are samples from the start of the audio it belongs to."""

    start_sample: int
    end_sample: int
    text: str
    words: tuple[Word, ...] | None = None
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 0.0
    temperature: float = 0.0
    language: str | None = None
    """Of the piece of a file that it is from; a job's is its transcript's."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one answer went, in milliseconds."""

    decode_ms: float = 0.0
    queue_ms: float = 0.0
    ipc_ms: float = 0.0
    asr_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the model heard in one job, or in one file."""

    text: str
    language: str | None
    language_probability: float
    duration_samples: int
    segments: tuple[Segment, ...] = ()
    timing: Timing = field(default_factory=Timing)
    attempts: int = 1

    @property
    def languages(self) -> tuple[str, ...]:
        """All that are spoken in it, the main one first."""
        found = [self.language, *(segment.language for segment in self.segments)]
        return tuple(dict.fromkeys(each for each in found if each is not None))


@dataclass(frozen=True, slots=True)
class Gap:
    """Speech that is missing from a transcript, and the code that says why."""

    start_sample: int
    end_sample: int
    code: str


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A stretch of a file that holds speech, cut at silences; at most 30 s.

    ``voiced`` is where in the file somebody speaks, as (start, end) in order; empty if unknown.
    """

    start_sample: int
    pcm: Pcm16
    voiced: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A file on our own disk that a decode worker is to read.

    Attributes:
        path: Where the bytes were spooled.
        audio_format: ``auto``, a container's name, ``opus`` (framed packets) or ``pcm16``.
        sample_rate_hz: Of ``pcm16``; ignored otherwise.
        opus_packet_bytes: Constant packet size of ``opus`` without framing; else ``None``.
    """

    path: str
    audio_format: str = "auto"
    sample_rate_hz: int = SAMPLE_RATE_HZ
    opus_packet_bytes: int | None = None
