"""What the settings say of background jobs."""

from pathlib import Path

import pytest

from auricle.config.sections.ledger import LedgerSettings
from tests.support.service import opened

pytestmark = pytest.mark.server


async def test_the_settings_limit_jobs_and_how_long_their_audio_is_kept(tmp_path: Path) -> None:
    settings = LedgerSettings(
        state_dir=tmp_path / "state", key_jobs=3, key_jobs_mb=2.5, keep_audio_s=60
    )
    async with opened(tmp_path / "spool", ledger=settings) as service:
        jobs = service.state.jobs
        assert (jobs.quota.max_jobs, jobs.quota.max_audio_bytes) == (3, 2_500_000)
        assert (jobs.keep_audio_s(None), jobs.keep_audio_s(0.0)) == (60, 0)
        assert not jobs.shares_audio
