"""``auricle keys``: create, list and remove keys in ``AURICLE_KEYS_FILE``; show webhook secrets."""

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


def remove(name: _Name, keys_file: _File = None) -> None:
    """Remove a key; it and its tokens can no longer start requests or sessions.

    Connected live sessions continue until they end.
    """
    from auricle.server.access.key_file import remove_key

    path = _path(keys_file)
    remove_key(path, name)
    errors.print(f"{name} was removed from {path}.")


def webhook_secret(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of the key; omit it on a server without keys."),
    ] = None,
    keys_file: _File = None,
) -> None:
    """Show the secret with which receivers verify the webhooks of a key.

    It is derived from AURICLE_WEBHOOK_SECRET and the key's name. Give it to the owner of the key.
    """
    from auricle.ledger.webhooks.request import secret_of_owner, written_secret
    from auricle.server.access.key_file import read_keys
    from auricle.server.access.keyring import Keyring
    from auricle.values.types import ANONYMOUS, ClientId

    settings = Settings.load({"keys_file": keys_file})
    if (secret := settings.ledger.webhook_secret) is None:
        raise SetupError("The server sends no webhooks: set AURICLE_WEBHOOK_SECRET.")
    path = settings.server.keys_file
    keyring = Keyring(settings.server.api_keys, stored=None if path is None else read_keys(path))
    if keyring.has_keys:
        if name is None or keyring.limits_of(ClientId(name)) is None:
            raise SetupError("No such key; the log and `auricle keys list` show the names.")
    elif name is not None:
        raise SetupError("No keys are configured: omit NAME, or set AURICLE_KEYS_FILE.")
    owner = ANONYMOUS if name is None else ClientId(name)
    results.print(written_secret(secret_of_owner(secret.get_secret_value().encode(), owner)))


def _path(keys_file: str | None) -> Path:
    path = Settings.load({"keys_file": keys_file}).server.keys_file
    if path is None:
        raise SetupError("No key file: set AURICLE_KEYS_FILE=FILE or --keys-file FILE.")
    return path
