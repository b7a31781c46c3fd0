"""Where the command line writes: results to stdout, all that is said beside them to stderr."""

import functools
import io
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TextIO, TypeVar

import typer
from rich.console import Console

from auricle.errors import AuricleError

EXIT_UNUSABLE = 2
"""Settings, model, port or files can't be used as asked: nothing was done."""
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as a shell has it."""


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person reads a stream; ``None`` is one that was closed from the start."""
    return stream is not None and stream.isatty()


def prepare_stdout() -> None:
    """Let no character that the locale lacks end a command and lose its results.

    On a terminal it is shown as ``?``; files and pipes get UTF-8, as ``-o FILE`` does.
    """
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        return
    if stream.isatty() or "PYTHONIOENCODING" in os.environ:
        stream.reconfigure(errors="replace")
    else:
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # names of files as they are


P = ParamSpec("P")
R = TypeVar("R")

# Without markup: Rich would take "[cluster]" in a message for a style and leave it out.
results = Console(highlight=False, soft_wrap=True, markup=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command's errors that people can do something about one line, and no traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AuricleError as exc:
            errors.print(f"auricle: {exc}", style="red")
            raise typer.Exit(EXIT_UNUSABLE) from exc
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None

    return run
