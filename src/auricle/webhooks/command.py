"""``auricle keys webhook-secret``: show the secret of a key."""

from typing import Annotated

import typer

from auricle.cli.support.console import results
from auricle.cli.support.setting_options import setting
from auricle.config.settings import Settings
from auricle.values.errors import SetupError
from auricle.webhooks.settings import WebhookSettings


def webhook_secret(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of the key; omit it on a server without keys."),
    ] = None,
    keys_file: Annotated[str | None, setting("keys_file")] = None,
) -> None:
    """Show the secret with which receivers verify the webhooks of a key.

    It is derived from AURICLE_WEBHOOK_SECRET and the key's name. Give it to the owner of the key.
    """
    from auricle.server.access.key_file import read_keys
    from auricle.server.access.keyring import Keyring
    from auricle.values.types import ANONYMOUS, ClientId
    from auricle.webhooks.request import secret_of_owner, written_secret

    settings = Settings.load({"keys_file": keys_file})
    if (secret := settings.section(WebhookSettings).webhook_secret) is None:
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
