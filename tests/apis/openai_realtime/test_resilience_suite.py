"""The resilience suite's driver of this protocol, against Auricle."""

from pathlib import Path

import pytest

from stt_resilience.drivers import openai_realtime
from tests.support.resilience_suite import finals_of
from tests.support.service import live

pytestmark = pytest.mark.server


@pytest.mark.wall_clock
async def test_the_driver_receives_all_finals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_realtime, "QUIET_S", 0.5)
    async with live(tmp_path) as service:
        url = f"ws://127.0.0.1:{service.port}/v1/realtime?intent=transcription"
        texts = await finals_of("openai-realtime", url)
        assert list(filter(None, texts)) == ["hello"]  # the commit at the end may have an empty one
