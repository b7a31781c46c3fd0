"""What can be said of the speech itself: the options that ``transcribe`` and ``live`` share."""

from typing import Annotated

import typer

from auricle.errors import BadRequest, SetupError
from auricle.languages import language_choice
from auricle.protocol.subtitle_layout import MAX_LINE_WIDTH, MAX_LINES, MIN_LINE_WIDTH
from auricle.types import Task

Language = Annotated[
    str | None,
    typer.Option(
        help="A code or English name, as [bold]en[/]; several, as [bold]de,en[/], are what it "
        "may be. Left out, it is detected."
    ),
]
TaskChoice = Annotated[Task, typer.Option(help="Write what is said, or translate it to English.")]
WordTimestamps = Annotated[bool, typer.Option("--word-timestamps", help="Times of words, in JSON.")]
MaxLineWidth = Annotated[
    int,
    typer.Option(
        min=MIN_LINE_WIDTH,
        max=MAX_LINE_WIDTH,
        help="Characters on a line of subtitles; East Asian ones count twice.",
    ),
]
MaxLines = Annotated[int, typer.Option(min=1, max=MAX_LINES, help="Lines that are shown together.")]
Prompt = Annotated[str | None, typer.Option(help="Text that came before, for names and style.")]
Hotwords = Annotated[str | None, typer.Option(help="Words to expect, separated by commas.")]


def languages_of(named: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the language that is named, or those that it may be; neither: it is detected.

    Raises:
        SetupError: There is no such language.
    """
    try:
        return language_choice(None, (named or "").split(","))
    except BadRequest:
        raise SetupError(
            f"There is no language {named!r}; use a code such as en or pt-BR, or an English name."
        ) from None


def words_of(hotwords: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    return tuple(word for raw in (hotwords or "").split(",") if (word := raw.strip()))
