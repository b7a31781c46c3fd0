"""Moonshine's real files, from the package here or in its separate environment."""

from pathlib import Path

import pytest

from auricle.engine.moonshine.model_files import packaged_directory
from tests.support.command import ROOT

ENVIRONMENT = ROOT / ".cache" / "env" / "moonshine"


def moonshine_directory() -> Path:
    """Return the directory of the model; skip the test if the package is not installed."""
    found = [*ENVIRONMENT.glob("lib/python*/site-packages/moonshine_voice/assets/tiny-en")]
    directory = packaged_directory() or next(iter(found), None)
    if directory is None:
        pytest.skip("Moonshine's files are missing: make .cache/env/moonshine/ready")
    return directory
