"""The decoding state of one job: its text so far, and where the next window starts.

A window is at most 30 s, and so is a job, but the model may stop in the middle of a window. The
rest is then a separate window, in its own length class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from auricle.engines.log_mel import SAMPLES_PER_FRAME, Features
from auricle.engines.whisper.alignment import AlignedSpan
from auricle.engines.whisper.guard import Attempt
from auricle.engines.whisper.segmentation import Split, TokenSpan
from auricle.engines.whisper.window import FRAMES_PER_SECOND, FULL_FRAMES, padded, silence_of
from auricle.values.types import SAMPLE_RATE_HZ, Job, Segment, Transcript, Word

MIN_REST_FRAMES = 30
"""Audio that the model leaves at the end of a job is dropped below 0.3 s: no word fits in it."""


@dataclass(slots=True)
class JobDecoding:
    """A job, its spectrogram and its text so far.

    Frames and seconds count from the start of the spectrogram, which begins with ``lead_frames`` of
    silence before the job's first sample; segments count from that sample.
    """

    job: Job
    features: Features
    language: str | None
    lead_frames: int = 0
    language_probability: float = 1.0
    is_language_checked: bool = False
    """Whether the requested language was compared with the audio."""
    spoken: tuple[str, float] | None = None
    """The language to decode in instead of the requested one, with its probability."""
    seek_frames: int = 0
    last_speech_s: float = 0.0
    segments: list[Segment] = field(default_factory=list)
    silence: float = field(init=False)

    def __post_init__(self) -> None:
        self.silence = silence_of(self.features)

    @property
    def is_done(self) -> bool:
        """Whether the whole job is decoded."""
        rest = self.features.shape[1] - self.seek_frames
        return rest <= 0 or (self.seek_frames > 0 and rest < MIN_REST_FRAMES)

    def window(self, frames: int) -> Features:
        """Return the spectrogram of the next window, padded to ``frames``."""
        content = self.features[:, self.seek_frames : self.seek_frames + self.content_frames]
        return padded(content, frames, self.silence)

    @property
    def text_language(self) -> str | None:
        """The language of the text; ``None`` while it is not detected."""
        return self.language if self.spoken is None else self.spoken[0]

    @property
    def content_frames(self) -> int:
        """Number of frames in the next window, without padding."""
        return min(int(self.features.shape[1]) - self.seek_frames, FULL_FRAMES)

    @property
    def seek_s(self) -> float:
        """Start of the next window, in seconds of the job."""
        return self.seek_frames / FRAMES_PER_SECOND

    def skip(self) -> None:
        """Skip this window: it has no speech."""
        self.seek_frames += self.content_frames

    def skip_all(self) -> None:
        """Skip the rest of the job: it has no speech."""
        self.seek_frames = int(self.features.shape[1])

    def accept(
        self,
        attempt: Attempt,
        split: Split,
        texts: Sequence[str],
        words: Sequence[AlignedSpan] | None,
    ) -> None:
        """Add the window's segments and move to the end of the consumed frames.

        Args:
            attempt: The accepted decoding.
            split: Its segments.
            texts: Their texts.
            words: Their words, if the job needs words.
        """
        offset = self.seek_frames * SAMPLES_PER_FRAME
        consumed = split.consumed_frames
        for i, (span, text) in enumerate(zip(split.spans, texts, strict=True)):
            aligned = words[i] if words is not None else None
            source = aligned or span
            has_length = source.start_sample < source.end_sample
            if text.strip() and (has_length or self.job.options.is_chunk):
                self.segments.append(self._segment(source, text, offset, attempt))
        if words and any(span.words for span in words):
            end_sample = max(span.end_sample for span in words if span.words)
            self.last_speech_s = (offset + end_sample) / SAMPLE_RATE_HZ
            if not split.is_whole and end_sample > 0:  # word times are better than timestamps
                consumed = max(end_sample // SAMPLES_PER_FRAME, 1)
        self.seek_frames += consumed

    def _segment(
        self, source: TokenSpan | AlignedSpan, text: str, offset: int, attempt: Attempt
    ) -> Segment:
        words = None
        if isinstance(source, AlignedSpan) and self.job.options.word_timestamps:
            words = tuple(self._moved(word, offset) for word in source.words)
        return Segment(
            start_sample=self._within(offset + source.start_sample),
            end_sample=self._within(offset + source.end_sample),
            text=text,
            words=words,
            avg_logprob=attempt.avg_logprob,
            no_speech_prob=attempt.no_speech_prob,
            compression_ratio=attempt.compression_ratio,
            temperature=attempt.temperature,
        )

    def _moved(self, word: Word, offset: int) -> Word:
        return replace(
            word,
            start_sample=self._within(offset + word.start_sample),
            end_sample=self._within(offset + word.end_sample),
        )

    def _within(self, sample: int) -> int:
        """Limit a time to the audio: a padded window may give times before and after it."""
        return min(max(sample - self.lead_frames * SAMPLES_PER_FRAME, 0), self.job.pcm.size)

    def transcript(self) -> Transcript:
        """Return the job's transcript, in the language that is spoken if it has text."""
        language, probability = self.language, self.language_probability
        if self.spoken is not None and self.segments:
            language, probability = self.spoken
        return Transcript(
            text="".join(segment.text for segment in self.segments).strip(),
            language=language,
            language_probability=probability,
            duration_samples=self.job.pcm.size,
            segments=tuple(self.segments),
        )
