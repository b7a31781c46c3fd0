import pytest

from auricle.apis.openai_realtime.wire.continued_text import text_after

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "said", "rest"),
    [
        ("And so my fellow", "And so", "my fellow"),
        ("And so, my fellow Americans.", "And so my fellow", "Americans."),
        ("And so", "And so", ""),
        ("And so", "", "And so"),
        ("", "And so", ""),
        ("Well, and so my fellow", "And so", "my fellow"),
        ("So my fellow", "And so my", "fellow"),
        ("I think that a dog saw the cat", "I think that the", "dog saw the cat"),
        ("Something else entirely here", "And so", "entirely here"),
    ],
)
def test_the_rest_of_a_text_follows_what_was_said(text: str, said: str, rest: str) -> None:
    assert text_after(text, said) == rest


def test_without_spaces_the_rest_is_found_by_characters() -> None:
    assert text_after("こんにちは。世界です", "こんにちは世界", is_spaceless=True) == "です"
