"""The speech before an utterance, which it is decoded together with.

The model continues the sentence: case, punctuation and words are as in the whole. The words of the
context are then removed by their times. Unlike a text that is given to the model, the context is
audio only, so a final remains a function of the audio and does not depend on other finals.
"""

from dataclasses import dataclass, replace

import numpy as np

from auricle.values.types import NO_AUDIO, SAMPLE_RATE_HZ, Options, Pcm16, Segment, Transcript

MAX_DECODED_S = 12.0
"""Maximum length of an utterance and its context together; the context is cut at its start."""
MIN_CONTEXT_SAMPLES = SAMPLE_RATE_HZ // 2
"""Less audio holds no context worth decoding."""
OWN_END_SAMPLES = SAMPLE_RATE_HZ * 35 // 100
"""A word that ends later than this after the start of the utterance is its own, wherever it begins:
the pre-roll has 0.3 s. A pause is aligned with the word before it, which then ends with the pause,
or with the word after it: " ask" was aligned with -0.90 to 0.70 s."""


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class DecodingContext:
    """Audio that ends where the utterance starts."""

    pcm: Pcm16

    @property
    def samples(self) -> int:
        """Its length; 0 if there is no context."""
        return self.pcm.size

    def fitted(self, utterance_samples: int, max_audio_s: float) -> "DecodingContext":
        """Return what of the context is decoded together with an utterance of this length.

        Args:
            utterance_samples: Length of the utterance.
            max_audio_s: Maximum length of the engine's jobs, in seconds.
        """
        max_samples = int(min(max_audio_s, MAX_DECODED_S) * SAMPLE_RATE_HZ) - utterance_samples
        if min(max_samples, self.samples) < MIN_CONTEXT_SAMPLES:
            return NO_CONTEXT
        return DecodingContext(self.pcm[-max_samples:])

    def job_input(self, pcm: Pcm16, options: Options) -> tuple[Pcm16, Options]:
        """Return the audio and the options of a job for the utterance with this audio."""
        if not self.samples:
            return pcm, options
        return np.concatenate([self.pcm, pcm]), replace(options, word_timestamps=True)

    def removed_from(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a job without the words of the context.

        A word belongs to the utterance if its middle does, or if it ends after the pre-roll. Times
        count from the start of the utterance.
        """
        segments = [own for each in transcript.segments if (own := self._own(each)) is not None]
        text = "".join(segment.text for segment in segments).strip()
        duration_samples = transcript.duration_samples - self.samples
        return replace(
            transcript, text=text, segments=tuple(segments), duration_samples=duration_samples
        )

    def _own(self, segment: Segment) -> Segment | None:
        words = tuple(
            replace(
                word,
                start_sample=max(0, word.start_sample - self.samples),
                end_sample=word.end_sample - self.samples,
            )
            for word in segment.words or ()
            if word.start_sample + word.end_sample >= 2 * self.samples
            or word.end_sample >= self.samples + OWN_END_SAMPLES
        )
        if not words:
            return None
        text = "".join(word.text for word in words)
        return replace(
            segment,
            start_sample=words[0].start_sample,
            end_sample=words[-1].end_sample,
            text=text,
            words=words,
        )


NO_CONTEXT = DecodingContext(NO_AUDIO)
