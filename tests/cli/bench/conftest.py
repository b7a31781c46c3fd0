"""Fixtures: settings of a server with the scripted engine."""

from pathlib import Path

import pytest

from auricle.config.settings import Settings
from tests.support.command import environment


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings of the scripted engine, which children also find in the environment."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Settings.load()
