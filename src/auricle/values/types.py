"""Immutable values that packages exchange.

Media time is measured in 16 kHz samples; seconds appear only in settings and in JSON.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, NewType

import numpy as np
import numpy.typing as npt

from auricle.values.errors import BadRequest

SAMPLE_RATE_HZ = 16_000
"""The rate of all decoded audio in Auricle."""
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
SAMPLE_BYTES = 2

MAX_JOB_S = 30
MAX_JOB_SAMPLES = MAX_JOB_S * SAMPLE_RATE_HZ
"""Maximum audio of a job, for every engine: it bounds the size of messages, the time for which a
job occupies a worker, and the delay of a final. An engine may set less (``max_audio_s``)."""

MAX_TURN_SAMPLES = 8 * SAMPLE_RATE_HZ
"""Audio by which the end of a turn is judged: the input of Smart Turn."""

Pcm16 = Annotated[npt.NDArray[np.int16], "shape [samples]"]
"""Mono speech at 16 kHz, int16, shape [samples], read-only once shared."""
NO_AUDIO: Pcm16 = np.zeros(0, np.int16)
NO_AUDIO.setflags(write=False)

OpusPacket = NewType("OpusPacket", bytes)
"""One Opus packet (RFC 6716 §3), at least one byte."""

JobId = NewType("JobId", str)
ClientId = NewType("ClientId", str)
"""The name of a request's key; queues are shared fairly between clients."""

ANONYMOUS = ClientId("anonymous")
RESERVED_CLIENTS = frozenset({ANONYMOUS})
"""Clients without a key; a key of such a name would share their transcripts and limits."""


GiveWay = Callable[[], None]
"""Called between small parts of long work, to run others meanwhile; it raises to end the work."""


def do_nothing() -> None:
    """Give way to no other work."""


MAX_BEAM_SIZE = 20
"""Decoding time grows with each beam; more than 10 do not improve the text."""


MAX_SPEAKERS = 16
"""Maximum number of speakers in one recording; an estimate beyond that is not reliable."""


DEFAULT_TURN_THRESHOLD = 0.5
MIN_TURN_LIMIT_MS, MAX_TURN_LIMIT_MS, DEFAULT_TURN_LIMIT_MS = 500, 60_000, 3000
"""Silence that ends a turn that does not sound finished. An utterance has at most 25 s, so that
longer silence has no effect."""


class Task(enum.StrEnum):
    """The model's task."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Redact(enum.StrEnum):
    """What to hide in a transcript; docs/reference/protocol.md has the rules."""

    PCI = "pci"
    SSN = "ssn"
    PHONE = "phone"
    EMAIL = "email"
    NUMBERS = "numbers"


class JobKind(enum.Enum):
    """The kind of a job, most urgent first."""

    FINAL = "final"
    SPECULATIVE = "speculative"
    PARTIAL = "partial"
    FILE = "file"


DEFAULT_BEAM_SIZE = 5
"""For files; live finals use ``LIVE_BEAM_SIZE`` (docs/decisions/040)."""
LIVE_BEAM_SIZE = 2


@dataclass(frozen=True, slots=True)
class Options:
    """All inputs besides the audio that may change a job's text.

    Attributes:
        language: A language code, or ``None`` to detect it.
        languages: Codes to which detection is restricted; empty: any language.
        task: Transcribe, or translate to English.
        beam_size: Number of beams; 1 is greedy decoding.
        initial_prompt: Text that the model treats as preceding the audio.
        hotwords: Words that the model should expect.
        word_timestamps: Whether segments contain words with their times.
        is_chunk: Whether the audio is a chunk of a recording, at most about 10 s long; its segments
            are sentences with the times of their words.
        sentence_times: Whether to split a chunk's text into sentences; ``False`` saves time and
            returns the same text.
        prefix_tokens: The model's tokens with which the text must begin; an improbable result
            drops them. For partials; a final has none.
        is_partial: Whether the audio is unfinished speech: only repetitive text is decoded again,
            improbable text is not.
        model: Name of a model of the server's table; empty: the default model.
        strict_language: Whether to transcribe in the requested language only, even if the speech is
            in another one.
    """

    language: str | None = None
    task: Task = Task.TRANSCRIBE
    beam_size: int = DEFAULT_BEAM_SIZE
    initial_prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    word_timestamps: bool = False
    is_chunk: bool = False
    sentence_times: bool = True
    prefix_tokens: tuple[int, ...] = ()
    is_partial: bool = False
    languages: tuple[str, ...] = ()
    model: str = ""
    strict_language: bool = False


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """A request for speakers, with what the caller knows about their number.

    Attributes:
        num_speakers: The number of speakers; ``None`` to estimate it.
        min_speakers: Lower limit of the estimate.
        max_speakers: Upper limit of the estimate.

    Raises:
        BadRequest: A number is not from 1 to ``MAX_SPEAKERS``, or they contradict each other; the
            error names the parameter.
    """

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            number = getattr(self, name)
            if number is not None and not 1 <= number <= MAX_SPEAKERS:
                raise BadRequest(f"{name} must be from 1 to {MAX_SPEAKERS}.", name)
        low, high = self.min_speakers or 1, self.max_speakers or MAX_SPEAKERS
        if low > high:
            raise BadRequest("min_speakers is larger than max_speakers.", "min_speakers")
        if self.num_speakers is not None and not low <= self.num_speakers <= high:
            raise BadRequest(
                "num_speakers is not from min_speakers to max_speakers.", "num_speakers"
            )


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """A request to end utterances where the speaker sounds finished.

    Attributes:
        threshold: Probability of a finished turn, 0 to 1, from which an utterance ends before
            ``limit_ms``; at 1, only the limit ends it.
        eager_threshold: Probability from which an ``EagerFinal`` precedes the end; ``None``: none.
        limit_ms: Silence that ends an utterance in any case.

    Raises:
        BadRequest: A value is out of range; the error names the parameter.
    """

    threshold: float = DEFAULT_TURN_THRESHOLD
    eager_threshold: float | None = None
    limit_ms: int = DEFAULT_TURN_LIMIT_MS

    def __post_init__(self) -> None:
        for name in ("threshold", "eager_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BadRequest(f"turn_{name} must be from 0 to 1.", f"turn_{name}")
        if not MIN_TURN_LIMIT_MS <= self.limit_ms <= MAX_TURN_LIMIT_MS:
            raise BadRequest(
                f"turn_limit_ms must be from {MIN_TURN_LIMIT_MS} to {MAX_TURN_LIMIT_MS}.",
                "turn_limit_ms",
            )


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker of a transcript.

    Attributes:
        number: 0, 1, … by first appearance.
        name: The name of a speaker that a reference recording identified; ``None`` if unknown.
    """

    number: int
    name: str | None = None

    @property
    def label(self) -> str:
        """The speaker as people read it: the name, or ``Speaker 1`` for number 0."""
        return self.name or f"Speaker {self.number + 1}"

    @classmethod
    def of(cls, number: int, named: "Iterable[Speaker]") -> "Speaker":
        """Return the speaker of a number, with a name if it is one of those with names."""
        return next((each for each in named if each.number == number), cls(number))


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class Job:
    """Speech to recognise, at most ``MAX_JOB_S``.

    Attributes:
        id: Unique among the jobs in flight.
        pcm: int16, shape [samples], 16 kHz mono; set to read-only.
        options: Decoding options.
        kind: How urgent it is.
        client: The client whose share of the queue it uses.
        utterance: Identifies the audio that crashes are counted for and that a newer partial
            replaces: session and utterance of live speech, else the job's id.
        max_wait_s: Deadline in seconds from submission to result; ``None``: no deadline.
        max_start_s: Deadline in seconds from submission to the start on a worker; ``None``: none.
        reservation: The queue room reserved for this job at admission.
        admitted_upstream: Whether the gateway that sent the job has already admitted it.
        trace_id: Logged with the id.
    """

    id: JobId
    pcm: Pcm16
    options: Options = Options()
    kind: JobKind = JobKind.FINAL
    client: ClientId = ANONYMOUS
    utterance: str = ""
    max_wait_s: float | None = None
    max_start_s: float | None = None
    reservation: str | None = None
    admitted_upstream: bool = False
    trace_id: str = ""

    def __post_init__(self) -> None:
        if self.pcm.dtype != np.int16 or self.pcm.ndim != 1 or not self.pcm.size:
            raise ValueError(f"pcm is {self.pcm.dtype} {self.pcm.shape}, not int16 [n > 0]")
        if not self.pcm.flags.c_contiguous:  # its buffer is sent to a worker unchanged
            object.__setattr__(self, "pcm", np.ascontiguousarray(self.pcm))
        self.pcm.setflags(write=False)
        if not self.utterance:
            object.__setattr__(self, "utterance", self.id)

    @property
    def audio_s(self) -> float:
        """The audio's length in seconds, the unit of queues and budgets."""
        return self.pcm.size / SAMPLE_RATE_HZ

    @property
    def is_admitted(self) -> bool:
        """Whether room was reserved for it, so that it is accepted while no worker is ready."""
        return self.admitted_upstream or self.reservation is not None


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class TurnJob:
    """Speech that may be the end of a turn.

    Attributes:
        id: Unique among the jobs in flight.
        pcm: int16, shape [samples], 16 kHz mono: the utterance and the silence after it, at most
            its last ``MAX_TURN_SAMPLES``; set to read-only.
        max_wait_s: Deadline in seconds from submission to result.
    """

    id: JobId
    pcm: Pcm16
    max_wait_s: float

    def __post_init__(self) -> None:
        size = self.pcm.size
        if self.pcm.dtype != np.int16 or self.pcm.ndim != 1 or not 0 < size <= MAX_TURN_SAMPLES:
            raise ValueError(f"pcm is {self.pcm.dtype} {self.pcm.shape}, not int16 [n > 0]")
        if not self.pcm.flags.c_contiguous:  # its buffer is sent to a worker unchanged
            object.__setattr__(self, "pcm", np.ascontiguousarray(self.pcm))
        self.pcm.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class EmbedJob:
    """Speech whose speakers are compared.

    Attributes:
        id: Unique among the jobs in flight.
        pcm: int16, shape [samples], 16 kHz mono; set to read-only.
        stretches: The parts to embed, (start, end) in samples of ``pcm``; at least one.
        client: The client whose crashes are counted.
        max_wait_s: Deadline in seconds from submission to result; ``None``: no deadline.
        is_live: Whether somebody waits for the label of live speech; files wait behind it.
    """

    id: JobId
    pcm: Pcm16
    stretches: tuple[tuple[int, int], ...]
    client: ClientId = ANONYMOUS
    max_wait_s: float | None = None
    is_live: bool = False

    def __post_init__(self) -> None:
        if self.pcm.dtype != np.int16 or self.pcm.ndim != 1 or not self.pcm.size:
            raise ValueError(f"pcm is {self.pcm.dtype} {self.pcm.shape}, not int16 [n > 0]")
        if not self.stretches:
            raise ValueError("no stretches")
        if any(not 0 <= start < end <= self.pcm.size for start, end in self.stretches):
            raise ValueError("a stretch is outside the audio")
        if not self.pcm.flags.c_contiguous:  # its buffer is sent to a worker unchanged
            object.__setattr__(self, "pcm", np.ascontiguousarray(self.pcm))
        self.pcm.setflags(write=False)

    @property
    def audio_s(self) -> float:
        """Length of the stretches together, in seconds."""
        return sum(end - start for start, end in self.stretches) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerEmbeddings:
    """The voices in the stretches of an :class:`EmbedJob`.

    Attributes:
        stretches: The stretches of the job, in its order.
        vectors: float32, shape [stretches, dimensions], each of unit length; read-only. CAM++ has
            192 dimensions.
    """

    stretches: tuple[tuple[int, int], ...]
    vectors: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        count, vectors = len(self.stretches), self.vectors
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != count:
            raise ValueError(f"vectors are {vectors.dtype} {vectors.shape}, not float32 [{count}]")
        self.vectors.setflags(write=False)


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """A request for queue room before the audio arrives.

    Attributes:
        client: The client whose share of the queue is used.
        audio_s: Maximum audio queued under the reservation at once, in seconds.
        max_wait_s: Maximum wait in the queue, in seconds; ``None``: no deadline.
        standing: Keep the reservation until it is released, for a live session, which is admitted
            elsewhere: it occupies no room, and its jobs always fit. Otherwise the first job uses
            the reservation up.
        model: Name of the model that the jobs will use; empty: the default model.
    """

    client: ClientId
    audio_s: float
    max_wait_s: float | None = None
    standing: bool = False
    model: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """One word; times are samples from the start of its audio.

    ``tokens`` are the model's tokens, if the engine returns them; prefixes are built from them.
    ``speaker`` is a number of the transcript's speakers and ``speaker_confidence`` is from 0 to 1;
    both are ``None`` if speakers were not requested or the speaker is unknown.
    """

    start_sample: int
    end_sample: int
    text: str
    probability: float
    tokens: tuple[int, ...] = ()
    speaker: int | None = None
    speaker_confidence: float | None = None

    def shifted(self, by_samples: int) -> "Word":
        """Return the word with its times moved."""
        start, end = self.start_sample + by_samples, self.end_sample + by_samples
        return replace(self, start_sample=start, end_sample=end)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of text; times are samples from the start of its audio."""

    start_sample: int
    end_sample: int
    text: str
    words: tuple[Word, ...] | None = None
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 0.0
    temperature: float = 0.0
    language: str | None = None
    """The language of the file's chunk; ``None`` for a job, whose transcript has it."""
    speaker: int | None = None
    """Number of the speaker; ``None`` if unknown, or if speakers were not requested."""
    channel: int | None = None
    """The channel, from 0; ``None`` if channels were not transcribed apart."""
    original: str | None = None
    """The text before it was corrected; ``None`` if it was not."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Time spent on one result by stage, in milliseconds."""

    decode_ms: float = 0.0
    queue_ms: float = 0.0
    ipc_ms: float = 0.0
    asr_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of one job or file."""

    text: str
    language: str | None
    language_probability: float
    duration_samples: int
    segments: tuple[Segment, ...] = ()
    timing: Timing = field(default_factory=Timing)
    attempts: int = 1
    speakers: tuple[Speaker, ...] = ()
    """All speakers in order of their numbers; empty if they were not requested or found."""

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages in the transcript, the main one first."""
        found = [self.language, *(segment.language for segment in self.segments)]
        return tuple(dict.fromkeys(each for each in found if each is not None))


@dataclass(frozen=True, slots=True)
class Gap:
    """Speech that is missing from a transcript, and the error code that says why."""

    start_sample: int
    end_sample: int
    code: str
    channel: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A part of a file with speech, cut at silences; at most ``MAX_JOB_S``.

    ``voiced`` holds the (start, end) samples of speech in the file, in order; empty if unknown.
    """

    start_sample: int
    pcm: Pcm16
    voiced: tuple[tuple[int, int], ...] = ()


class FrameCodec(enum.StrEnum):
    """Codecs of live audio whose frames a worker decodes."""

    MP3 = "mp3"
    AAC = "aac"
    FLAC = "flac"


@dataclass(frozen=True, slots=True)
class CompressedFrame:
    """One frame of compressed audio.

    Attributes:
        data: The frame with its header.
        samples: Its duration in samples at 16 kHz, as its header states it.
    """

    data: bytes
    samples: int


@dataclass(frozen=True, slots=True)
class Source:
    """A local file for a decode worker to read.

    Attributes:
        path: Path of the spooled bytes.
        audio_format: ``auto``, a container's name, ``opus`` (framed packets) or ``pcm16``.
        sample_rate_hz: Sample rate of ``pcm16``; ignored otherwise.
        opus_packet_bytes: Constant packet size of ``opus`` without framing; else ``None``.
        channels: Channels of ``pcm16``, interleaved; ignored otherwise.
        channel: The only channel to read, from 0; ``None``: all of them, mixed.
    """

    path: str
    audio_format: str = "auto"
    sample_rate_hz: int = SAMPLE_RATE_HZ
    opus_packet_bytes: int | None = None
    channels: int = 1
    channel: int | None = None
