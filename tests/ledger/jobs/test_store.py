"""One suite for both databases: what callers, gateways and the webhook sender rely on."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from auricle.ledger.databases.database import Database
from auricle.ledger.events import ABANDON_S, Event, queue
from auricle.ledger.jobs.events import PROGRESS, subject_of
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import LEASE_S, MAX_LOSSES, Claim, claim_of
from auricle.ledger.jobs.quota import Quota, Usage
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import JobConflict, LeaseLost, LedgerFull
from auricle.values.types import ClientId
from auricle.webhooks.events import StoredEvents
from tests.support.ledger import a_spec, open_at

KEY = ClientId("key")
QUOTA = Quota(max_jobs=1000, max_ended_jobs=1000, max_audio_bytes=10**9)
DONE = Outcome(JobState.DONE, keep_s=60, result=b'{"text": "words"}', text="words")
POISONED = Outcome(JobState.FAILED, keep_s=60, error=b'{"code": "poison_job"}')
HOUR_S = 3600.0
NOW = 1.8e9


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, "gateway-1", POISONED)


@pytest.fixture
def events(database: Database) -> StoredEvents:
    return StoredEvents(database)


@pytest.fixture
def other(database: Database) -> Ledger:
    return Ledger(database, "gateway-2", POISONED)


def accept(ledger: Ledger, job_id: str = "job-1", owner: str = "key", now: float = NOW) -> int:
    job, is_new = ledger.accept(a_spec(job_id, owner), QUOTA, now)
    assert is_new
    return job.number


def lease(ledger: Ledger, now: float = NOW) -> Claim:
    job = ledger.lease(now)
    assert job is not None
    return claim_of(job)


def test_an_accepted_job_is_found_with_all_its_fields(ledger: Ledger) -> None:
    spec = replace(a_spec(callback_url="https://receiver.example"), request=bytes(range(256)))
    accepted, is_new = ledger.accept(spec, QUOTA, NOW)

    assert is_new
    assert accepted.spec == spec
    assert ledger.find(KEY, "job-1") == accepted


def test_an_id_that_no_job_can_have_is_not_found(ledger: Ledger) -> None:
    accept(ledger)

    assert ledger.find(KEY, "job\0-1") is None
    assert ledger.cancel(KEY, "\0", 60, NOW) is None
    assert ledger.delete(KEY, "job-1\0") is None


def test_text_with_a_nul_character_is_stored_without_it(ledger: Ledger) -> None:
    accept(ledger)
    ledger.renew(lease(ledger), NOW, 0.5, "one\0 two")
    job = ledger.find(KEY, "job-1")

    assert job is not None
    assert job.text == "one two"


def test_a_page_contains_no_requests(ledger: Ledger) -> None:
    ledger.accept(replace(a_spec(), request=bytes(100_000)), QUOTA, NOW)

    assert [job.spec.request for job in ledger.page(KEY)] == [b""]


def test_a_job_of_another_owner_is_not_found(ledger: Ledger) -> None:
    accept(ledger)

    assert ledger.find(ClientId("other"), "job-1") is None
    assert ledger.cancel(ClientId("other"), "job-1", 60, NOW) is None
    assert ledger.delete(ClientId("other"), "job-1") is None
    assert ledger.page(ClientId("other")) == []


def test_the_same_submission_is_the_same_job_even_when_it_is_done(ledger: Ledger) -> None:
    number = accept(ledger)
    again = replace(a_spec(), uid="second", audio="second")

    assert ledger.accept(again, QUOTA, NOW)[0].number == number
    ledger.finish(lease(ledger), DONE, NOW)
    job, is_new = ledger.accept(again, QUOTA, NOW)
    assert (job.number, job.state, is_new) == (number, JobState.DONE, False)


def test_an_acceptance_that_is_repeated_after_a_lost_connection_is_still_new(
    ledger: Ledger,
) -> None:
    accept(ledger)
    accept(ledger)


def test_the_same_id_with_other_audio_is_a_conflict_but_not_for_another_owner(
    ledger: Ledger,
) -> None:
    accept(ledger)

    with pytest.raises(JobConflict):
        ledger.accept(a_spec(digest="other"), QUOTA, NOW)
    accept(ledger, owner="other")


def test_unfinished_jobs_count_against_the_quota_of_their_owner(ledger: Ledger) -> None:
    quota = Quota(max_jobs=2, max_ended_jobs=1000, max_audio_bytes=10**9)
    ledger.accept(a_spec("1"), quota, NOW)
    ledger.accept(a_spec("2"), quota, NOW)

    with pytest.raises(LedgerFull):
        ledger.accept(a_spec("3"), quota, NOW)
    ledger.accept(a_spec("3", "other"), quota, NOW)
    ledger.finish(lease(ledger), DONE, NOW)
    ledger.accept(a_spec("3"), quota, NOW)


def test_ended_jobs_count_against_the_quota_until_they_are_deleted_or_expire(
    ledger: Ledger,
) -> None:
    quota = Quota(max_jobs=9, max_ended_jobs=2, max_audio_bytes=10**9)
    for job_id in ("1", "2", "3"):
        ledger.accept(a_spec(job_id), quota, NOW)
    for _ in range(2):
        ledger.finish(lease(ledger), DONE, NOW)

    key = a_spec().owner
    with pytest.raises(LedgerFull, match="ended jobs"):
        ledger.accept(a_spec("4"), quota, NOW)
    with pytest.raises(LedgerFull, match="ended jobs"):
        ledger.check_quota(key, "4", 0, quota)
    assert ledger.accept(a_spec("1"), quota, NOW)[0].state is JobState.DONE
    ledger.accept(a_spec("4", "other"), quota, NOW)
    ledger.delete(key, "1")
    ledger.accept(a_spec("4"), quota, NOW)
    ledger.finish(lease(ledger), DONE, NOW)
    with pytest.raises(LedgerFull, match="ended jobs"):
        ledger.accept(a_spec("5"), quota, NOW)
    assert ledger.expire(NOW + 10**6) == 2
    ledger.accept(a_spec("5"), quota, NOW)


def test_audio_of_unfinished_jobs_counts_against_the_quota(ledger: Ledger) -> None:
    quota = Quota(max_jobs=9, max_ended_jobs=1000, max_audio_bytes=1500)
    ledger.accept(a_spec("1", audio_bytes=1000), quota, NOW)

    with pytest.raises(LedgerFull):
        ledger.accept(a_spec("2", audio_bytes=501), quota, NOW)
    ledger.accept(a_spec("2", audio_bytes=500), quota, NOW)


def test_a_full_quota_is_known_before_the_upload_and_spares_jobs_that_exist(
    ledger: Ledger,
) -> None:
    key, quota = a_spec().owner, Quota(max_jobs=1, max_ended_jobs=1000, max_audio_bytes=1500)
    ledger.check_quota(key, "job-1", 1500, quota)
    with pytest.raises(LedgerFull):
        ledger.check_quota(key, "job-1", 1501, quota)
    ledger.accept(a_spec("job-1"), quota, NOW)
    ledger.check_quota(key, "job-1", 1000, quota)
    with pytest.raises(LedgerFull):
        ledger.check_quota(key, "job-2", 0, quota)


def test_jobs_are_leased_in_the_order_of_acceptance_and_owners_take_turns(ledger: Ledger) -> None:
    for job_id in ("1", "2", "3"):
        accept(ledger, job_id, "busy")
    accept(ledger, "4", "late")
    leased = [job for _ in range(5) if (job := ledger.lease(NOW)) is not None]

    assert [job.spec.job_id for job in leased] == ["1", "4", "2", "3"]


def test_a_leased_job_is_not_leased_again_until_its_lease_expires(
    ledger: Ledger, other: Ledger
) -> None:
    accept(ledger)
    first = lease(ledger)

    assert other.lease(NOW + LEASE_S - 1) is None
    second = other.lease(NOW + LEASE_S)
    assert second is not None
    assert (second.gateway, second.losses) == ("gateway-2", 1)
    assert second.fence > first.fence


def test_a_late_writer_is_refused(ledger: Ledger, other: Ledger) -> None:
    number = accept(ledger)
    late = lease(ledger)
    claim = lease(other, NOW + LEASE_S)
    writes: list[Callable[[], object]] = [
        lambda: ledger.renew(late, NOW, 0.9, "late"),
        lambda: ledger.add_chunk(late, "0", b"late", NOW),
        lambda: ledger.finish(late, DONE, NOW),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    ledger.release(late, NOW)  # no effect

    assert ledger.chunks(number) == {}
    assert other.finish(claim, DONE, NOW).text == "words"


def test_progress_and_text_are_visible_while_the_job_runs(ledger: Ledger) -> None:
    accept(ledger)
    ledger.renew(lease(ledger), NOW, 0.25, "so far")
    job = ledger.find(KEY, "job-1")

    assert job is not None
    assert (job.state, job.progress, job.text) == (JobState.RUNNING, 0.25, "so far")


def test_finished_chunks_outlive_their_gateway_and_are_deleted_with_the_end(
    ledger: Ledger, other: Ledger
) -> None:
    number = accept(ledger)
    claim = lease(ledger)
    ledger.add_chunk(claim, "0", b"\x00zero", NOW)
    ledger.add_chunk(claim, "1", b"one", NOW)
    ledger.add_chunk(claim, "1", b"again", NOW)  # repeated after a lost connection
    successor = lease(other, NOW + LEASE_S)

    assert other.chunks(number) == {"0": b"\x00zero", "1": b"one"}
    other.finish(successor, DONE, NOW)
    assert other.chunks(number) == {}


def test_a_finish_that_is_repeated_has_one_effect(ledger: Ledger, events: StoredEvents) -> None:
    ledger.accept(a_spec(callback_url="https://receiver.example"), QUOTA, NOW)
    claim = lease(ledger)
    first = ledger.finish(claim, DONE, NOW)

    assert ledger.finish(claim, replace(DONE, result=b"other"), NOW + 1) == first
    assert len(events.of(subject_of(first.spec.uid))) == 1


@pytest.mark.parametrize("how", ["finished", "cancelled", "lost"])
def test_the_end_of_a_job_shortens_its_request(database: Database, how: str) -> None:
    ledger = Ledger(database, "gateway-1", POISONED, lambda request: request[:4])
    spec, now = replace(a_spec(), request=b"less and more"), NOW
    ledger.accept(spec, QUOTA, NOW)
    if how == "finished":
        ledger.finish(lease(ledger), DONE, NOW)
    elif how == "cancelled":
        ledger.cancel(KEY, "job-1", 60.0, NOW)
    else:
        while (found := ledger.find(KEY, "job-1")) and not found.state.is_final:
            lease(ledger, now := now + 1000)
            ledger.requeue_all(now)
    ended = ledger.find(KEY, "job-1")
    assert ended is not None
    assert ended.state.is_final
    assert ended.spec == replace(spec, request=b"less")
    assert ledger.accept(replace(spec, uid="again"), QUOTA, NOW) == (ended, False)


def test_a_released_job_is_leased_at_once_and_has_lost_nothing(
    ledger: Ledger, other: Ledger
) -> None:
    accept(ledger)
    claim = lease(ledger)
    ledger.release(claim, NOW)
    ledger.release(claim, NOW)
    job = other.lease(NOW)

    assert job is not None
    assert job.losses == 0


def test_when_a_server_starts_again_its_jobs_need_not_wait_for_their_leases(
    ledger: Ledger, other: Ledger
) -> None:
    accept(ledger)
    lease(ledger)

    assert other.requeue_all(NOW + 1) == 1
    assert other.lease(NOW + 1) is not None


def test_a_job_that_kills_its_gateways_fails_as_poison_with_a_webhook(
    ledger: Ledger, events: StoredEvents
) -> None:
    ledger.accept(a_spec(callback_url="https://receiver.example"), QUOTA, NOW)
    for hour in range(2 * MAX_LOSSES):  # each loss may be followed by a delay
        ledger.lease(NOW + hour * HOUR_S)
    job = ledger.find(KEY, "job-1")

    assert job is not None
    assert (job.state, job.error) == (JobState.FAILED, POISONED.error)
    (delivery,) = events.of(subject_of(job.spec.uid))
    assert delivery.event.id == "uid-key-job-1.failed"


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_jumps_an_hour_loses_and_repeats_nothing(
    ledger: Ledger, other: Ledger, jump_s: float
) -> None:
    number = accept(ledger)
    claim = lease(ledger)

    assert ledger.lease(NOW + jump_s, working_on={number}) is None
    ledger.renew(claim, NOW + jump_s, 0.5, "so far")
    assert other.lease(NOW + jump_s) is None
    assert ledger.finish(claim, DONE, NOW + jump_s).state is JobState.DONE
    assert other.lease(NOW + jump_s + HOUR_S) is None


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_dead_gateways_job_is_taken_over_even_if_the_clock_jumps(
    ledger: Ledger, other: Ledger, jump_s: float
) -> None:
    accept(ledger)
    lease(ledger)

    assert other.lease(NOW + jump_s) is not None


def test_a_cancelled_job_refuses_its_worker_and_stays_cancelled(ledger: Ledger) -> None:
    accept(ledger)
    claim = lease(ledger)
    cancelled = ledger.cancel(KEY, "job-1", 60, NOW)

    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    with pytest.raises(LeaseLost):
        ledger.finish(claim, DONE, NOW)
    assert ledger.cancel(KEY, "job-1", 60, NOW + 1) == cancelled
    assert ledger.lease(NOW + HOUR_S) is None


def test_a_job_deleted_while_it_runs_refuses_its_worker(ledger: Ledger) -> None:
    ledger.accept(a_spec(callback_url="https://receiver.example"), QUOTA, NOW)
    claim = lease(ledger)
    ledger.add_chunk(claim, "0", b"zero", NOW)
    deleted = ledger.delete(KEY, "job-1")

    assert deleted is not None
    assert deleted.number == claim.number
    with pytest.raises(LeaseLost):
        ledger.finish(claim, DONE, NOW)
    assert ledger.find(KEY, "job-1") is None
    assert ledger.chunks(claim.number) == {}


def test_a_number_is_not_used_again_so_that_old_claims_stay_invalid(ledger: Ledger) -> None:
    number = accept(ledger)
    ledger.delete(KEY, "job-1")

    assert accept(ledger) > number


def test_a_page_lists_the_newest_first_without_large_fields(ledger: Ledger) -> None:
    for index in range(5):
        accept(ledger, str(index))
    ledger.finish(lease(ledger), DONE, NOW)
    page = ledger.page(KEY, limit=3)

    assert [job.spec.job_id for job in page] == ["4", "3", "2"]
    rest = ledger.page(KEY, before=page[-1].number)
    assert [job.spec.job_id for job in rest] == ["1", "0"]
    assert (rest[-1].text, rest[-1].result) == ("", None)
    assert [job.spec.job_id for job in ledger.page(KEY, [JobState.DONE])] == ["0"]


def test_a_job_that_is_deleted_leaves_no_events(ledger: Ledger, events: StoredEvents) -> None:
    ledger.accept(a_spec(callback_url="https://receiver.example"), QUOTA, NOW)
    ledger.finish(lease(ledger), DONE, NOW)
    ledger.delete(KEY, "job-1")

    assert events.next_delivery(NOW) is None


def test_the_end_of_a_job_replaces_its_progress(ledger: Ledger, events: StoredEvents) -> None:
    ledger.accept(a_spec(callback_url="https://receiver.example"), QUOTA, NOW)
    job = ledger.lease(NOW)
    assert job is not None
    progressed = Event("progress", PROGRESS, subject_of(job.spec.uid), KEY)
    url = "https://receiver.example"
    ledger.renew(claim_of(job), NOW, 0.5, "so", lambda t: queue(t, progressed, url, NOW))
    assert [each.event.type for each in events.of(subject_of(job.spec.uid))] == ["job.progress"]
    ledger.finish(claim_of(job), DONE, NOW)

    assert [each.event.type for each in events.of(subject_of(job.spec.uid))] == ["job.done"]


def test_a_job_is_found_by_its_acceptance(ledger: Ledger) -> None:
    accept(ledger)

    assert ledger.accepted("uid-key-job-1") == ledger.find(KEY, "job-1")
    assert ledger.accepted("uid-other") is None


def test_expired_jobs_are_deleted_but_not_before_their_webhook_has_ended(
    ledger: Ledger, events: StoredEvents
) -> None:
    accept(ledger, "quiet")
    ledger.accept(a_spec("loud", callback_url="https://receiver.example"), QUOTA, NOW)
    accept(ledger, "unfinished")
    ledger.finish(lease(ledger), DONE, NOW)
    ledger.finish(lease(ledger), DONE, NOW)

    assert ledger.expire(NOW + DONE.keep_s - 1) == 0
    assert ledger.expire(NOW + DONE.keep_s) == 1
    due = events.next_delivery(NOW + HOUR_S)
    assert due is not None
    events.end_attempt(due, 200, NOW + HOUR_S)
    assert ledger.expire(NOW + HOUR_S) == 1
    assert events.of(due.event.subject) == []
    assert [job.spec.job_id for job in ledger.page(KEY)] == ["unfinished"]


def test_a_webhook_that_is_never_sent_does_not_keep_its_job_for_ever(ledger: Ledger) -> None:
    ledger.accept(a_spec(callback_url="https://receiver.example"), QUOTA, NOW)
    ledger.finish(lease(ledger), DONE, NOW)

    assert ledger.expire(NOW + ABANDON_S - 1) == 0
    assert ledger.expire(NOW + ABANDON_S) == 1


def test_the_backlog_counts_unfinished_jobs(ledger: Ledger) -> None:
    assert ledger.backlog().oldest_accepted_at is None
    accept(ledger, "1", now=NOW)
    accept(ledger, "2", now=NOW + 1)
    accept(ledger, "3", now=NOW + 2)
    ledger.finish(lease(ledger), DONE, NOW)
    lease(ledger, NOW + 2)

    backlog = ledger.backlog()
    assert (backlog.queued, backlog.running, backlog.oldest_accepted_at) == (1, 1, NOW + 1)


def test_the_work_before_a_job_is_counted(ledger: Ledger) -> None:
    for job_id, owner in (("1", "key"), ("2", "key"), ("3", "key"), ("1", "other")):
        accept(ledger, job_id, owner)
    ledger.renew(lease(ledger), NOW, 0.25, "")

    last = ledger.find(KEY, "3")
    assert last is not None
    assert ledger.queued_before(last) == Usage(1, 1000)
    backlog = ledger.backlog()
    assert backlog.queued_of == {"key": Usage(2, 2000), "other": Usage(1, 1000)}
    assert (backlog.running, backlog.running_bytes) == (1, 750.0)


def test_what_was_stored_is_there_after_the_database_was_opened_again(location: str) -> None:
    first = open_at(location)
    accept(Ledger(first, "gateway-1", POISONED))
    first.close()
    second = open_at(location)

    assert Ledger(second, "gateway-2", POISONED).lease(NOW) is not None
    second.close()


def test_waiting_for_work_ends_when_a_job_is_accepted(database: Database, ledger: Ledger) -> None:
    database.wait_for_work(0.01)  # PostgreSQL listens from the first call on
    waited: list[bool] = []
    waiter = threading.Thread(target=lambda: waited.append(ledger.wait_for_work(120)))
    waiter.start()
    accept(ledger)
    waiter.join(120)

    assert waited == [True]


def test_many_gateways_lease_each_job_once(database: Database, ledger: Ledger) -> None:
    for index in range(40):
        accept(ledger, str(index), owner=f"key-{index % 3}")
    leased: list[int] = []

    def work(name: str) -> None:
        gateway = Ledger(database, name, POISONED)
        while (job := gateway.lease(NOW)) is not None:
            leased.append(job.number)
            gateway.finish(claim_of(job), DONE, NOW)

    gateways = [threading.Thread(target=work, args=(f"gateway-{n}",)) for n in range(4)]
    for gateway in gateways:
        gateway.start()
    for gateway in gateways:
        gateway.join(60)

    assert sorted(leased) == sorted(set(leased))
    assert len(leased) == 40


def test_two_gateways_that_accept_the_same_id_at_once_make_one_job(
    database: Database, ledger: Ledger
) -> None:
    start = threading.Barrier(4)
    numbers: list[int] = []

    def submit(uid: str) -> None:
        start.wait(120)
        job, _ = ledger.accept(replace(a_spec(), uid=uid), QUOTA, NOW)
        numbers.append(job.number)

    callers = [threading.Thread(target=submit, args=(str(n),)) for n in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)

    assert len(numbers) == 4
    assert len(set(numbers)) == 1
