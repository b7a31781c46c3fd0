"""What the text that a program received says about a server."""

import pytest

from auricle.cli.doctor.client.speech import speech_finding
from auricle.cli.support.finding import Level

pytestmark = pytest.mark.unit

SAID = "It was a bright morning in April."


def test_the_same_words_are_fine() -> None:
    found = speech_finding(SAID, "it was a bright morning, in april", "1.0 s")
    assert (found.level, found.text) == (Level.OK, "0.0% word errors in 7 words, 1.0 s")


def test_other_words_are_not() -> None:
    found = speech_finding(SAID, "Es war ein heller Morgen im April.", "1.0 s")
    assert found.level is Level.WRONG
    assert "other languages" in found.advice


def test_no_text_is_not() -> None:
    assert speech_finding(SAID, " ", "1.0 s").level is Level.WRONG
