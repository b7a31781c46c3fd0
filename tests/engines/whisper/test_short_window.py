"""The short-window engine with the real model."""

import hashlib
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from auricle.audio.chunks import find_chunks
from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import Encoded, Hypothesis, WhisperBackend
from auricle.engines.whisper.guard import GuardPolicy
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.prompt import Prompt
from auricle.engines.whisper.short_window import (
    EngineCounts,
    ShortWindowEngine,
    ShortWindowPolicy,
    load,
)
from auricle.engines.whisper.window import MAX_BATCH_JOBS, MAX_NEW_TOKENS
from auricle.values.errors import AudioError, SetupError
from auricle.values.languages import IMPROBABLE_LANGUAGE
from auricle.values.types import Job, JobId, Options, Pcm16, Segment, Task, Transcript
from tests.support.clips import CLIPS, Clip, words
from tests.support.model import bundled_model

pytestmark = pytest.mark.model

FELLOW = CLIPS["fellow.wav"]
SHORT = CLIPS["short.wav"]
PAIR = CLIPS["pair.wav"]
GREEDY = Options(language="en", beam_size=1)


def settings() -> EngineSettings:
    return EngineSettings(str(bundled_model()), "cpu", "default", 1)


class EncodesOnce(WhisperBackend):
    """Encodes the same audio once: the tests differ in what they make of it."""

    _known: dict[bytes, Encoded] = {}

    def _encode(self, batch: npt.NDArray[np.float32]) -> Encoded:
        key = hashlib.blake2b(batch.tobytes()).digest() + str(batch.shape).encode()
        if key not in self._known:
            self._known[key] = super()._encode(batch)
        return self._known[key].copy()


@pytest.fixture(scope="module")
def backend() -> WhisperBackend:
    backend = load_backend(settings())
    backend.__class__ = EncodesOnce
    return backend


@pytest.fixture(scope="module")
def engine(backend: WhisperBackend) -> ShortWindowEngine:
    return ShortWindowEngine(backend)


def job(pcm: Pcm16, options: Options = GREEDY, name: str = "a") -> Job:
    return Job(JobId(name), pcm, options)


def transcribed(engine: ShortWindowEngine, pcm: Pcm16, options: Options = GREEDY) -> Transcript:
    (result,) = engine.transcribe([job(pcm, options)])
    assert isinstance(result, Transcript)
    return result


def silence(seconds: float) -> Pcm16:
    return np.zeros(int(seconds * 16_000), np.int16)


def noise(seconds: float, loudness: float = 2000) -> Pcm16:
    chance = np.random.default_rng(5)
    return chance.normal(0, loudness, int(seconds * 16_000)).astype(np.int16)


def test_the_factory_loads_and_warms_up() -> None:
    engine = load(settings())
    engine.warm_up()
    assert engine.counts == EngineCounts()


def test_the_factory_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"no model\.bin"):
        load(replace(settings(), model=str(tmp_path)))


@pytest.mark.parametrize("clip", [FELLOW, SHORT, PAIR], ids=lambda clip: clip.name)
@pytest.mark.parametrize("beam_size", [1, pytest.param(2, marks=pytest.mark.slow), 5])
def test_speech_is_transcribed_word_for_word(
    engine: ShortWindowEngine, clip: object, beam_size: int
) -> None:
    assert clip in (FELLOW, SHORT, PAIR)
    transcript = transcribed(engine, clip.pcm, replace(GREEDY, beam_size=beam_size))
    assert words(transcript.text) == words(clip.text)


def test_a_short_utterance_takes_the_shortest_window(backend: WhisperBackend) -> None:
    engine = ShortWindowEngine(backend)
    transcribed(engine, SHORT.pcm)
    least = ShortWindowPolicy().window.classes[0]
    assert engine.counts == EngineCounts(windows=1, encoded_frames=least)


@pytest.mark.slow
def test_text_does_not_depend_on_the_neighbours_in_a_batch(engine: ShortWindowEngine) -> None:
    clips = [
        FELLOW.pcm,
        SHORT.pcm,
        FELLOW.pcm[: 3 * 16_000],
        np.concatenate([PAIR.pcm, SHORT.pcm, FELLOW.pcm]),
        (SHORT.pcm * 0.05 + noise(SHORT.pcm.size / 16_000, 30)).astype(np.int16),
    ]
    for options in (
        Options(language=None, beam_size=1, word_timestamps=True),
        Options(language="en", beam_size=5),
    ):
        jobs = [job(pcm, options, str(i)) for i, pcm in enumerate(clips)]
        alone = [engine.transcribe([each])[0] for each in jobs]
        for shift in range(len(jobs)):
            turned = jobs[shift:] + jobs[:shift]
            assert engine.transcribe(turned) == alone[shift:] + alone[:shift]
        half = [each for i, each in enumerate(alone) if i % 2]
        assert engine.transcribe([each for i, each in enumerate(jobs) if i % 2]) == half


def test_jobs_of_any_options_can_be_given_together(engine: ShortWindowEngine) -> None:
    jobs = [
        job(FELLOW.pcm, GREEDY, "1"),
        job(SHORT.pcm, Options(language=None, beam_size=5, initial_prompt="Trains."), "2"),
        job(PAIR.pcm, Options(language="de", task=Task.TRANSLATE, beam_size=1), "3"),
        job(SHORT.pcm, Options(language="en", hotwords=("noon",), word_timestamps=True), "4"),
        job(SHORT.pcm, Options(language="en", is_chunk=True), "5"),
    ]
    alike = [job(SHORT.pcm, GREEDY, f"n{i}") for i in range(MAX_BATCH_JOBS + 1)]
    alone = [engine.transcribe([each])[0] for each in (*jobs, alike[0])]
    together = engine.transcribe([*jobs, *alike])
    assert together == [*alone[:-1], *alone[-1:] * len(alike)]


def test_the_language_is_detected_or_taken_as_given(engine: ShortWindowEngine) -> None:
    detected = transcribed(engine, FELLOW.pcm, replace(GREEDY, language=None))
    assert detected.language == "en"
    assert 0.5 < detected.language_probability <= 1
    given = transcribed(engine, FELLOW.pcm, GREEDY)
    assert (given.language, given.language_probability) == ("en", 1.0)


def test_a_language_without_a_token_is_the_inputs_fault(engine: ShortWindowEngine) -> None:
    results = engine.transcribe([job(SHORT.pcm, replace(GREEDY, language="yue")), job(SHORT.pcm)])
    assert isinstance(results[0], AudioError)
    assert isinstance(results[1], Transcript)


def test_words_have_times_and_the_tokens_that_a_prefix_is_made_of(
    engine: ShortWindowEngine,
) -> None:
    transcript = transcribed(engine, FELLOW.pcm, replace(GREEDY, word_timestamps=True))
    found = [word for segment in transcript.segments for word in segment.words or ()]
    assert "".join(word.text for word in found).strip() == transcript.text
    times = [time for word in found for time in (word.start_sample, word.end_sample)]
    assert times == sorted(times)
    assert times[-1] <= FELLOW.pcm.size
    prefix = tuple(token for word in found[:5] for token in word.tokens)
    again = transcribed(engine, FELLOW.pcm, replace(GREEDY, prefix_tokens=prefix))
    assert again.text == transcript.text


def test_a_piece_is_cut_into_sentences_with_their_own_times(engine: ShortWindowEngine) -> None:
    options = Options(language="en", is_chunk=True)
    transcript = transcribed(engine, PAIR.pcm, options)
    assert [words(each.text) for each in transcript.segments] == [
        words("Please close the window."),
        words("Dinner is on the table."),
    ]
    first, second = transcript.segments
    assert first.words is None
    assert first.start_sample < 8_000
    assert first.end_sample < second.start_sample  # the pause belongs to neither
    assert second.end_sample <= PAIR.pcm.size
    with_words = transcribed(engine, PAIR.pcm, replace(options, word_timestamps=True))
    assert [replace(each, words=None) for each in with_words.segments] == list(transcript.segments)
    assert with_words.segments[1].words


def test_a_pieces_text_is_the_same_without_the_times_of_its_sentences(
    engine: ShortWindowEngine,
) -> None:
    options = Options(language="en", is_chunk=True, sentence_times=False)
    transcript = transcribed(engine, PAIR.pcm, options)
    assert all(segment.words is None for segment in transcript.segments)
    assert (
        transcript.text == transcribed(engine, PAIR.pcm, replace(options, sentence_times=True)).text
    )


def test_a_pieces_text_and_times_do_not_depend_on_its_neighbours(engine: ShortWindowEngine) -> None:
    clips = [PAIR.pcm, SHORT.pcm, FELLOW.pcm[: 3 * 16_000]]
    jobs = [job(pcm, Options(language="en", is_chunk=True), str(i)) for i, pcm in enumerate(clips)]
    alone = [engine.transcribe([each])[0] for each in jobs]
    for shift in range(len(jobs)):
        turned = jobs[shift:] + jobs[:shift]
        assert engine.transcribe(turned) == alone[shift:] + alone[:shift]


def test_greedy_pieces_are_decoded_like_any_other_job_and_cut_at_sentences(
    engine: ShortWindowEngine,
) -> None:
    transcript = transcribed(engine, FELLOW.pcm, replace(GREEDY, is_chunk=True))
    assert transcript.text == transcribed(engine, FELLOW.pcm).text
    assert all(each.text.strip()[-1] in ".?!" for each in transcript.segments)


def test_a_prefix_is_kept_as_long_as_no_guard_doubts_it(backend: WhisperBackend) -> None:
    prefix = tuple(backend.tokenizer("en", Task.TRANSCRIBE).encode(" But so my"))
    options = replace(GREEDY, prefix_tokens=prefix)
    trusting = ShortWindowEngine(backend)
    assert transcribed(trusting, FELLOW.pcm, options).text.startswith("But so my")
    doubting = engine_that_doubts(backend)
    assert transcribed(doubting, FELLOW.pcm, options).text.startswith("And so my")


def engine_that_doubts(backend: WhisperBackend) -> ShortWindowEngine:
    """Return an engine that believes nothing of a short window."""
    policy = ShortWindowPolicy(guard=GuardPolicy(short_min_logprob=0.0))
    return ShortWindowEngine(backend, policy)


def test_what_the_short_window_leaves_in_doubt_is_decoded_whole_once(
    backend: WhisperBackend,
) -> None:
    engine = engine_that_doubts(backend)
    results = engine.transcribe([job(FELLOW.pcm, name="1"), job(SHORT.pcm, name="2")])
    assert engine.counts.fallbacks == 2
    assert engine.counts.sampled == 0
    texts = [words(result.text) for result in results if isinstance(result, Transcript)]
    assert texts == [words(FELLOW.text), words(SHORT.text)]


@pytest.mark.parametrize(
    ("options", "lengthened", "fallbacks"),
    [(GREEDY, 1, 0), (Options(language=None), 1, 0), (replace(GREEDY, is_partial=True), 0, 0)],
    ids=["final", "detected language", "partial"],
)
def test_a_brief_text_that_is_merely_unlikely_is_decoded_again_in_the_next_window(
    backend: WhisperBackend, options: Options, lengthened: int, fallbacks: int
) -> None:
    guard = GuardPolicy(brief_min_logprob=0.0)
    engine = ShortWindowEngine(backend, ShortWindowPolicy(guard=guard))
    assert words(transcribed(engine, SHORT.pcm, options).text) == words(SHORT.text)
    assert (engine.counts.lengthened, engine.counts.fallbacks) == (lengthened, fallbacks)
    first, second, *_ = ShortWindowPolicy().window.classes
    assert engine.counts.encoded_frames == first + lengthened * second


def test_an_unlikely_text_in_an_uncertain_language_is_decoded_whole(
    backend: WhisperBackend,
) -> None:
    guard = GuardPolicy(brief_min_logprob=0.0, spoken_min_prob=1.1)
    engine = ShortWindowEngine(backend, ShortWindowPolicy(guard=guard))
    transcribed(engine, SHORT.pcm, replace(GREEDY, language=None))
    assert (engine.counts.lengthened, engine.counts.fallbacks) == (0, 1)


def test_an_unlikely_partial_is_not_decoded_again(backend: WhisperBackend) -> None:
    engine = engine_that_doubts(backend)
    transcript = transcribed(engine, FELLOW.pcm, replace(GREEDY, is_partial=True))
    assert engine.counts.fallbacks == 0
    assert words(transcript.text) == words(FELLOW.text)


def test_what_the_full_window_leaves_in_doubt_goes_down_the_ladder(
    backend: WhisperBackend,
) -> None:
    policy = ShortWindowPolicy(guard=GuardPolicy(short_min_logprob=0.0, full_min_logprob=0.0))
    engine = ShortWindowEngine(backend, policy)
    transcript = transcribed(engine, SHORT.pcm)
    assert engine.counts.sampled == 1
    assert words(transcript.text) == words(SHORT.text)


def sampled(backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Return a list that gets the temperature and the most tokens of each sampling."""
    calls, sample = [], backend.sample

    def watched(
        encoded: Encoded, prompt: Prompt, temperature: float, count: int, new_tokens: int
    ) -> Hypothesis:
        calls.append((temperature, new_tokens))
        return sample(encoded, prompt, temperature, count, new_tokens)

    monkeypatch.setattr(backend, "sample", watched)
    return calls


NEVER_GOOD = GuardPolicy(
    short_min_logprob=1.0, full_min_logprob=1.0, silent_min_prob=2.0, max_sampling_s=inf
)


def test_sampling_is_bounded_in_attempts_and_in_tokens(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = sampled(backend, monkeypatch)
    engine = ShortWindowEngine(backend, ShortWindowPolicy(guard=NEVER_GOOD))
    transcribed(engine, SHORT.pcm)
    shortest = ShortWindowPolicy().window.classes[0] - ShortWindowPolicy().window.tail_frames
    most = ShortWindowPolicy().tokens.tokens_for(shortest)
    assert [temperature for temperature, _ in calls] == list(NEVER_GOOD.temperatures)
    assert len(calls) <= 2
    assert {tokens for _, tokens in calls} == {most}
    assert most < MAX_NEW_TOKENS


def test_a_machine_that_takes_long_for_a_sample_takes_no_other(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = sampled(backend, monkeypatch)
    guard = replace(NEVER_GOOD, max_sampling_s=1e-9)
    transcribed(ShortWindowEngine(backend, ShortWindowPolicy(guard=guard)), SHORT.pcm)
    assert not calls


def test_a_partial_is_never_sampled(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = sampled(backend, monkeypatch)
    guard = replace(NEVER_GOOD, max_compression_ratio=0.0)  # everything loops
    engine = ShortWindowEngine(backend, ShortWindowPolicy(guard=guard))
    transcript = transcribed(engine, SHORT.pcm, replace(GREEDY, is_partial=True))
    assert (calls, engine.counts.sampled, transcript.text) == ([], 0, "")


def test_a_wrong_language_is_reported_and_not_tried_again(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = sampled(backend, monkeypatch)
    engine = ShortWindowEngine(backend)
    transcript = transcribed(
        engine, FELLOW.pcm, replace(GREEDY, language="de", strict_language=True)
    )
    assert transcript.language == "de"
    assert 0 < transcript.language_probability < IMPROBABLE_LANGUAGE
    assert (calls, engine.counts.fallbacks, engine.counts.foreign) == ([], 0, 1)


@pytest.mark.parametrize("language", ["ja", "ko", "ar", "th", "de"])
def test_speech_in_another_language_than_requested_is_transcribed_as_spoken(
    backend: WhisperBackend, language: str
) -> None:
    engine = ShortWindowEngine(backend)
    transcript = transcribed(engine, PAIR.pcm, replace(GREEDY, language=language))
    assert words(transcript.text) == words(PAIR.text)
    assert transcript.language == "en"
    assert transcript.language_probability > 0.5
    assert (engine.counts.spoken, engine.counts.foreign) == (1, 0)


@pytest.mark.parametrize("language", ["ja", "ru"])
def test_speech_in_another_language_than_requested_is_encoded_once(
    backend: WhisperBackend, language: str
) -> None:
    engine = ShortWindowEngine(backend)
    transcribed(engine, FELLOW.pcm, replace(GREEDY, language="en"))
    once = engine.counts.encoded_frames
    transcript = transcribed(engine, FELLOW.pcm, replace(GREEDY, language=language))
    assert words(transcript.text) == words(FELLOW.text)
    assert (engine.counts.spoken, engine.counts.encoded_frames) == (1, 2 * once)


@pytest.mark.parametrize(
    ("clip", "language"),
    [(FELLOW, "zh"), (FELLOW, "hi"), (SHORT, "ru"), (SHORT, "hi")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_text_that_looks_sound_but_has_the_letters_of_another_language_is_compared(
    engine: ShortWindowEngine, clip: Clip, language: str
) -> None:
    options = replace(GREEDY, language=language)
    transcript = transcribed(engine, clip.pcm, options)
    assert (words(transcript.text), transcript.language) == (words(clip.text), "en")
    strict = transcribed(engine, clip.pcm, replace(options, strict_language=True))
    assert strict.language == language
    assert 0 < strict.language_probability < IMPROBABLE_LANGUAGE


def test_the_language_of_a_translation_s_letters_is_not_compared(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(GREEDY, language="zh", task=Task.TRANSLATE)
    compared = comparisons(backend, monkeypatch)
    assert transcribed(ShortWindowEngine(backend), FELLOW.pcm, options).language == "zh"
    assert not compared


def test_speech_in_the_letters_of_its_language_is_not_compared(
    backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = comparisons(backend, monkeypatch)
    engine = ShortWindowEngine(backend)
    for clip in (FELLOW, SHORT):  # greedy decoding doubts the other one
        transcribed(engine, clip.pcm)
    assert not compared


def comparisons(backend: WhisperBackend, monkeypatch: pytest.MonkeyPatch) -> list[Encoded]:
    """Return the list of audio whose language is compared from now on."""
    compared: list[Encoded] = []
    original = backend.language_probabilities

    def compare(encoded: Encoded) -> list[dict[str, float]]:
        compared.append(encoded)
        return original(encoded)

    monkeypatch.setattr(backend, "language_probabilities", compare)
    return compared


def test_a_job_in_another_language_does_not_change_the_others_of_its_batch(
    engine: ShortWindowEngine,
) -> None:
    jobs = [job(PAIR.pcm, replace(GREEDY, language=each), each) for each in ("ja", "en", "th")]
    texts = [words(each.text) for each in engine.transcribe(jobs) if isinstance(each, Transcript)]
    assert texts == [words(PAIR.text)] * 3


def test_noise_has_no_text_in_any_language(engine: ShortWindowEngine) -> None:
    for language in ("ja", "en"):
        transcript = transcribed(engine, noise(4, 300), replace(GREEDY, language=language))
        assert (transcript.text, transcript.language) == ("", language)


def test_doubtful_speech_in_the_right_language_is_tried_again(backend: WhisperBackend) -> None:
    engine = engine_that_doubts(backend)
    transcript = transcribed(engine, FELLOW.pcm)
    assert (transcript.language_probability, engine.counts.fallbacks) == (1.0, 1)
    assert engine.counts.foreign == 0


def test_what_loops_in_another_language_has_no_text(backend: WhisperBackend) -> None:
    guard = GuardPolicy(max_compression_ratio=0.0)
    engine = ShortWindowEngine(backend, ShortWindowPolicy(guard=guard))
    transcript = transcribed(
        engine, FELLOW.pcm, replace(GREEDY, language="ja", strict_language=True)
    )
    assert (transcript.text, engine.counts.foreign) == ("", 1)
    assert 0 < transcript.language_probability < IMPROBABLE_LANGUAGE


def test_speech_that_ends_early_in_a_long_window_is_followed_to_its_end(
    engine: ShortWindowEngine,
) -> None:
    pcm = np.concatenate([FELLOW.pcm, silence(3), PAIR.pcm, silence(3), FELLOW.pcm])
    transcript = transcribed(engine, pcm, replace(GREEDY, word_timestamps=True))
    assert words(transcript.text) == words(f"{FELLOW.text} {PAIR.text} {FELLOW.text}")
    ordered = [segment.start_sample for segment in transcript.segments]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize("seconds", [0.0001, 0.05, 0.5, 3])
def test_silence_of_any_length_has_no_text(engine: ShortWindowEngine, seconds: float) -> None:
    transcript = transcribed(engine, silence(max(seconds, 1 / 16_000)))
    assert transcript.text == ""
    assert transcript.segments == ()


def test_segments_lie_inside_of_the_audio(engine: ShortWindowEngine) -> None:
    transcript = transcribed(engine, FELLOW.pcm[: 2 * 16_000])

    def is_inside(segment: Segment) -> bool:
        return 0 <= segment.start_sample < segment.end_sample <= 2 * 16_000

    assert all(map(is_inside, transcript.segments))
    assert transcript.duration_samples == 2 * 16_000


def test_many_hot_words_do_not_suppress_the_text(engine: ShortWindowEngine) -> None:
    hotwords = tuple(f"Wort{i}" for i in range(400))  # behind these the model says nothing at all
    for language in ("en", None):
        options = Options(language, hotwords=hotwords)
        assert words(transcribed(engine, SHORT.pcm, options).text) == words(SHORT.text)


def test_a_prompt_sets_the_spelling(engine: ShortWindowEngine) -> None:
    prompted = transcribed(
        engine, SHORT.pcm, replace(GREEDY, initial_prompt="THE BUS LEAVES AT TEN.")
    )
    assert words(prompted.text) == words(SHORT.text)


def test_no_jobs_have_no_results(engine: ShortWindowEngine) -> None:
    assert engine.transcribe([]) == []


@pytest.mark.parametrize("sentence_times", [True, False])
def test_no_sentence_is_added_after_the_last_word_of_a_piece(
    engine: ShortWindowEngine, sentence_times: bool
) -> None:
    (piece,) = find_chunks(coded(FELLOW.pcm, bitrate_bps=40_000))
    options = Options("en", beam_size=5, is_chunk=True, sentence_times=sentence_times)
    assert words(transcribed(engine, piece.pcm, options).text) == words(FELLOW.text)


def coded(pcm: Pcm16, bitrate_bps: int) -> Pcm16:
    """Return speech after an Opus encoder and decoder."""
    library = find_libopus()
    encoder = OpusPacketEncoder(library, bitrate_bps=bitrate_bps)
    decoder = OpusPacketDecoder(library)
    length = encoder.frame_samples
    padded = np.concatenate([pcm, np.zeros(length - pcm.size % length + length, np.int16)])
    packets = [encoder.encode(frame) for frame in padded.reshape(-1, length)]
    return np.concatenate([decoder.decode(packet) for packet in packets])


@pytest.mark.parametrize("start_s", [0, 2])  # beams find nothing better in the other clips
def test_a_doubtful_chunk_is_first_decoded_with_beams_in_the_same_window(
    backend: WhisperBackend, start_s: int
) -> None:
    pcm = FELLOW.pcm[start_s * 16_000 :]
    greedy, beams = (replace(GREEDY, is_chunk=True, beam_size=size) for size in (1, 5))
    engine = ShortWindowEngine(backend)
    low, high = (transcribed(engine, pcm, each).segments[0].avg_logprob for each in (greedy, beams))
    assert low < high
    doubting = ShortWindowEngine(
        backend, ShortWindowPolicy(guard=GuardPolicy(short_min_logprob=(low + high) / 2))
    )
    transcript = transcribed(doubting, pcm, greedy)
    assert (doubting.counts.beamed, doubting.counts.fallbacks) == (1, 0)
    assert transcript.text == transcribed(engine, pcm, beams).text


def test_what_beams_leave_in_doubt_is_decoded_whole(backend: WhisperBackend) -> None:
    engine = engine_that_doubts(backend)
    transcript = transcribed(engine, SHORT.pcm, replace(GREEDY, is_chunk=True))
    assert (engine.counts.beamed, engine.counts.fallbacks) == (1, 1)
    assert words(transcript.text) == words(SHORT.text)
    transcribed(engine, SHORT.pcm, replace(GREEDY, is_chunk=True, beam_size=5))
    assert engine.counts.beamed == 1
