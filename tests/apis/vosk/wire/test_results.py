import pytest

from auricle.apis.vosk.wire.options import VoskOptions
from auricle.apis.vosk.wire.results import partial_body, result_body
from auricle.values.events import Final
from auricle.values.types import Word

pytestmark = pytest.mark.unit

PLAIN = VoskOptions(punctuates=False)


def final(text: str, language: str = "en", *, has_words: bool = True) -> Final:
    words = [Word(n * 8_000, n * 8_000 + 4_000, f" {w}", 0.5) for n, w in enumerate(text.split())]
    times = tuple(words) if has_words else None
    return Final(1, 1, text, 0, 16_000, language, times, 0.0, False)


def test_a_result_has_the_text_and_its_words() -> None:
    assert result_body([final(" Hello, world.")], VoskOptions()) == {
        "result": [
            {"conf": 0.5, "end": 0.25, "start": 0.0, "word": "Hello,"},
            {"conf": 0.5, "end": 0.75, "start": 0.5, "word": "world."},
        ],
        "text": "Hello, world.",
    }


def test_without_words_there_is_only_the_text() -> None:
    options = VoskOptions(has_words=False)
    assert result_body([final("Hello.")], options) == {"text": "Hello."}
    assert result_body([], VoskOptions()) == {"text": ""}


def test_plain_text_has_neither_capitals_nor_punctuation() -> None:
    body = result_body([final("Yes - I do!")], PLAIN)
    assert body["text"] == "yes i do" == " ".join(word["word"] for word in body["result"])
    assert partial_body(["Yes, I"], PLAIN) == {"partial": "yes i"}


def test_words_without_times_get_approximate_ones() -> None:
    words = result_body([final("One two", has_words=False)], VoskOptions())["result"]
    assert [word["word"] for word in words] == ["One", "two"]
    assert (words[0]["start"], words[-1]["end"]) == (0.0, 1.0)


def test_several_utterances_are_joined_as_their_language_joins_words() -> None:
    assert result_body([final("One."), final("Two.")], VoskOptions())["text"] == "One. Two."
    japanese = [final("こんにちは。", "ja"), final("世界。", "ja")]
    assert result_body(japanese, VoskOptions())["text"] == "こんにちは。世界。"
    assert partial_body([" One. ", "", "Two"], VoskOptions()) == {"partial": "One. Two"}


def test_there_is_only_one_alternative() -> None:
    options = VoskOptions(has_alternatives=True)
    [alternative] = result_body([final("Hello.")], options)["alternatives"]
    assert (alternative["confidence"], alternative["text"]) == (0.5, "Hello.")
    assert len(alternative["result"]) == 1
    assert result_body([], options) == {"alternatives": [{"confidence": 1.0, "text": ""}]}
