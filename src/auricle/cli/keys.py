"""``auricle keys``: makes, lists and removes the keys of ``AURICLE_KEYS_FILE``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from auricle.cli.console import errors, results
from auricle.cli.options import setting
from auricle.config import Settings
from auricle.errors import SetupError

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Who the key is for; logs show it.")]
_File = Annotated[str | None, setting("keys_file")]


def add(name: _Name, keys_file: _File = None) -> None:
    """Make a key and show it, once.

    The file keeps its hash only. A server that runs with the file takes the key within a second or
    two.
    """
    from auricle.server.keys import add_key

    path = _path(keys_file)
    key = add_key(path, name)
    errors.print(f"{path} has the hash of {name}'s key. This is the key:", markup=False)
    results.print(key, markup=False)


def list_keys(keys_file: _File = None) -> None:
    """List the names of the keys, with the beginnings of their hashes."""
    from auricle.server.keys import read_keys

    table = Table("name", "hash", box=None, pad_edge=False)
    for key in read_keys(_path(keys_file)):
        table.add_row(key.name, f"{key.hash.hex()[:8]}…")
    results.print(table)


def remove(name: _Name, keys_file: _File = None) -> None:
    """Remove a key: neither it nor a token made with it begins anything any more.

    A live session that is connected goes on until it ends.
    """
    from auricle.server.keys import remove_key

    path = _path(keys_file)
    remove_key(path, name)
    errors.print(f"{name} is removed from {path}.", markup=False)


def _path(keys_file: str | None) -> Path:
    path = Settings.load({"keys_file": keys_file}).server.keys_file
    if path is None:
        raise SetupError("Say which file: AURICLE_KEYS_FILE=FILE, or --keys-file FILE.")
    return path
