"""The command line: ``auricle serve``, ``transcribe``, ``live`` and auxiliary commands.

Each command has a module. Imports that only one command needs happen when it runs.
"""

import inspect
import re
from collections.abc import Callable
from typing import Annotated

import typer

import auricle
from auricle.cli import backup, dev_cert, jobs, keys, models, sessions, settings, transcripts
from auricle.cli.bench.command import bench as bench_command
from auricle.cli.doctor.command import doctor as doctor_command
from auricle.cli.live.command import live as live_command
from auricle.cli.part import find_parts
from auricle.cli.serve.command import serve as serve_command
from auricle.cli.support.console import plain_errors, prepare_stdout
from auricle.cli.transcribe.command import transcribe as transcribe_command

app = typer.Typer(
    name="auricle",
    help="Self-hosted speech to text that stays up.\n\n"
    "Every option of [bold]serve[/] can also be set by an AURICLE_* variable; "
    "[bold]auricle settings[/] lists all of them.",
    epilog="Start with [bold]auricle serve[/] and [bold]auricle live --mic[/], or with "
    "[bold]auricle transcribe FILE[/]. "
    "For diagnostics: [bold]auricle doctor[/].",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"auricle {auricle.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    prepare_stdout()


_NO_MARKUP = re.compile(r"\[(?!bold\]|/\])")
"""A literal bracket. Rich would interpret ``[cluster]`` as a style and omit it."""


def _add(command: Callable[..., None], to: typer.Typer = app, name: str | None = None) -> None:
    """Add a command; its docstring, with the lines of each paragraph joined, is its help.

    ``[bold]…[/]`` is the only markup allowed in a docstring.
    """
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    flowing = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    flowing = _NO_MARKUP.sub(r"\\[", flowing)
    to.command(name, help=flowing)(plain_errors(command))


for _command in (
    serve_command,
    transcribe_command,
    live_command,
    doctor_command,
    bench_command,
    settings.settings,
    dev_cert.dev_cert,
    backup.backup,
    backup.restore,
):
    _add(_command)

_keys = typer.Typer(
    help="Create, list and remove the keys in AURICLE_KEYS_FILE.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_add(keys.add, _keys)
_add(keys.list_keys, _keys, "list")
_add(keys.remove, _keys)
app.add_typer(_keys, name="keys")

_models = typer.Typer(
    help="List, pull, verify and remove models.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)


@_models.callback()
def _list_models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        plain_errors(models.list_models)()


_add(models.list_models, _models, "list")
_add(models.pull, _models)
_add(models.verify, _models)
_add(models.remove, _models)
app.add_typer(_models, name="models")

_jobs = typer.Typer(
    help="List, show, await, cancel and delete background jobs of a server.\n\n"
    "[bold]auricle transcribe --detach FILE[/] starts them, as does POST /utterance?wait=0.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_add(jobs.list_jobs, _jobs, "list")
_add(jobs.show, _jobs)
_add(jobs.wait, _jobs)
_add(jobs.cancel, _jobs)
_add(jobs.delete, _jobs)
app.add_typer(_jobs, name="jobs")

_transcripts = typer.Typer(
    help="List, search, show and delete the transcripts that a server keeps; name their speakers.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_add(transcripts.list_transcripts, _transcripts, "list")
_add(transcripts.search, _transcripts)
_add(transcripts.show, _transcripts)
_add(transcripts.name, _transcripts)
_add(transcripts.merge, _transcripts)
_add(transcripts.delete, _transcripts)
app.add_typer(_transcripts, name="transcripts")

_sessions = typer.Typer(
    help="List live sessions of a server, share one with readers, and withdraw a link.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
_add(sessions.list_sessions, _sessions, "list")
_add(sessions.share, _sessions)
_add(sessions.withdraw, _sessions)
app.add_typer(_sessions, name="sessions")

_groups = {"": app} | {group.name: group.typer_instance for group in app.registered_groups}
for _part in find_parts():
    if (_group := _groups.get(_part.group)) is None:
        _group = typer.Typer(help=_part.help, no_args_is_help=True, rich_markup_mode="rich")
        app.add_typer(_group, name=_part.group)
    for _command in _part.commands():
        _add(_command, _group, _command.__name__.strip("_").replace("_", "-"))
