"""Output of the command line: results to stdout, all other messages to stderr."""

import functools
import io
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TextIO, TypeVar

import typer
from rich.console import Console

from auricle.values.errors import AuricleError

EXIT_UNUSABLE = 2
"""Settings, model, port or files can't be used; nothing was done."""
INSTALL_SERVER = "install Auricle with the extra `server`, as auricle[server]"
"""What makes the commands work that recognise speech on this machine; the package is not on an
index yet, so this is no command."""
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as in shells."""


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; ``None`` is a stream closed at startup."""
    return stream is not None and stream.isatty()


def prepare_stdout() -> None:
    """Prevent failures on characters that the locale's encoding lacks.

    A terminal shows them as ``?``; files and pipes are written in UTF-8, as with ``-o FILE``.
    """
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        return
    if stream.isatty() or "PYTHONIOENCODING" in os.environ:
        stream.reconfigure(errors="replace")
    else:
        stream.reconfigure(
            encoding="utf-8", errors="surrogateescape"
        )  # keeps undecodable file names


P = ParamSpec("P")
R = TypeVar("R")

# Without markup: Rich would interpret "[cluster]" in a message as a style and omit it.
results = Console(highlight=False, soft_wrap=True, markup=False)
wide_results = Console(width=160, highlight=False, soft_wrap=True, markup=False)
"""For tables: one line for each row, also on a narrow terminal."""
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print a command's expected errors as one line without a traceback.

    A missing package is one of them: the server's packages are not installed with the client.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AuricleError as exc:
            errors.print(f"auricle: {exc}", style="red")
            raise typer.Exit(EXIT_UNUSABLE) from exc
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] in ("", "auricle"):
                raise
            message = (
                f"This command requires the server's packages, and {exc.name} is not installed: "
                f"{INSTALL_SERVER}."
            )
            errors.print(f"auricle: {message}", style="red")
            raise typer.Exit(EXIT_UNUSABLE) from exc
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None

    return run
