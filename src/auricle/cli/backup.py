"""``auricle backup`` and ``auricle restore``: copies of the jobs and transcripts of a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.support.console import errors
from auricle.cli.support.setting_options import setting
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

if TYPE_CHECKING:
    from auricle.ledger.backup import Copied

_StateDir = Annotated[str | None, setting("state_dir")]


def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the backup; created if missing.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier backup in this folder.")
    ] = False,
    state_dir: _StateDir = None,
) -> None:
    """Back up the jobs and transcripts of a server, which may run.

    FOLDER gets one snapshot of the database, checked for integrity, and the audio that its jobs
    need. Settings, keys and models are not included. Run it as the server's user or as root.

    With AURICLE_DATABASE_URL, the command prints how to back up that database instead.
    """
    from auricle.ledger.backup import back_up
    from auricle.ledger.location import database_at

    settings = Settings.load({"state_dir": state_dir}).ledger
    if settings.database_url is not None:
        shared = database_at(settings.database_url.get_secret_value())
        raise SetupError(
            f"The jobs are in {shared.title}. Back them up with `{shared.backup}`."
            f"{_audio_elsewhere(settings)}"
        )
    copied = back_up(settings.directory, folder, replaces=force)
    errors.print(f"{folder} has {_text(copied)}.{_audio_elsewhere(settings)}")


def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the backup.", show_default=False)
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the jobs that are there.")
    ] = False,
    state_dir: _StateDir = None,
) -> None:
    """Restore a backup of jobs and transcripts; the server must be stopped.

    FOLDER is that of [bold]auricle backup[/], or a copy of a state directory. It is checked before
    anything is replaced. Unfinished jobs continue when the server starts.

    With AURICLE_DATABASE_URL, the command prints how to restore that database instead.
    """
    from auricle.ledger.backup import restore as restore_backup
    from auricle.ledger.location import database_at

    settings = Settings.load({"state_dir": state_dir}).ledger
    if settings.database_url is not None:
        shared = database_at(settings.database_url.get_secret_value())
        raise SetupError(
            f"The jobs are in {shared.title}. Stop all servers, create an empty database, and run "
            f"`{shared.restore}`."
            f"{_audio_elsewhere(settings)}"
        )
    copied = restore_backup(folder, settings.directory, replaces=force)
    errors.print(f"{settings.directory} has {_text(copied)} again.{_audio_elsewhere(settings)}")


def _text(copied: "Copied") -> str:
    return (
        f"{_number(copied.jobs, 'job')} and {_number(copied.transcripts, 'transcript')} "
        f"({copied.database_bytes / 1e6:.1f} MB, checked), and "
        f"{_number(copied.recordings, 'recording')} ({copied.audio_bytes / 1e6:.1f} MB)"
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _audio_elsewhere(settings: LedgerSettings) -> str:
    """Return a sentence on audio that the backup does not have."""
    from auricle.ledger.location import AUDIO_DIRECTORY

    if settings.audio_url is not None:
        return f" The audio is in {settings.audio_url}: back it up as well."
    if settings.database_url is not None:
        return f" The audio is in {settings.directory / AUDIO_DIRECTORY}: back it up as well."
    return ""
