"""Background jobs as callers see them: refused, kept and deleted."""

import threading
from pathlib import Path

import pytest
from anyio import to_thread

from auricle.ledger.databases.database import Transaction
from auricle.server.jobs.background_jobs import requests
from auricle.server.jobs.background_jobs.requests import check_job_quota, delete_job
from auricle.server.storage import EARLY_CHECKS
from auricle.values.errors import LedgerUnavailable
from auricle.values.types import ANONYMOUS
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
            assert service.state.storage.ledger.find(ANONYMOUS, "job") is None
    assert (refusal.value.http_status, refusal.value.retry_after_s) == (503, 30)


async def test_quota_checks_that_wait_for_the_database_take_few_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "EARLY_CHECK_S", 0.01)
    release, is_reading = threading.Event(), threading.Event()

    def read(_: Transaction) -> None:
        is_reading.set()
        release.wait(60)

    async with running(tmp_path) as service:
        reader = threading.Thread(target=lambda: service.state.storage.database.read(read))
        reader.start()
        await to_thread.run_sync(is_reading.wait)
        before = threading.active_count()
        for _ in range(10 * EARLY_CHECKS):
            await check_job_quota(service.state.jobs, ANONYMOUS, "job", 0)
        added = threading.active_count() - before
        release.set()
        await to_thread.run_sync(reader.join)
    assert added < 2 * EARLY_CHECKS


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
        await delete_job(service.state.jobs, ANONYMOUS, "job")
        assert stored(service) == []
