"""The real Whisper base, joined once for all test runs."""

from functools import cache
from pathlib import Path

from auricle.engines.whisper.models.bundled import ensure_bundled_base

CACHE_DIR = Path(__file__).parents[2] / ".cache" / "auricle"


@cache
def bundled_model() -> Path:
    return ensure_bundled_base(CACHE_DIR)
