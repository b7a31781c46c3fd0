"""The resilience suite's drivers of Auricle's own protocol and of files, against Auricle."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auricle.values.errors import NoWorkerReady
from stt_resilience import drivers
from stt_resilience.drivers.base import Lost, Refused
from stt_resilience.servers import Protocol
from stt_resilience.speech import wav
from tests.support.resilience_suite import PCM, finals, finals_of, live_driver, say
from tests.support.service import Live, live

pytestmark = pytest.mark.server


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started


def ws(service: Live) -> str:
    return f"ws://127.0.0.1:{service.port}"


async def test_auricle_s_own_protocol(service: Live) -> None:
    assert await finals_of("auricle", ws(service)) == ["hello"]


async def test_a_cut_session_is_resumed_where_the_server_is(service: Live) -> None:
    driver = live_driver("auricle", ws(service))
    session = await driver.open()
    await say(session, 0, 16_000)
    session.cut()
    with pytest.raises(Lost):
        await finals(session)
    resumed = await driver.open(session)
    assert 0 <= resumed.resume_at <= 16_000
    await say(resumed, resumed.resume_at)
    await resumed.finish()
    assert await finals(resumed) == ["hello"]
    await resumed.close()


async def test_a_refused_session_has_the_time_to_retry(service: Live) -> None:
    service.transcriber.refuse = NoWorkerReady("starting", retry_after_s=7)
    with pytest.raises(Refused) as refused:
        await live_driver("auricle", ws(service)).open()
    assert refused.value.retry_after_s == 7
    assert "503" in refused.value.reason


async def test_files_and_jobs(service: Live) -> None:
    http = f"http://127.0.0.1:{service.port}"
    openai = drivers.files(Protocol("openai-files", f"{http}/v1/audio/transcriptions"))
    assert openai is not None
    assert await openai.submit(wav(PCM)) == "hello"
    assert await finals_of("openai-files", f"{http}/v1/audio/transcriptions") == ["hello"]
