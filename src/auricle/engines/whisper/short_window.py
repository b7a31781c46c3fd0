"""Whisper without the 30 s window, in batches: the default engine.

Each window of audio is padded to its own length class (:mod:`auricle.engines.whisper.window`) and
decoded together with others of its class. A doubtful result (:mod:`auricle.engines.whisper.guard`)
is decoded again in the full window. If that is doubtful too, it is sampled, alone and a limited
number of times. Brief text that is merely improbable is decoded again in the next longer window. A
job's text depends on its audio and options only, not on the rest of the batch.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from auricle.engines.base import EngineSettings
from auricle.engines.plausibility import is_quiet
from auricle.engines.whisper.alignment import AlignedSpan, align_spans, timed_words
from auricle.engines.whisper.ctranslate2_model import Encoded, Hypothesis, WhisperBackend, likeliest
from auricle.engines.whisper.decoding import JobDecoding
from auricle.engines.whisper.guard import (
    DOUBTFUL,
    Attempt,
    GuardPolicy,
    Verdict,
    best_of,
    ends_short,
    is_invented_ending,
    is_looping,
    judge_full,
    judge_second,
    judge_short,
)
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.models.files import check_model_directory
from auricle.engines.whisper.prompt import (
    MAX_PREFIX_TOKENS,
    Prompt,
    context_tokens,
    is_untimed,
    prefix_tokens,
)
from auricle.engines.whisper.segmentation import Split, split_at_sentences, split_at_timestamps
from auricle.engines.whisper.tokenizer import Tokenizer
from auricle.engines.whisper.window import (
    FULL_FRAMES,
    MAX_BATCH_FRAMES,
    MAX_BATCH_JOBS,
    MAX_NEW_TOKENS,
    MAX_TOKENS,
    TokenLimit,
    WindowPolicy,
)
from auricle.values.errors import AudioError
from auricle.values.languages import IMPROBABLE_LANGUAGE, is_in_another_script
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Task, Transcript

CHUNK_BEAM_SIZE = 5
"""Doubtful greedy decodings of chunks are decoded with this many beams, which leave 3 chunks of 207
in doubt where greedy decoding leaves 7."""


@dataclass(frozen=True, slots=True)
class ShortWindowPolicy:
    """All measured parameters that could be set differently."""

    window: WindowPolicy = WindowPolicy()
    guard: GuardPolicy | None = GuardPolicy()
    """``None`` accepts everything, to measure what the guards contribute."""
    tokens: TokenLimit = TokenLimit()


@dataclass(slots=True)
class EngineCounts:
    """Counts since the engine was loaded; for benches."""

    windows: int = 0
    beamed: int = 0
    """Short windows of a chunk that were decoded again with more beams."""
    lengthened: int = 0
    """Short windows that were decoded again in the next longer one."""
    fallbacks: int = 0
    """Short windows that were decoded again in the full one."""
    sampled: int = 0
    """Full windows that were sampled at the temperatures."""
    silent: int = 0
    foreign: int = 0
    """Doubtful windows that were not decoded again: the audio is not in the requested language."""
    spoken: int = 0
    """Jobs that were decoded in the language of their audio instead of the requested one."""
    encoded_frames: int = 0


@dataclass(frozen=True, slots=True)
class _BatchKey:
    """What the windows of one call must share."""

    frames: int
    beam_size: int
    prompt_tokens: int
    has_prefix: bool
    is_untimed: bool
    is_partial: bool
    is_chunk: bool


@dataclass(slots=True)
class _PendingWindow:
    """A job's next window and how to decode it."""

    decoding: JobDecoding
    frames: int
    prompt: Prompt
    attempts: list[Attempt] = field(default_factory=list)
    unsure: Attempt | None = None
    """The result of a shorter window that is to be confirmed."""

    @property
    def key(self) -> _BatchKey:
        options = self.decoding.job.options
        return _BatchKey(
            self.frames,
            options.beam_size,
            self.prompt.length,
            bool(self.prompt.prefix),
            is_untimed(self.decoding.job, options.beam_size),
            options.is_partial,
            options.is_chunk,
        )

    @property
    def is_emptied_by_context(self) -> bool:
        """Whether there was no text after earlier text and hot words, which may be the cause."""
        return bool(self.prompt.context and self.attempts and not self.attempts[-1].text.strip())

    @property
    def next_prompt(self) -> Prompt:
        """The prompt for decoding the audio again."""
        return replace(
            self.prompt,
            prefix=(),
            context=() if self.is_emptied_by_context else self.prompt.context,
        )


class ShortWindowEngine:
    """An :class:`auricle.engines.base.Engine` over CTranslate2's Whisper."""

    def __init__(
        self, backend: WhisperBackend, policy: ShortWindowPolicy = ShortWindowPolicy()
    ) -> None:
        self.counts = EngineCounts()
        self._backend = backend
        self._policy = policy

    def warm_up(self) -> None:
        """Decode a second of faint noise, so that the first job does not pay for allocation.

        As a partial: a final of noise is decoded again in the full window, which takes four times
        as long, and a worker that replaces another one is waited for.
        """
        noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
        options = Options(language="en", beam_size=1, is_partial=True)
        self.transcribe([Job(JobId("warm-up"), noise, options)])
        self.counts = EngineCounts()

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one result for each job, in order."""
        decodings = [self._start(job) for job in jobs]
        running = [decoding for decoding in decodings if isinstance(decoding, JobDecoding)]
        while running := [decoding for decoding in running if not decoding.is_done]:
            windows = [self._window(decoding) for decoding in running]
            while windows:
                windows = self._decode(windows)
        return [
            decoding.transcript() if isinstance(decoding, JobDecoding) else decoding
            for decoding in decodings
        ]

    def _start(self, job: Job) -> JobDecoding | AudioError:
        language = job.options.language if self._backend.is_multilingual else "en"
        possible = job.options.languages if language is None else (language,)
        if possible and not any(map(self._backend.knows, possible)):
            return AudioError("The model does not know this language; leave it out to detect it.")
        lead_frames = self._policy.window.lead_for(job.pcm)
        features = self._backend.features(job.pcm, lead_frames)
        decoding = JobDecoding(job, features, language, lead_frames)
        if self._policy.guard and is_quiet(job.pcm):
            decoding.skip_all()
        return decoding

    def _window(self, decoding: JobDecoding) -> _PendingWindow:
        self.counts.windows += 1
        frames = self._policy.window.frames_for(decoding.content_frames)
        prefix = () if decoding.seek_frames else decoding.job.options.prefix_tokens
        return _PendingWindow(decoding, frames, self._prompt(decoding, prefix))

    def _full_window(self, window: _PendingWindow) -> _PendingWindow:
        """Return the window for another decoding: full length and without a prefix."""
        self.counts.fallbacks += 1
        attempts = [] if window.prompt.prefix or window.is_emptied_by_context else window.attempts
        return _PendingWindow(window.decoding, FULL_FRAMES, window.next_prompt, attempts)

    def _longer_window(self, window: _PendingWindow, unsure: Attempt) -> _PendingWindow:
        """Return the window for the second decoding of an improbable text."""
        self.counts.lengthened += 1
        frames = self._policy.window.frames_for(window.frames)
        return replace(window, frames=frames, unsure=unsure)

    def _prompt(
        self, decoding: JobDecoding, prefix: Sequence[int], beam_size: int | None = None
    ) -> Prompt:
        options = decoding.job.options
        tokenizer = self._tokenizer(decoding)
        previous = options.initial_prompt and tokenizer.encode(" " + options.initial_prompt.strip())
        hotwords = options.hotwords and tokenizer.encode(" " + ", ".join(options.hotwords).strip())
        beam_size = options.beam_size if beam_size is None else beam_size
        untimed = (tokenizer.no_timestamps,) if is_untimed(decoding.job, beam_size) else ()
        return Prompt(
            context_tokens(previous or (), hotwords or (), tokenizer.sot_prev),
            (*tokenizer.sot_sequence, *untimed),
            prefix_tokens(prefix, tokenizer.timestamp_begin),
        )

    def _decode(self, windows: Sequence[_PendingWindow]) -> list[_PendingWindow]:
        """Decode windows batch by batch; return longer ones for doubtful short-window results."""
        longer: list[_PendingWindow] = []
        for batch in _batches(windows):
            longer += self._decode_batch(batch)
        return longer

    def _decode_batch(self, batch: Sequence[_PendingWindow]) -> list[_PendingWindow]:
        frames = batch[0].frames
        encoded = self._backend.encode([window.decoding.window(frames) for window in batch])
        self.counts.encoded_frames += frames * len(batch)
        self._detect_languages(batch, encoded)
        return self._decode_encoded(batch, encoded)

    def _decode_encoded(
        self, batch: Sequence[_PendingWindow], encoded: Encoded
    ) -> list[_PendingWindow]:
        key = batch[0].key
        new_tokens = self._new_tokens(key)
        hypotheses = self._backend.generate(
            encoded, [window.prompt for window in batch], self._beam_size(key), new_tokens
        )
        longer: list[_PendingWindow] = []
        foreign: dict[_BatchKey, list[tuple[int, _PendingWindow]]] = defaultdict(list)
        attempts = [
            self._attempt(window, hypothesis, 0.0, new_tokens)
            for window, hypothesis in zip(batch, hypotheses, strict=True)
        ]
        if key.is_chunk and key.frames < FULL_FRAMES and key.beam_size < CHUNK_BEAM_SIZE:
            self._decode_with_beams(batch, attempts, encoded, new_tokens)
        for row, (window, attempt) in enumerate(zip(batch, attempts, strict=True)):
            window.attempts.append(attempt)
            verdict = self._judge(window, attempt)
            if window.unsure is not None and key.frames < FULL_FRAMES:
                attempt, verdict = judge_second(window.unsure, attempt, verdict)
            guard = self._policy.guard
            is_doubtful = verdict is not Verdict.ACCEPT or not attempt.text.strip()
            if guard and (is_doubtful or _is_in_another_script(window, attempt)):
                if self._is_foreign(window, encoded[row : row + 1], guard):
                    if window.decoding.spoken is not None:
                        spoken = self._in_spoken_language(window)
                        foreign[spoken.key].append((row, spoken))
                        continue
                    if verdict in DOUBTFUL:
                        attempt, verdict = self._give_up(window, guard)
                elif verdict is Verdict.DOUBT and key.frames == FULL_FRAMES:
                    attempt, verdict = self._sample(window, encoded[row : row + 1], guard)
            match verdict:
                case Verdict.ACCEPT:
                    self._accept(window, attempt, encoded[row : row + 1])
                case Verdict.SILENT:
                    self.counts.silent += 1
                    window.decoding.skip()
                case Verdict.UNSURE:
                    longer.append(self._longer_window(window, attempt))
                case Verdict.DOUBT:
                    longer.append(self._full_window(window))
        for rows in foreign.values():  # their language is chosen once, so this ends
            longer += self._decode_encoded(
                [window for _, window in rows], encoded[[row for row, _ in rows]]
            )
        return longer

    def _in_spoken_language(self, window: _PendingWindow) -> _PendingWindow:
        """Return the window for decoding the same encoded audio in the language that is spoken."""
        self.counts.windows += 1
        return _PendingWindow(window.decoding, window.frames, self._prompt(window.decoding, ()))

    def _decode_with_beams(
        self,
        batch: Sequence[_PendingWindow],
        attempts: list[Attempt],
        encoded: Encoded,
        new_tokens: int,
    ) -> None:
        """Replace doubtful attempts of greedy decoding by those of more beams.

        Their windows are encoded already, so this takes a quarter of the time of a full window.
        """
        doubtful: dict[int, list[int]] = defaultdict(list)
        prompts: dict[int, Prompt] = {}
        for row, (window, attempt) in enumerate(zip(batch, attempts, strict=True)):
            if self._judge(window, attempt) in DOUBTFUL:
                prompts[row] = self._prompt(window.decoding, (), CHUNK_BEAM_SIZE)
                doubtful[prompts[row].length].append(row)
        for rows in doubtful.values():
            self.counts.beamed += len(rows)
            hypotheses = self._backend.generate(
                encoded[rows], [prompts[row] for row in rows], CHUNK_BEAM_SIZE, new_tokens
            )
            for row, hypothesis in zip(rows, hypotheses, strict=True):
                batch[row].attempts.append(attempts[row])
                attempts[row] = self._attempt(batch[row], hypothesis, 0.0, new_tokens)

    def _beam_size(self, key: _BatchKey) -> int:
        """Return the beam size of a batch; doubtful audio is decoded more carefully."""
        guard = self._policy.guard
        if guard is None or key.frames < FULL_FRAMES or key.is_partial:
            return key.beam_size
        return max(key.beam_size, guard.full_beam_size)

    def _new_tokens(self, key: _BatchKey) -> int:
        """Return the maximum tokens of a batch; it depends on its class, not on its jobs."""
        most = MAX_NEW_TOKENS
        if key.frames < FULL_FRAMES:
            most = self._policy.tokens.tokens_for(key.frames - self._policy.window.tail_frames)
        if key.has_prefix:
            most = min(most, MAX_TOKENS - key.prompt_tokens - 1 - MAX_PREFIX_TOKENS)
        return most

    def _detect_languages(self, batch: Sequence[_PendingWindow], encoded: Encoded) -> None:
        """Detect the language of windows without one; again in the full window."""
        rows = [
            row
            for row, window in enumerate(batch)
            if self._backend.is_multilingual
            and window.decoding.job.options.language is None
            and not window.decoding.seek_frames
            and window.unsure is None
        ]
        if not rows:
            return
        among = [batch[row].decoding.job.options.languages for row in rows]
        detected = self._backend.detect_languages(encoded[rows], among)
        for row, (language, probability) in zip(rows, detected, strict=True):
            window = batch[row]
            window.decoding.language = language
            window.decoding.language_probability = probability
            prompt = self._prompt(window.decoding, window.prompt.prefix)
            window.prompt = replace(prompt, context=window.prompt.context)

    def _is_foreign(self, window: _PendingWindow, encoded: Encoded, guard: GuardPolicy) -> bool:
        """Return whether a window, whose text is doubted, is hardly in the requested language.

        Chooses the language that is spoken, if it is clear and the job allows it.
        """
        decoding, options = window.decoding, window.decoding.job.options
        language = options.language
        if language is None or not self._backend.is_multilingual or decoding.spoken is not None:
            return False
        is_long_enough = decoding.content_frames >= guard.foreign_from_frames
        if not decoding.is_language_checked and is_long_enough:
            decoding.is_language_checked = True
            (probabilities,) = self._backend.language_probabilities(encoded)
            if (probability := probabilities.get(language, 1.0)) < IMPROBABLE_LANGUAGE:
                decoding.language_probability = probability
                spoken = likeliest(probabilities, ())
                if spoken[1] >= guard.spoken_min_prob and not options.strict_language:
                    decoding.spoken = spoken
                    self.counts.spoken += 1
        return decoding.language_probability < IMPROBABLE_LANGUAGE

    def _give_up(self, window: _PendingWindow, guard: GuardPolicy) -> tuple[Attempt, Verdict]:
        """Return the most probable text unchanged, and none if all attempts loop."""
        self.counts.foreign += 1
        attempt = best_of(window.attempts, guard)
        return attempt, Verdict.SILENT if is_looping(attempt, guard) else Verdict.ACCEPT

    def _attempt(
        self, window: _PendingWindow, hypothesis: Hypothesis, temperature: float, new_tokens: int
    ) -> Attempt:
        return Attempt(
            hypothesis.tokens,
            self._tokenizer(window.decoding).decode(list(hypothesis.tokens)),
            hypothesis.avg_logprob,
            hypothesis.no_speech_prob,
            temperature,
            is_cut=len(hypothesis.tokens) >= new_tokens,
            prefix_tokens=len(window.prompt.prefix) if temperature == 0.0 else 0,
        )

    def _judge(self, window: _PendingWindow, attempt: Attempt) -> Verdict:
        guard = self._policy.guard
        if guard is None:
            return Verdict.ACCEPT
        if window.decoding.job.options.is_partial:
            guard = guard.for_partials()
        elif window.is_emptied_by_context:
            return Verdict.DOUBT
        if window.frames == FULL_FRAMES:
            return judge_full(attempt, guard, window.attempts)
        content_frames = window.decoding.content_frames
        verdict = judge_short(attempt, content_frames, self._policy.tokens, guard)
        is_language_sure = window.decoding.language_probability >= guard.spoken_min_prob
        return verdict if is_language_sure or verdict is Verdict.ACCEPT else Verdict.DOUBT

    def _sample(
        self, window: _PendingWindow, encoded: Encoded, guard: GuardPolicy
    ) -> tuple[Attempt, Verdict]:
        """Sample at each temperature, alone; return the first good text, or the most probable.

        A looping text reaches its limit, and so do most samples of its audio. Samples therefore get
        the limit of their length class, and one that reaches it is rejected. Partials are not
        sampled.
        """
        if window.decoding.job.options.is_partial:
            attempt = best_of(window.attempts, guard)
            return attempt, Verdict.SILENT if is_looping(attempt, guard) else Verdict.ACCEPT
        self.counts.sampled += 1
        new_tokens = self._sampled_tokens(window)
        give_up_at = time.monotonic() + guard.max_sampling_s
        for temperature in guard.temperatures:
            if time.monotonic() >= give_up_at:
                break
            hypothesis = self._backend.sample(
                encoded, window.next_prompt, temperature, guard.samples_a_temperature, new_tokens
            )
            attempt = self._attempt(window, hypothesis, temperature, new_tokens)
            window.attempts.append(attempt)
            verdict = judge_full(attempt, guard, window.attempts)
            is_endless = attempt.is_cut and new_tokens < MAX_NEW_TOKENS
            if verdict is not Verdict.DOUBT and not is_endless:
                return attempt, verdict
        return best_of(window.attempts, guard), Verdict.ACCEPT

    def _sampled_tokens(self, window: _PendingWindow) -> int:
        """Return the maximum tokens of a sample: that of a short window of its audio."""
        frames = self._policy.window.frames_for(window.decoding.content_frames)
        if frames == FULL_FRAMES:
            return MAX_NEW_TOKENS
        return self._policy.tokens.tokens_for(frames - self._policy.window.tail_frames)

    def _accept(self, window: _PendingWindow, attempt: Attempt, encoded: Encoded) -> None:
        """Add an accepted decoding to its job, with words if requested."""
        decoding = window.decoding
        tokenizer, options = self._tokenizer(decoding), decoding.job.options
        split = split_at_timestamps(
            attempt.tokens, tokenizer.timestamp_begin, decoding.content_frames
        )
        wants_words, is_first = options.word_timestamps, not decoding.segments
        if options.is_chunk:
            tokens = [token for span in split.spans for token in span.tokens]
            text_tokens = [token for token in tokens if token < tokenizer.eot]
            parts, part_tokens = tokenizer.split_to_word_tokens(text_tokens)
            sentences = split_at_sentences(parts, part_tokens, split)
            if options.sentence_times or ends_short(sentences.spans, is_first=is_first):
                split, wants_words = sentences, True
        words = self._align(window, split, encoded) if wants_words else None
        if options.is_chunk and words and is_invented_ending(words, is_first=is_first):
            split, words = replace(split, spans=split.spans[:-1]), words[:-1]
        texts = [tokenizer.decode(list(span.tokens)) for span in split.spans]
        decoding.accept(attempt, split, texts, words)

    def _align(
        self, window: _PendingWindow, split: Split, encoded: Encoded
    ) -> tuple[AlignedSpan, ...]:
        """Return the segments with the times of their words.

        Aligned alone: in a batch the padding of shorter texts changes times and probabilities.
        """
        decoding = window.decoding
        tokenizer = self._tokenizer(decoding)
        tokens = [token for span in split.spans for token in span.tokens if token < tokenizer.eot]
        if not tokens:
            return align_spans(split.spans, [], tokenizer.eot, 0.0)
        alignment = self._backend.align(
            encoded, tokenizer.sot_sequence, tokens, decoding.content_frames
        )
        parts, part_tokens = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
        words = timed_words(parts, part_tokens, alignment)
        since_s = decoding.last_speech_s - decoding.seek_s
        return align_spans(split.spans, words, tokenizer.eot, since_s)

    def _tokenizer(self, decoding: JobDecoding) -> Tokenizer:
        return self._backend.tokenizer(decoding.text_language or "en", decoding.job.options.task)


def _is_in_another_script(window: _PendingWindow, attempt: Attempt) -> bool:
    """Return whether the text is not in letters of the requested language."""
    options = window.decoding.job.options
    return (
        options.task is Task.TRANSCRIBE
        and options.language is not None
        and is_in_another_script(attempt.text, options.language)
    )


def _batches(windows: Sequence[_PendingWindow]) -> Iterator[list[_PendingWindow]]:
    """Group windows that may be decoded together, sorted by length."""
    groups: dict[_BatchKey, list[_PendingWindow]] = defaultdict(list)
    for window in windows:
        groups[window.key].append(window)
    for group in groups.values():
        group.sort(key=lambda window: window.decoding.content_frames)
        rows = min(MAX_BATCH_JOBS, max(1, MAX_BATCH_FRAMES // group[0].frames))
        for start in range(0, len(group), rows):
            yield group[start : start + rows]


def load(settings: EngineSettings) -> ShortWindowEngine:
    """Load the model in the settings' directory; the factory for workers.

    Raises:
        SetupError: The model cannot be loaded; the message says what to do.
    """
    check_model_directory(Path(settings.model))
    return ShortWindowEngine(load_backend(settings))
