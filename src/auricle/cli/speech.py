"""What can be said of the speech itself: the options that ``transcribe`` and ``live`` share."""

from typing import Annotated

import typer

from auricle.errors import SetupError
from auricle.languages import LANGUAGES
from auricle.types import Task

Language = Annotated[
    str | None, typer.Option(help="Its code, as [bold]en[/]; without it, it is detected.")
]
TaskChoice = Annotated[Task, typer.Option(help="Write what is said, or translate it to English.")]
WordTimestamps = Annotated[bool, typer.Option("--word-timestamps", help="Times of words, in JSON.")]
Prompt = Annotated[str | None, typer.Option(help="Text that came before, for names and style.")]
Hotwords = Annotated[str | None, typer.Option(help="Words to expect, separated by commas.")]


def language_of(code: str | None) -> str | None:
    """Return the language that is named; ``None`` if it is to be detected.

    Raises:
        SetupError: There is no such language.
    """
    if code in (None, "auto"):
        return None
    if code not in LANGUAGES:
        raise SetupError(f"There is no language {code!r}; codes are like en, de, fr or zh.")
    return code


def words_of(hotwords: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    return tuple(word for raw in (hotwords or "").split(",") if (word := raw.strip()))
