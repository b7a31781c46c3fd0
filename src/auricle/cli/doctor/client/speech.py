"""Compare the text that a program received with what was said. No I/O."""

from auricle.cli.doctor.word_errors import word_error_rate
from auricle.cli.support.finding import Finding, Level

MAX_WORD_ERRORS = 0.3
"""Models of the clip's language have 0 to 10 %."""


def speech_finding(said: str, text: str, figures: str) -> Finding:
    """Return whether the text is that of the speech.

    Args:
        said: What is said in the clip.
        text: What the program received.
        figures: Further figures, for the reader.
    """
    if not text.strip():
        advice = "The server answered without text: see its log."
        return Finding("speech", Level.WRONG, "no text", advice)
    errors = word_error_rate(said, text)
    shown = f"{errors:.1%} word errors in {len(said.split())} words, {figures}"
    if errors > MAX_WORD_ERRORS:
        advice = "The clip is in English: a model of other languages can't transcribe it."
        return Finding("speech", Level.WRONG, shown, advice)
    return Finding("speech", Level.OK, shown)
