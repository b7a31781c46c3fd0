"""Pins what is used of faster-whisper and CTranslate2, with the real model."""

import numpy as np
import pytest

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import Encoded, WhisperBackend
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.prompt import Prompt, prefix_tokens
from auricle.engines.whisper.window import MAX_NEW_TOKENS, padded, silence_of
from auricle.values.types import SAMPLE_RATE_HZ, Task
from tests.support.clips import CLIPS
from tests.support.model import bundled_model

pytestmark = pytest.mark.model

FELLOW = CLIPS["fellow.wav"]
FRAMES = 1200


@pytest.fixture(scope="module")
def backend() -> WhisperBackend:
    settings = EngineSettings(str(bundled_model()), "cpu", "default", 1)
    return load_backend(settings)


@pytest.fixture(scope="module")
def prompt(backend: WhisperBackend) -> Prompt:
    return Prompt((), tuple(backend.tokenizer("en", Task.TRANSCRIBE).sot_sequence))


@pytest.fixture(scope="module")
def encoded(backend: WhisperBackend) -> Encoded:
    features = backend.features(FELLOW.pcm)
    return backend.encode([padded(features, FRAMES, silence_of(features))])


def test_the_tokenizer_has_the_special_tokens_that_are_used(backend: WhisperBackend) -> None:
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    assert tokenizer.sot_prev == 50361
    assert tokenizer.eot == 50257
    assert tokenizer.no_timestamps == 50363
    assert tokenizer.timestamp_begin == 50364
    assert tokenizer.sot_sequence == [50258, 50259, 50359]
    assert backend.tokenizer("de", Task.TRANSLATE).sot_sequence == [50258, 50261, 50358]
    words, tokens = tokenizer.split_to_word_tokens([*tokenizer.encode(" fine, yes"), tokenizer.eot])
    assert words == [" fine", ",", " yes", ""]
    assert sum(map(len, tokens)) == 4


def test_a_language_is_known_if_it_has_a_token(backend: WhisperBackend) -> None:
    assert backend.is_multilingual
    assert backend.knows("de")
    assert not backend.knows("yue")  # came with large-v3


def test_features_are_one_hop_a_frame(backend: WhisperBackend) -> None:
    features = backend.features(FELLOW.pcm)
    assert features.shape == (80, FELLOW.pcm.size // 160)
    assert features.dtype == np.float32
    assert backend.features(FELLOW.pcm, lead_frames=30).shape == (80, features.shape[1] + 30)


@pytest.mark.parametrize("samples", [1, 100, 399, 400, 560])
def test_the_shortest_audio_has_features(backend: WhisperBackend, samples: int) -> None:
    assert backend.features(np.ones(samples, np.int16)).shape[1] >= 1


def test_silence_as_padding_is_what_silence_as_sound_gives(backend: WhisperBackend) -> None:
    quiet = np.concatenate([FELLOW.pcm, np.zeros(32_000, np.int16)])
    features = backend.features(FELLOW.pcm)
    assert silence_of(features) == pytest.approx(backend.features(quiet)[:, -50:].min(), abs=1e-6)
    assert silence_of(features) == pytest.approx(backend.features(quiet)[:, -50:].max(), abs=1e-6)


def test_the_encoder_takes_short_windows_one_by_one_or_together(backend: WhisperBackend) -> None:
    features = backend.features(FELLOW.pcm)
    windows = [
        padded(features, frames, silence_of(features))[:, :FRAMES] for frames in (1200, 1300)
    ]
    together = backend.encode(windows)
    assert together.shape == (2, FRAMES // 2, 512)
    assert together[1:].tobytes() == backend.encode(windows[1:]).tobytes()


def test_a_limit_on_tokens_is_kept_to_the_token(
    backend: WhisperBackend, encoded: Encoded, prompt: Prompt
) -> None:
    for context in (0, 10, 40):
        for limit in (3, 7, 12):
            given = Prompt((50361, *[11] * context) if context else (), prompt.start)
            (found,) = backend.generate(encoded, [given], 1, limit)
            assert len(found.tokens) == limit


def test_a_prefix_is_part_of_the_tokens_but_not_of_their_probability(
    backend: WhisperBackend, encoded: Encoded, prompt: Prompt
) -> None:
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    (free,) = backend.generate(encoded, [prompt], 1, MAX_NEW_TOKENS)
    begin = tokenizer.timestamp_begin
    prefix = prefix_tokens([token for token in free.tokens if token < begin][:6], begin)
    given = Prompt((), prompt.start, prefix)
    (found,) = backend.generate(encoded, [given], 1, MAX_NEW_TOKENS)
    assert found.tokens[:7] == prefix
    assert tokenizer.decode(list(found.tokens)) == tokenizer.decode(list(free.tokens))
    assert -1 < found.avg_logprob < 0


def test_prompts_of_one_length_with_and_without_a_prefix_go_together(
    backend: WhisperBackend, encoded: Encoded, prompt: Prompt
) -> None:
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    prefix = prefix_tokens(tokenizer.encode(" And so my"), tokenizer.timestamp_begin)
    given = Prompt((), prompt.start, prefix)
    both = np.concatenate([encoded, encoded])
    alone = [backend.generate(encoded, [each], 1, 100)[0].tokens for each in (given, prompt)]
    together = backend.generate(both, [given, prompt], 1, 100)
    assert [found.tokens for found in together] == alone


@pytest.mark.parametrize(
    ("rows", "beam_size"),
    [
        (4, 1),
        (2, 5),
        pytest.param(8, 1, marks=pytest.mark.slow),
        pytest.param(4, 5, marks=pytest.mark.slow),
    ],
)
def test_a_row_is_decoded_alike_alone_and_in_every_place_of_a_batch(
    backend: WhisperBackend, prompt: Prompt, rows: int, beam_size: int
) -> None:
    short, pair = CLIPS["short.wav"].pcm, CLIPS["pair.wav"].pcm
    noise = np.random.default_rng(5).normal(0, 400, short.size)
    clips = [
        FELLOW.pcm,
        short,
        (short + noise).astype(np.int16),
        pair[-2 * SAMPLE_RATE_HZ :],
        pair,
        FELLOW.pcm[: 3 * SAMPLE_RATE_HZ],
        FELLOW.pcm[2 * SAMPLE_RATE_HZ :],
        (short // 40).astype(np.int16),
    ][:rows]
    spectra = [backend.features(clip) for clip in clips]
    windows = backend.encode([padded(each, FRAMES, silence_of(each)) for each in spectra])
    alone = [
        backend.generate(windows[row : row + 1], [prompt], beam_size, MAX_NEW_TOKENS)[0]
        for row in range(rows)
    ]
    assert len(set(alone)) == rows
    for shift in range(rows):
        order = np.roll(np.arange(rows), shift)
        together = backend.generate(windows[order], [prompt] * rows, beam_size, MAX_NEW_TOKENS)
        assert together == [alone[row] for row in order]


def test_a_prompt_can_ask_for_text_without_timestamps(
    backend: WhisperBackend, encoded: Encoded, prompt: Prompt
) -> None:
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    untimed = Prompt((), (*prompt.start, tokenizer.no_timestamps))
    (found,) = backend.generate(encoded, [untimed], 5, MAX_NEW_TOKENS)
    assert max(found.tokens) < tokenizer.eot
    text = tokenizer.decode(list(found.tokens)).replace(",", "")  # processors differ on commas
    assert text.startswith(" And so my fellow Americans")


def test_the_language_comes_without_its_marks(backend: WhisperBackend, encoded: Encoded) -> None:
    ((language, probability),) = backend.detect_languages(encoded, [()])
    assert language == "en"
    assert 0.5 < probability <= 1


def test_each_row_is_in_one_of_the_languages_that_it_can_be_in(
    backend: WhisperBackend, encoded: Encoded
) -> None:
    both = np.concatenate([encoded, encoded])
    german, english = backend.detect_languages(both, [("de", "zh"), ("en", "de")])
    assert german[0] in ("de", "zh")
    assert english[0] == "en"
    assert 0.5 <= german[1] <= 1
    assert 0.9 < english[1] <= 1


def test_align_gives_a_path_and_a_probability_for_each_token(
    backend: WhisperBackend, encoded: Encoded, prompt: Prompt
) -> None:
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    text = tokenizer.encode(" And so my fellow Americans")
    alignment = backend.align(encoded, prompt.start, text, 600)
    indices = [pair[0] for pair in alignment.pairs]
    assert indices[0] == 0
    assert indices == sorted(indices)
    assert max(pair[1] for pair in alignment.pairs) < 300
    assert len(alignment.token_probs) == len(text)
