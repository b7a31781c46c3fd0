"""Background jobs as callers see them: refused, kept and deleted."""

from pathlib import Path

import pytest

from auricle.errors import LedgerUnavailable
from auricle.server.transcription.background_jobs.requests import delete_job
from auricle.types import ANONYMOUS
from tests.support.jobs import accept, audio_settings, ended, running, stored
from tests.support.s3 import S3Server
from tests.support.service import poll_until
from tests.support.tcp_proxy import proxy_to

__all__ = ["audio_settings"]

pytestmark = pytest.mark.server


async def test_a_job_is_refused_while_its_audio_cannot_be_stored(
    tmp_path: Path, s3: S3Server, bucket_settings: dict[str, str]
) -> None:
    async with proxy_to(s3.port) as proxy:
        proxied = bucket_settings | {"audio_endpoint": proxy.url}
        async with running(tmp_path, **proxied) as service:
            proxy.is_refusing = True
            proxy.cut()
            with pytest.raises(LedgerUnavailable) as refusal:
                await accept(service)
            assert service.state.running.ledger.find(ANONYMOUS, "job") is None
    assert (refusal.value.http_status, refusal.value.retry_after_s) == (503, 30)


@pytest.mark.parametrize(("setting_s", "request_s", "kept"), [(0, 60, 1), (3600, 0, 0)])
async def test_a_request_sets_its_own_retention_of_audio(
    tmp_path: Path, setting_s: float, request_s: float, kept: int
) -> None:
    async with running(tmp_path, keep_audio_s=setting_s) as service:
        await accept(service, keep_audio_s=request_s)
        await ended(service)
        await poll_until(service.is_at_rest)
        assert len(stored(service)) == kept


async def test_deleting_a_job_deletes_its_kept_audio(
    tmp_path: Path, audio_settings: dict[str, str]
) -> None:
    async with running(tmp_path, keep_audio_s=3600, **audio_settings) as service:
        await accept(service)
        await ended(service)
        await poll_until(service.is_at_rest)
        await delete_job(service.state, ANONYMOUS, "job")
        assert stored(service) == []
