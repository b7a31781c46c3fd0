"""Slow uploads yield to a new one."""

from pathlib import Path

import pytest

from tests.apis.test_slow_uploads import FORM, FORM_START, assert_slow_bodies_yield

pytestmark = pytest.mark.server


async def test_slow_bodies_of_many_addresses_yield_to_a_new_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = ("/asr", FORM, FORM_START % b"audio_file")
    await assert_slow_bodies_yield(door, tmp_path, monkeypatch, asr_webservice=True)
