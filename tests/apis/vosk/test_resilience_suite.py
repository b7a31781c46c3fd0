"""The resilience suite's driver of this protocol, against Auricle."""

from pathlib import Path

import pytest

from tests.apis.vosk.service import vosk
from tests.support.resilience_suite import finals_of

pytestmark = pytest.mark.server


async def test_the_driver_receives_all_finals(tmp_path: Path) -> None:
    async with vosk(tmp_path) as service:
        assert await finals_of("vosk", f"ws://127.0.0.1:{service.vosk_port}") == ["hello"]
