"""Which audio the rows of jobs need and keep, in both databases."""

import pytest

from auricle.ledger.databases.database import Database
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import Claim, claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import LedgerFull
from auricle.values.types import ClientId
from tests.support.ledger import a_spec

KEY = ClientId("key")
QUOTA = Quota(max_jobs=1000, max_ended_jobs=1000, max_audio_bytes=10**9)
DONE = Outcome(JobState.DONE, keep_s=60)
HOUR_S = 3600.0
NOW = 1.8e9


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, "gateway-1", Outcome(JobState.FAILED, keep_s=60))


def lease(ledger: Ledger) -> Claim:
    job = ledger.lease(NOW)
    assert job is not None
    return claim_of(job)


def test_audio_is_needed_until_the_last_job_that_refers_to_it_has_ended(ledger: Ledger) -> None:
    ledger.accept(a_spec("1", audio="shared"), QUOTA, NOW)
    ledger.accept(a_spec("2", audio="shared"), QUOTA, NOW)
    ledger.finish(lease(ledger), DONE, NOW)

    assert ledger.needed_audio(["shared", "orphan"]) == {"shared"}
    ledger.finish(lease(ledger), DONE, NOW)
    assert ledger.needed_audio(["shared", "orphan"]) == set()


def test_kept_audio_is_needed_until_its_time_is_over(ledger: Ledger) -> None:
    ledger.accept(a_spec("1", audio="kept", keep_audio_s=HOUR_S), QUOTA, NOW)
    ledger.accept(a_spec("2", audio="other"), QUOTA, NOW)
    ledger.finish(lease(ledger), DONE, NOW)
    ledger.finish(lease(ledger), DONE, NOW)

    assert ledger.needed_audio(["kept", "other"]) == {"kept"}
    assert ledger.expired_audio(NOW + HOUR_S - 1) == {}
    expired = ledger.expired_audio(NOW + HOUR_S)
    assert list(expired.values()) == ["kept"]
    assert ledger.expired_audio(NOW + HOUR_S) == expired
    ledger.forget_audio(expired)
    assert ledger.expired_audio(NOW + HOUR_S) == {}
    assert ledger.needed_audio(["kept"]) == set()


def test_a_job_is_kept_as_long_as_its_audio(ledger: Ledger) -> None:
    ledger.accept(a_spec(keep_audio_s=HOUR_S), QUOTA, NOW)
    ledger.finish(lease(ledger), DONE, NOW)

    assert ledger.expire(NOW + HOUR_S - 1) == 0
    assert ledger.expire(NOW + HOUR_S) == 0
    ledger.forget_audio(ledger.expired_audio(NOW + HOUR_S))
    assert ledger.expire(NOW + HOUR_S) == 1


def test_kept_audio_counts_against_the_quota_of_its_owner(ledger: Ledger) -> None:
    quota = Quota(max_jobs=9, max_ended_jobs=1000, max_audio_bytes=1500)
    ledger.accept(a_spec("1", audio_bytes=1000, keep_audio_s=HOUR_S), quota, NOW)
    ledger.finish(lease(ledger), DONE, NOW)

    with pytest.raises(LedgerFull):
        ledger.accept(a_spec("2", audio_bytes=501), quota, NOW)
    ledger.accept(a_spec("2", "other", audio_bytes=501), quota, NOW)
    ledger.forget_audio(ledger.expired_audio(NOW + HOUR_S))
    ledger.accept(a_spec("2", audio_bytes=501), quota, NOW)


def test_the_jobs_of_an_owner_are_deleted_after_their_audio(ledger: Ledger) -> None:
    ledger.accept(a_spec("1", audio="kept", keep_audio_s=HOUR_S), QUOTA, NOW)
    ledger.accept(a_spec("1", "other", audio="others", keep_audio_s=HOUR_S), QUOTA, NOW)
    ledger.finish(lease(ledger), DONE, NOW)
    ledger.finish(lease(ledger), DONE, NOW)
    owner = a_spec().owner

    ledger.expire_audio(owner)
    assert ledger.forget(owner) == 0
    expired = ledger.expired_audio(NOW)
    assert list(expired.values()) == ["kept"]
    ledger.forget_audio(expired)
    assert ledger.forget(owner) == 1
