import pytest

from auricle.ledger.jobs.quota import (
    FULL_RETRY_S,
    Quota,
    Share,
    Usage,
    check_quota,
    owners_in_turn,
    usage_ahead,
)
from auricle.values.errors import LedgerFull

pytestmark = pytest.mark.unit

QUOTA = Quota(max_jobs=3, max_ended_jobs=5, max_audio_bytes=100)


def test_jobs_and_audio_up_to_the_quota_are_accepted() -> None:
    check_quota(Usage(jobs=2, audio_bytes=90, ended_jobs=4), 10, QUOTA)


UNFINISHED = "This key has too many unfinished jobs or too much kept audio; try again later."
ENDED = "This key has too many ended jobs; delete those whose results you have, or try again later."


@pytest.mark.parametrize(
    ("usage", "audio_bytes", "message"),
    [
        (Usage(jobs=3), 0, UNFINISHED),
        (Usage(jobs=1, audio_bytes=90), 11, UNFINISHED),
        (Usage(ended_jobs=5), 0, ENDED),
    ],
)
def test_more_than_the_quota_is_refused(usage: Usage, audio_bytes: int, message: str) -> None:
    with pytest.raises(LedgerFull) as refusal:
        check_quota(usage, audio_bytes, QUOTA)

    assert (refusal.value.code, refusal.value.http_status) == ("ledger_full", 503)
    assert (str(refusal.value), refusal.value.retry_after_s) == (message, FULL_RETRY_S)


def test_the_owner_with_the_fewest_running_jobs_is_next_and_the_oldest_job_among_equals() -> None:
    shares = [
        Share("busy", queued=1, running=2, oldest=1),
        Share("late", queued=9, running=0, oldest=7),
        Share("early", queued=1, running=0, oldest=5),
        Share("done", queued=0, running=1, oldest=0),
    ]

    assert owners_in_turn(shares) == ["early", "late", "busy"]


def test_of_other_owners_as_many_jobs_come_first_as_of_the_jobs_own() -> None:
    queued_of = {"key": Usage(5, 500), "few": Usage(1, 7), "many": Usage(100, 1001)}
    assert usage_ahead("key", Usage(2, 200), queued_of) == Usage(2 + 1 + 3, 200 + 7 + 30)
