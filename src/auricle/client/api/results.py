"""What the API returns: immutable values with the names of its JSON documents.

Times in audio are seconds (``_s``) or milliseconds (``_ms``) from its start; ``_at`` are Unix
seconds. Fields that a later server adds are ignored.
"""

from typing import Literal

import msgspec

from auricle.client.api.failures import Problem, error_of
from auricle.values.errors import RequestError

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
SubtitleFormat = Literal["srt", "vtt"]


class SpokenWord(
    msgspec.Struct, frozen=True, rename={"start_s": "start", "end_s": "end", "text": "word"}
):
    """A word with its times.

    Attributes:
        start_s: Its start.
        end_s: Its end.
        text: The word, with a leading space where the language has one.
        probability: From 0 to 1.
        speaker: Number of the speaker, from 0; ``None`` if unknown or not requested.
        speaker_confidence: From 0 to 1; ``None`` as ``speaker``.
    """

    start_s: float
    end_s: float
    text: str
    probability: float
    speaker: int | None = None
    speaker_confidence: float | None = None


class TranscriptSegment(msgspec.Struct, frozen=True, rename={"start_s": "start", "end_s": "end"}):
    """A sentence, or a part of one between pauses.

    Attributes:
        start_s: Start of its first word.
        end_s: End of its last word.
        text: Its text.
        language: Its language, as a code of Whisper.
        words: Its words, if ``word_timestamps`` was set.
        speaker: Number of the speaker, from 0; ``None`` if unknown or not requested.
        channel: The channel, from 0; ``None`` unless ``multichannel`` was set.
        original: The text before a vocabulary corrected it; ``None`` if it did not.
    """

    start_s: float
    end_s: float
    text: str
    language: str | None = None
    words: tuple[SpokenWord, ...] | None = None
    speaker: int | None = None
    channel: int | None = None
    original: str | None = None


class NamedSpeaker(msgspec.Struct, frozen=True, rename={"number": "speaker"}):
    """A speaker: the number, from 0, and the name, if it is known."""

    number: int
    name: str | None = None


class MissingPart(msgspec.Struct, frozen=True, rename={"start_s": "start", "end_s": "end"}):
    """A part of a recording that could not be transcribed, and why."""

    start_s: float
    end_s: float
    code: str
    reason: str = ""
    channel: int | None = None


class _Gaps(Problem, frozen=True):
    gaps: tuple[MissingPart, ...] = ()


class Transcript(msgspec.Struct, frozen=True, rename={"problem": "error"}):
    """The transcript of a recording.

    Attributes:
        text: The whole text; empty if there is no speech.
        segments: Its sentences.
        language: The language with the most speech; ``None`` if there is no speech.
        language_probability: From 0 to 1; 1 if the language was requested.
        duration_ms: Length of the audio.
        model: Name of the model that was used.
        speakers: The speakers, if they were requested.
        warnings: Sentences on options without an effect and on doubtful text.
        attempts: Above 1 if a worker died during the work.
        problem: Error that explains ``gaps``.
        job_id: ID of the job or request.
        trace_id: The caller's trace ID, or ``job_id``.
    """

    text: str
    segments: tuple[TranscriptSegment, ...]
    language: str | None
    language_probability: float
    duration_ms: int
    model: str = ""
    speakers: tuple[NamedSpeaker, ...] = ()
    warnings: tuple[str, ...] = ()
    attempts: int = 1
    problem: _Gaps | None = None
    job_id: str = ""
    trace_id: str = ""

    @property
    def gaps(self) -> tuple[MissingPart, ...]:
        """The parts of the recording that could not be transcribed; usually none."""
        return () if self.problem is None else self.problem.gaps

    def to_subtitles(self, format: SubtitleFormat = "srt") -> str:
        """Return the transcript as SubRip (``srt``) or WebVTT (``vtt``).

        Set ``word_timestamps`` when transcribing, so that long sentences are split at the right
        times.

        Raises:
            UnsupportedOption: This installation lacks the format.
        """
        from auricle.text.formats.native_json import parse_transcript  # loads NumPy
        from auricle.text.formats.registry import format_of

        transcript, gaps = parse_transcript(msgspec.to_builtins(self))
        subtitles = format_of(format)
        return subtitles.document(transcript.segments, gaps, speakers=transcript.speakers)


class Webhook(msgspec.Struct, frozen=True):
    """The delivery of a job to its receiver; ``next_attempt`` is in Unix seconds."""

    state: Literal["waiting", "pending", "delivered", "refused", "failed"]
    attempts: int
    last_status: int | None = None
    next_attempt: float | None = None


class Job(msgspec.Struct, frozen=True, rename={"id": "job_id", "problem": "error"}):
    """A background job of the server.

    Attributes:
        id: Its ID.
        state: Its state.
        progress: From 0 to 1.
        text: The text so far.
        result: The transcript, once the state is ``done``; see :attr:`transcript`.
        problem: Why it failed.
        starts_in_s: Estimated time until a queued job starts; ``None`` if unknown.
        trace_id: The caller's trace ID, or ``id``.
        transcript_id: ID of the transcript that the server keeps of a job that is done, if it does.
        webhook: The delivery to its ``callback_url``, if it has one.
    """

    id: str
    state: JobState
    progress: float
    text: str = ""
    result: Transcript | None = None
    problem: Problem | None = None
    starts_in_s: float | None = None
    trace_id: str = ""
    transcript_id: str | None = None
    webhook: Webhook | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state not in ("queued", "running")

    @property
    def transcript(self) -> Transcript:
        """The transcript.

        Raises:
            AuricleError: The job failed, was cancelled, or has not ended.
        """
        if self.result is not None:
            return self.result
        if self.problem is not None:
            raise error_of(self.problem)
        raise RequestError(f"Job {self.id} has no transcript: it is {self.state}.")


class JobSummary(msgspec.Struct, frozen=True, rename={"id": "job_id"}):
    """A job in a list, without its text; times are Unix seconds.

    ``file_name`` is the caller's name of the recording, ``duration_ms`` its length once the job is
    done.
    """

    id: str
    trace_id: str
    state: JobState
    progress: float
    accepted_at: float
    finished_at: float | None
    audio_bytes: int
    file_name: str = ""
    duration_ms: int | None = None


class TranscriptSummary(msgspec.Struct, frozen=True):
    """A kept transcript in a list.

    Attributes:
        id: Its ID.
        source: The API that the session used; ``job`` for background jobs.
        language: The language of its first final; empty if there is none.
        started_at: Its start.
        ended_at: Its last final.
    """

    id: str
    source: str
    language: str
    started_at: float
    ended_at: float


class KeptWord(msgspec.Struct, frozen=True, rename={"text": "word"}):
    """A word of a kept transcript, with the space before it."""

    start_ms: int
    end_ms: int
    text: str


class KeptSegment(msgspec.Struct, frozen=True):
    """A segment of a kept transcript; ``speaker`` is a number from 0, if it is known.

    ``words`` is ``None`` unless their times were requested, and in a search.
    """

    id: int
    start_ms: int
    end_ms: int
    text: str
    speaker: int | None = None
    words: tuple[KeptWord, ...] | None = None


class KeptTranscript(TranscriptSummary, frozen=True):
    """A kept transcript with its text; ``speakers`` is empty if they are unknown."""

    text: str
    segments: tuple[KeptSegment, ...]
    speakers: tuple[NamedSpeaker, ...] = ()


class Match(msgspec.Struct, frozen=True):
    """A segment that a search found, and its transcript."""

    transcript: TranscriptSummary
    segment: KeptSegment


class LiveSession(msgspec.Struct, frozen=True):
    """A live session: ``source`` is the speaker's API, ``readers`` the number of its readers."""

    id: str
    source: str
    started_at: float
    readers: int
    request_id: str = ""


class Token(msgspec.Struct, frozen=True, rename={"text": "token"}):
    """A token that replaces a key for a while."""

    text: str
    expires_in_s: int
