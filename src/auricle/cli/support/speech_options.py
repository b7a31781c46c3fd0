"""Options for the speech, shared by ``transcribe`` and ``live``."""

from typing import Annotated

import typer

from auricle.text.formats.base import MAX_LINE_WIDTH, MAX_LINES, MIN_LINE_WIDTH
from auricle.values.errors import BadRequest, SetupError
from auricle.values.languages import language_choice
from auricle.values.types import MAX_SPEAKERS, SpeakerOptions, Task

Language = Annotated[
    str | None,
    typer.Option(
        help="Language as a code or English name, e.g. [bold]en[/]; several, e.g. [bold]de,en[/], "
        "restrict detection. Default: detected."
    ),
]
StrictLanguage = Annotated[
    bool,
    typer.Option(
        "--strict-language",
        help="Never transcribe in another language than --language, even if the speech is in it.",
    ),
]
TaskChoice = Annotated[Task, typer.Option(help="Transcribe, or translate to English.")]
ServerModel = Annotated[
    str | None,
    typer.Option(
        "--model", help="Model of the server, as its /v1/models lists it. Default: the server's."
    ),
]
WordTimestamps = Annotated[
    bool, typer.Option("--word-timestamps", help="Include times of words in JSON.")
]
Speakers = Annotated[
    bool, typer.Option("--speakers", help="Say who speaks; costs the server CPU time.")
]
NumSpeakers = Annotated[
    int | None,
    typer.Option(
        "--num-speakers",
        min=1,
        max=MAX_SPEAKERS,
        help="Number of speakers, if it is known; implies --speakers. Default: estimated.",
    ),
]
MaxLineWidth = Annotated[
    int,
    typer.Option(
        min=MIN_LINE_WIDTH,
        max=MAX_LINE_WIDTH,
        help="Characters per line of subtitles; East Asian ones count twice.",
    ),
]
MaxLines = Annotated[int, typer.Option(min=1, max=MAX_LINES, help="Lines per subtitle.")]
Prompt = Annotated[
    str | None, typer.Option("--prompt", help="Text that precedes the audio, for names and style.")
]
Hotwords = Annotated[str | None, typer.Option(help="Expected words, comma-separated.")]
Vocabulary = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Vocabulary of the server. Default: that of the key.",
        show_default=False,
    ),
]


def speaker_options(speakers: bool, num_speakers: int | None) -> SpeakerOptions | None:
    """Return what is known of the speakers; ``None`` if they are not requested."""
    return SpeakerOptions(num_speakers) if speakers or num_speakers else None


def parse_languages(language: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Return the named language, or the languages to which detection is restricted.

    Raises:
        SetupError: A language is unknown.
    """
    try:
        return language_choice(None, (language or "").split(","))
    except BadRequest:
        raise SetupError(
            f"Unsupported language {language!r}; use a code such as en or pt-BR, or an English "
            "name."
        ) from None


def split_hotwords(hotwords: str | None) -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    return tuple(word for raw in (hotwords or "").split(",") if (word := raw.strip()))
