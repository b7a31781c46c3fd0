import pytest

from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.values.types import ClientId

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")


def test_a_job_is_known_to_its_client_during_its_upload() -> None:
    uploads = UploadingJobs()
    with uploads.add(ALICE, "a1", "t1") as job:
        assert uploads.find(ALICE, "a1") is job
        assert uploads.find(BOB, "a1") is uploads.find(ALICE, "a2") is None
    assert uploads.find(ALICE, "a1") is None
    assert len(uploads) == 0


def test_cancelling_an_id_cancels_all_its_uploads() -> None:
    uploads = UploadingJobs()
    with (
        uploads.add(ALICE, "a1", "t") as first,
        uploads.add(ALICE, "a1", "t") as second,
        uploads.add(BOB, "a1", "t") as other,
    ):
        assert uploads.cancel(ALICE, "a1") is second
        assert (first.is_cancelled, second.is_cancelled) == (True, True)
        assert not other.is_cancelled
    assert uploads.cancel(ALICE, "a1") is None
