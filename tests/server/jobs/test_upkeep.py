"""Upkeep: kept audio, orphans, and clocks that jump."""

import time
from pathlib import Path

import pytest
from anyio import to_thread

from auricle.server.jobs.upkeep import (
    ORPHAN_S,
    SweepHorizon,
    delete_expired,
    sweep_audio,
)
from auricle.values.errors import LedgerUnavailable
from auricle.values.types import ANONYMOUS
from tests.support.jobs import FAR_FUTURE, NEVER, accept, audio_settings, ended, running, stored
from tests.support.s3 import S3Server
from tests.support.service import poll_until
from tests.support.tcp_proxy import proxy_to

__all__ = ["audio_settings"]

pytestmark = pytest.mark.server


async def test_audio_is_kept_for_the_time_of_the_setting(
    tmp_path: Path, audio_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, keep_audio_s=3600, **audio_settings) as service:
        await accept(service)
        job = await ended(service)
        await poll_until(service.is_at_rest)
        delete_expired(service.state.storage)
        assert stored(service) == [job.spec.audio]

        monkeypatch.setattr(time, "time", lambda: float(job.audio_until or 0))
        delete_expired(service.state.storage)
        assert stored(service) == []


async def test_kept_audio_that_could_not_be_deleted_is_deleted_later(
    tmp_path: Path, s3: S3Server, bucket_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy_to(s3.port) as proxy:
        proxied = bucket_settings | {"audio_endpoint": proxy.url}
        async with running(tmp_path, keep_audio_s=3600, **proxied) as service:
            await accept(service)
            job = await ended(service)
            await poll_until(service.is_at_rest)
            monkeypatch.setattr(time, "time", lambda: float(job.audio_until or 0))
            proxy.is_refusing = True
            proxy.cut()
            with pytest.raises(LedgerUnavailable):
                await to_thread.run_sync(delete_expired, service.state.storage)
            proxy.is_refusing = False
            assert await to_thread.run_sync(stored, service) == [job.spec.audio]
            await to_thread.run_sync(delete_expired, service.state.storage)
            assert await to_thread.run_sync(stored, service) == []


async def test_jobs_expire_while_the_audio_of_others_cannot_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as service:
        await accept(service, keep_audio_s=3600)
        await ended(service)
        await accept(service, job_id="other")
        await ended(service, "other")
        await poll_until(service.is_at_rest)
        ledger, (name,) = service.state.storage.ledger, stored(service)
        audio = tmp_path / "state" / "audio" / name
        audio.unlink()
        audio.mkdir()  # can't be deleted as a file
        monkeypatch.setattr(time, "time", lambda: FAR_FUTURE)
        with pytest.raises(LedgerUnavailable):
            delete_expired(service.state.storage)
        assert ledger.find(ANONYMOUS, "other") is None
        assert ledger.find(ANONYMOUS, "job") is not None

        audio.rmdir()
        delete_expired(service.state.storage)
        assert ledger.find(ANONYMOUS, "job") is None


async def test_a_sweep_deletes_old_orphans_of_each_store(
    tmp_path: Path, audio_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF")
    async with running(tmp_path, **audio_settings) as service:
        orphan = service.state.storage.audio.put(upload)
        sweep_audio(service.state.jobs, NEVER)
        assert stored(service) == [orphan]

        monkeypatch.setattr(time, "time", lambda: FAR_FUTURE)
        sweep_audio(service.state.jobs, FAR_FUTURE)
        assert stored(service) == []


@pytest.mark.parametrize("jump_s", [-3600, 0, 3600])
@pytest.mark.parametrize("stored_s", [100.0, 0.5 * ORPHAN_S, 5 * ORPHAN_S])
def test_audio_in_acceptance_is_not_taken_for_an_orphan_when_the_clock_jumps(
    jump_s: float, stored_s: float
) -> None:
    began_at, horizon = 1.8e9, SweepHorizon(1.8e9, 0.0)
    for elapsed_s in range(0, int(stored_s), 60):
        horizon.stored_before(began_at + elapsed_s, elapsed_s)
    stored_at = began_at + stored_s + jump_s
    for elapsed_s in range(int(stored_s), int(stored_s + ORPHAN_S), 60):
        assert horizon.stored_before(began_at + elapsed_s + jump_s, elapsed_s) <= stored_at


def test_audio_whose_job_could_not_be_stored_becomes_an_orphan() -> None:
    stored_at, horizon = 1.8e9 + 100, SweepHorizon(1.8e9, 0.0)
    limits = [horizon.stored_before(1.8e9 + s, s) for s in range(0, int(4 * ORPHAN_S), 60)]

    assert limits[-1] > stored_at
