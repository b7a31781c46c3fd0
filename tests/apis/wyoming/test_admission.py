"""Commands at a full server, over real sockets, on fakes."""

from pathlib import Path

import anyio
import pytest

from auricle.apis.wyoming import live as wyoming_server
from auricle.config.sections.live import LiveSettings
from tests.apis.wyoming.service import spoken, wyoming
from tests.support.poll import poll_until

pytestmark = pytest.mark.server


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_command_at_a_full_server_waits_for_the_end_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wyoming_server, "ADMISSION_WAIT_S", 60.0)
    async with (
        wyoming(tmp_path, LiveSettings(live_speakers=1)) as service,
        service.call() as first,
        service.call() as second,
    ):
        service.transcriber.gate = anyio.Event()
        await first.send(spoken())
        await poll_until(lambda: service.state.live.admission.speakers == 1)
        await second.send(spoken())
        await poll_until(lambda: service.state.live.admission.load().waiting == 1)
        assert service.state.live.connected == 1
        service.transcriber.gate.set()
        for caller in (first, second):
            assert (await caller.until("transcript")).data["text"] == "hello"
            assert caller.of("error") == []
