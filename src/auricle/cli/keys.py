"""``auricle keys``: makes, lists and removes the keys of ``AURICLE_KEYS_FILE``."""

from pathlib import Path
from typing import Annotated

import typer
import typer.models
from rich.table import Table

from auricle.cli.console import errors, results
from auricle.cli.options import setting
from auricle.config import Settings
from auricle.errors import SetupError

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Who the key is for; logs show it.")]
_File = Annotated[str | None, setting("keys_file")]


def _limit(what: str) -> typer.models.OptionInfo:
    """Return the option of a limit, which the file holds and no setting."""
    option: typer.models.OptionInfo = typer.Option(
        min=0, max=999_999_999, help=f"{what}; 0: no limit. Left out: as the settings say."
    )
    return option


def add(
    name: _Name,
    sessions: Annotated[int | None, _limit("Most live sessions at once")] = None,
    audio_s: Annotated[int | None, _limit("Most seconds of audio a minute")] = None,
    requests: Annotated[int | None, _limit("Most requests a minute")] = None,
    keys_file: _File = None,
) -> None:
    """Make a key and show it, once.

    The file keeps its hash only. A server that runs with the file takes the key within a second or
    two.
    """
    from auricle.server.access.key_file import add_key
    from auricle.server.access.rate_limits import KeyLimits

    path = _path(keys_file)
    key = add_key(path, name, KeyLimits(sessions, audio_s, requests))
    errors.print(f"{path} has the hash of {name}'s key. This is the key:")
    results.print(key)


def list_keys(keys_file: _File = None) -> None:
    """List the names of the keys, with the beginnings of their hashes, and their own limits."""
    from auricle.server.access.key_file import read_keys

    table = Table("name", "hash", "limits", box=None, pad_edge=False)
    for key in read_keys(_path(keys_file)):
        table.add_row(key.name, f"{key.hash.hex()[:8]}…", key.limits.text())
    results.print(table)


def remove(name: _Name, keys_file: _File = None) -> None:
    """Remove a key: neither it nor a token made with it begins anything any more.

    A live session that is connected goes on until it ends.
    """
    from auricle.server.access.key_file import remove_key

    path = _path(keys_file)
    remove_key(path, name)
    errors.print(f"{name} is removed from {path}.")


def _path(keys_file: str | None) -> Path:
    path = Settings.load({"keys_file": keys_file}).server.keys_file
    if path is None:
        raise SetupError("Say which file: AURICLE_KEYS_FILE=FILE, or --keys-file FILE.")
    return path
