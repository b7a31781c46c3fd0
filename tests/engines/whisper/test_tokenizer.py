"""The tokens are those of faster-whisper's tokenizer, with the real vocabulary."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
from faster_whisper.tokenizer import Tokenizer as Reference
from faster_whisper.transcribe import get_suppressed_tokens

from auricle.engines.whisper.tokenizer import Tokenizer
from auricle.values.types import Task
from tests.support.model import bundled_model

pytestmark = pytest.mark.model

TEXTS = (
    " Hello, world. It's -- a 'test' (yes)!",
    " 分析，这是 一个 测试。",
    " Größe über ♪ 🎉 tschüß",
)
LANGUAGES = ("en", "zh", "de", "yue")  # base does not know the last


@pytest.fixture(scope="module")
def vocabulary() -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_file(str(Path(bundled_model(), "tokenizer.json")))


def both(
    vocabulary: tokenizers.Tokenizer, language: str, task: Task = Task.TRANSCRIBE
) -> tuple[Reference, Tokenizer]:
    return (
        Reference(vocabulary, True, task.value, language),
        Tokenizer(vocabulary, is_multilingual=True, language=language, task=task),
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", Task)
def test_special_tokens_are_the_same(
    vocabulary: tokenizers.Tokenizer, language: str, task: Task
) -> None:
    reference, tokenizer = both(vocabulary, language, task)
    for name in ("sot_sequence", "eot", "sot_prev", "no_timestamps", "timestamp_begin"):
        assert getattr(tokenizer, name) == getattr(reference, name)
    suppressed = get_suppressed_tokens(reference, [-1])
    assert tokenizer.suppressed_tokens == list(suppressed or ())


def test_a_model_for_english_has_no_tokens_for_languages_and_tasks(
    vocabulary: tokenizers.Tokenizer,
) -> None:
    tokenizer = Tokenizer(vocabulary, is_multilingual=False, language="en", task=Task.TRANSCRIBE)
    assert tokenizer.sot_sequence == Reference(vocabulary, False).sot_sequence


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_and_words_are_the_same(vocabulary: tokenizers.Tokenizer, language: str) -> None:
    reference, tokenizer = both(vocabulary, language)
    random = np.random.default_rng(1).integers(0, tokenizer.eot, (50, 12)).tolist()
    for tokens in random + [reference.encode(text) for text in TEXTS]:
        for part in (tokens, tokens[3:], tokens[:-3], [*tokens, tokenizer.eot]):
            assert tokenizer.decode(part) == reference.decode(part)
            assert tokenizer.split_to_word_tokens(part) == reference.split_to_word_tokens(part)
    for text in TEXTS:
        assert tokenizer.encode(text) == reference.encode(text)


def test_a_vocabulary_without_a_special_token_is_refused() -> None:
    empty = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(ValueError, match="endoftext"):
        Tokenizer(empty, is_multilingual=True, language="en", task=Task.TRANSCRIBE)
