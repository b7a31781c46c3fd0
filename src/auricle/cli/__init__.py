"""The command line: ``auricle serve``, ``transcribe``, ``live`` and what helps with them.

One module for each command. What only one of them needs is imported when it runs.
"""

import inspect
import re
from collections.abc import Callable
from typing import Annotated

import typer

import auricle
from auricle.cli import cluster, dev_cert, doctor, keys, live, models, serve, settings, transcribe
from auricle.cli.console import plain_errors, prepare_stdout

app = typer.Typer(
    name="auricle",
    help="Self-hosted speech to text that does not go down.\n\n"
    "Every option of [bold]serve[/] is an AURICLE_* variable too; "
    "[bold]auricle settings[/] lists them all.",
    epilog="Start with [bold]auricle serve[/] and [bold]auricle live --mic[/], or with "
    "[bold]auricle transcribe FILE[/]. "
    "When something is amiss: [bold]auricle doctor[/].",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"auricle {auricle.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    prepare_stdout()


_NO_MARKUP = re.compile(r"\[(?!bold\]|/\])")
"""Opens a bracket that is text: Rich would take ``[cluster]`` for a style and leave it out."""


def _add(command: Callable[..., None], to: typer.Typer = app, name: str | None = None) -> None:
    """Add a command; its docstring is its help, with lines joined that belong together.

    ``[bold]…[/]`` is the only markup in a docstring.
    """
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    flowing = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    flowing = _NO_MARKUP.sub(r"\\[", flowing)
    to.command(name, help=flowing)(plain_errors(command))


for _command in (
    serve.serve,
    transcribe.transcribe,
    live.live,
    models.models,
    doctor.doctor,
    settings.settings,
    dev_cert.dev_cert,
):
    _add(_command)

_keys = typer.Typer(
    help="Make, list and remove the keys of a file: AURICLE_KEYS_FILE.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_add(keys.add, _keys)
_add(keys.list_keys, _keys, "list")
_add(keys.remove, _keys)
app.add_typer(_keys, name="keys")

_cluster = typer.Typer(
    help="Recognisers on Ray Serve, for servers that have none of their own.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_add(cluster.up, _cluster)
app.add_typer(_cluster, name="cluster")
