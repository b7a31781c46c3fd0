"""The options of ``auricle serve``."""

from pathlib import Path

import httpx2
import pytest

from tests.support.command import serving

pytestmark = pytest.mark.process


def test_options_win_over_variables(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", "--decode-workers", "1", workers=3) as (_, url):
        health = httpx2.get(f"{url}/health").json()
        assert len(health["workers"]) == len(health["decode_workers"]) == 1
