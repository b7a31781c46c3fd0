"""``auricle keys``: create, list and remove keys in ``AURICLE_KEYS_FILE``."""

import sys
from pathlib import Path
from typing import Annotated

import typer
import typer.models
from rich.table import Table

from auricle.cli.support.console import errors, results
from auricle.cli.support.setting_options import setting
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key; shown in logs.")]
_File = Annotated[str | None, setting("keys_file")]


def _limit(what: str) -> typer.models.OptionInfo:
    """Return the option of a limit, which is stored in the key file."""
    option: typer.models.OptionInfo = typer.Option(
        min=0, max=999_999_999, help=f"{what}; 0: no limit. Default: the server's settings."
    )
    return option


def add(
    name: _Name,
    sessions: Annotated[int | None, _limit("Maximum live sessions")] = None,
    audio_s: Annotated[int | None, _limit("Maximum audio per minute, in seconds")] = None,
    requests: Annotated[int | None, _limit("Maximum requests per minute")] = None,
    keys_file: _File = None,
) -> None:
    """Create a key and show it once.

    The key file stores only its hash. A server that uses the file accepts the key within two
    seconds.
    """
    from auricle.apis.registry import find_apis
    from auricle.server.access.key_file import add_key
    from auricle.server.access.rate_limits import KeyLimits
    from auricle.server.api_spec import reserved_clients

    path = _path(keys_file)
    key = add_key(path, name, KeyLimits(sessions, audio_s, requests), reserved_clients(find_apis()))
    errors.print(f"The hash of {name}'s key was added to {path}. The key:")
    results.print(key)


def list_keys(keys_file: _File = None) -> None:
    """List the keys with their names, the first digits of their hashes, and their limits."""
    from auricle.server.access.key_file import read_keys

    table = Table("name", "hash", "limits", box=None, pad_edge=False)
    for key in read_keys(_path(keys_file)):
        table.add_row(key.name, f"{key.hash.hex()[:8]}…", key.limits.text())
    results.print(table)


def remove(
    name: _Name,
    keeps_data: Annotated[
        bool,
        typer.Option(
            "--keep-data", help="Keep what the server has stored, for a new key of this name."
        ),
    ] = False,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keys_file: _File = None,
) -> None:
    """Remove a key; it and its tokens can no longer start requests or sessions.

    Connected live sessions continue until they end. The server deletes the transcripts, voices,
    vocabularies and jobs of the key within a minute, also if it is started later.
    """
    from auricle.server.access.key_file import remove_key

    path = _path(keys_file)
    if not (keeps_data or is_sure) and sys.stdin.isatty():
        typer.confirm(f"Delete {name} and what the server has stored for it?", abort=True)
    remove_key(path, name, keeps_data=keeps_data)
    errors.print(f"{name} was removed from {path}.")
    if not keeps_data:
        errors.print(
            f"The server deletes what it has stored for {name} within a minute, unless a key of "
            "this name is added before."
        )


def _path(keys_file: str | None) -> Path:
    path = Settings.load({"keys_file": keys_file}).server.keys_file
    if path is None:
        raise SetupError("No key file: set AURICLE_KEYS_FILE=FILE or --keys-file FILE.")
    return path
