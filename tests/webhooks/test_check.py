"""What ``auricle doctor`` says of webhooks."""

import pytest

from auricle.cli.support.finding import Level
from auricle.config.settings import Settings
from auricle.webhooks.check import check_webhooks
from auricle.webhooks.settings import WebhookSettings
from tests.support.webhooks import SECRET

pytestmark = pytest.mark.unit


def settings(**own: object) -> Settings:
    return Settings().with_section(WebhookSettings.model_validate(own))


def test_webhooks_to_private_addresses_are_worth_a_word() -> None:
    on = check_webhooks(settings(webhook_secret=SECRET))
    private = check_webhooks(settings(webhook_secret=SECRET, webhook_allow_private=True))
    assert check_webhooks(settings()).level is on.level is Level.OK
    assert private.level is Level.WARNING
    assert "AURICLE_WEBHOOK_ALLOW_PRIVATE" in private.advice
    assert SECRET not in str((on, private))
