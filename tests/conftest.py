"""What all tests share."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.surroundings import settle

settle()

# No property is timed: a busy machine would fail it.
settings.register_profile("auricle", deadline=None)
# For research/mutants.py: the same examples each time, and one that fails is enough.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("auricle")

# Scripted engines leave marks in the tests' folders, and coverage writes beside the sources.
WRITABLE = f"{tempfile.gettempdir()},{Path(__file__).parents[1]}"
os.environ["AURICLE_SANDBOX_FOLDERS"] = WRITABLE


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
