"""The resilience suite's driver of this protocol, against Auricle."""

from pathlib import Path

import pytest

from tests.support.resilience_suite import finals_of
from tests.support.service import live

pytestmark = pytest.mark.server


async def test_the_driver_receives_all_finals(tmp_path: Path) -> None:
    async with live(tmp_path) as service:
        url = f"ws://127.0.0.1:{service.port}/v1/listen"
        assert set(await finals_of("deepgram", url)) == {"hello"}  # it ends utterances early
