"""What all tests share."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# No property is timed: a busy machine would fail it.
settings.register_profile("auricle", deadline=None)
settings.load_profile("auricle")

# Scripted engines leave marks in the tests' folders, and coverage writes beside the sources.
WRITABLE = f"{tempfile.gettempdir()},{Path(__file__).parents[1]}"
os.environ.setdefault("AURICLE_SANDBOX_FOLDERS", WRITABLE)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
