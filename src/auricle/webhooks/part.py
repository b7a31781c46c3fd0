"""Webhooks, for the command line."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from auricle.cli.part import PartSpec

if TYPE_CHECKING:
    from auricle.cli.support.finding import Finding
    from auricle.config.settings import Settings
    from auricle.server.webhooks import OpenWebhooks


def _commands() -> Sequence[Callable[..., None]]:
    from auricle.webhooks.command import webhook_secret

    return (webhook_secret,)


def _checks() -> "Sequence[Callable[[Settings], Finding]]":
    from auricle.webhooks.check import check_webhooks

    return (check_webhooks,)


def _webhooks() -> "OpenWebhooks":
    from auricle.webhooks.opening import open_webhooks

    return open_webhooks


PART = PartSpec(group="keys", commands=_commands, checks=_checks, webhooks=_webhooks)
