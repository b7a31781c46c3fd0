"""Long results are rendered one after another."""

from pathlib import Path

import pytest

from tests.apis.test_long_results import WAV, assert_its_result_waits
from tests.support.service import keys, live

pytestmark = pytest.mark.server


async def test_long_subtitles_wait_for_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"files": {"audio_file": ("a.wav", WAV)}}
    async with live(tmp_path, api_keys=keys("alice:alice-key"), asr_webservice=True) as service:
        await assert_its_result_waits(service, "/asr?output=srt", dict(form), monkeypatch)
