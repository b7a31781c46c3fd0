"""The command line finds what it knows of webhooks."""

import pytest

from auricle.cli.part import find_parts, webhooks_of_parts
from auricle.config.settings import Settings
from auricle.webhooks.check import check_webhooks
from auricle.webhooks.opening import open_webhooks
from auricle.webhooks.part import PART

pytestmark = pytest.mark.unit


def test_the_doctor_finds_the_check_and_servers_what_sends() -> None:
    assert PART in find_parts()
    assert check_webhooks in PART.checks()
    assert webhooks_of_parts() is open_webhooks


def test_webhooks_recognise_nothing() -> None:
    assert PART.engine(Settings()) is None
