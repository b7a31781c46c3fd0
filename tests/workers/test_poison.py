import numpy as np
import pytest

from auricle.values.errors import PoisonJob, RateLimited
from auricle.values.types import ANONYMOUS, ClientId
from auricle.workers.poison import (
    COMMON_SIGNATURE,
    MAX_REMEMBERED,
    MAX_SIGNATURES,
    CrashBudget,
    PoisonTracker,
    fingerprint,
)

pytestmark = pytest.mark.unit

ALICE = ClientId("alice")
SEGV = "SIGSEGV model.py:1 decode"


def blame() -> PoisonTracker:
    return PoisonTracker(attempts=4, ttl_s=600, budget=CrashBudget(max_poison_jobs=3, window_s=600))


def test_the_same_death_twice_quarantines() -> None:
    it = blame()
    assert not it.record_crash("u", SEGV)
    assert it.record_crash("u", SEGV)


def test_different_deaths_quarantine_at_the_fourth() -> None:
    it = blame()
    assert [it.record_crash("u", f"{SEGV}{n}") for n in range(4)] == [False, False, False, True]


def test_deaths_without_a_frame_are_like_no_other() -> None:
    it = blame()
    assert [it.record_crash("u", None) for _ in range(4)] == [False, False, False, True]


def test_utterances_do_not_share_their_strikes() -> None:
    it = blame()
    it.record_crash("u", SEGV)
    assert not it.record_crash("v", SEGV)


def test_a_death_that_other_audio_dies_too_proves_nothing_of_one() -> None:
    it = blame()
    for other in "vwxyz":
        it.record_crash(other, SEGV)
    assert [it.record_crash("u", SEGV) for _ in range(4)] == [False, False, False, True]
    assert it.record_crash("u", "SIGSEGV other.py:1 f")


def test_a_death_that_little_other_audio_dies_still_proves_something() -> None:
    it = blame()
    for other in "vwxyz"[: COMMON_SIGNATURE - 1]:
        it.record_crash(other, SEGV)
    assert [it.record_crash("u", SEGV) for _ in range(2)] == [False, True]


def test_a_death_of_long_ago_says_nothing_of_later_ones() -> None:
    it = blame()
    for other in "vwxyz":
        it.record_crash(other, SEGV)
    for n in range(MAX_SIGNATURES):
        it.record_crash(f"later {n}", f"{SEGV}{n}")
    assert [it.record_crash("u", SEGV) for _ in range(2)] == [False, True]


def test_getting_through_clears_the_record() -> None:
    it = blame()
    it.record_crash("u", SEGV)
    assert it.is_suspect("u")
    it.clear("u")
    assert not it.is_suspect("u")
    assert not it.record_crash("u", SEGV)


def test_quarantined_audio_is_refused_until_its_time_is_over() -> None:
    it = blame()
    pcm = np.arange(100, dtype=np.int16)
    it.quarantine(ALICE, pcm, now=0.0)
    assert it.is_poison(pcm.copy(), now=599.0)
    assert not it.is_poison(pcm + 1, now=599.0)
    with pytest.raises(PoisonJob) as caught:
        it.refuse_poison(pcm, now=599.0)
    assert str(caught.value) == "This audio crashed the engine before; it is temporarily rejected."
    it.refuse_poison(pcm + 1, now=599.0)
    assert not it.is_poison(pcm, now=600.0)


def test_a_budget_is_used_up_by_quarantines_and_restored() -> None:
    budget = CrashBudget(max_poison_jobs=3, window_s=600)
    it = PoisonTracker(attempts=4, ttl_s=600, budget=budget)
    for n in range(3):
        assert budget.exhausted_for_s(ALICE, now=float(n)) == 0.0
        it.quarantine(ALICE, np.full(10, n, np.int16), now=float(n))
    assert budget.exhausted_for_s(ALICE, now=2.0) == 598.0
    assert budget.exhausted_for_s(ClientId("bob"), now=2.0) == 0.0
    assert budget.exhausted_for_s(ALICE, now=600.0) == 0.0


def test_what_is_remembered_is_bounded() -> None:
    it = blame()
    for n in range(MAX_REMEMBERED):
        it.record_crash(f"u{n}", SEGV)
    assert it.is_suspect("u0")
    it.record_crash("one more", SEGV)
    assert not it.is_suspect("u0")
    assert it.is_suspect("u1")


def test_a_budget_is_used_up_until_enough_of_the_newest_quarantines_are_old() -> None:
    budget = CrashBudget(max_poison_jobs=3, window_s=600)
    for now in (0.0, 100.0, 200.0, 300.0):
        budget.charge(ALICE, now)
    assert budget.exhausted_for_s(ALICE, now=300.0) == 400.0
    assert budget.exhausted_for_s(ALICE, now=699.5) == 0.5
    with pytest.raises(RateLimited) as caught:
        budget.refuse_exhausted(ALICE, now=699.5)
    assert str(caught.value) == "Too much audio of this key crashed the engine; try again later."
    assert caught.value.retry_after_s == 1
    for _ in range(3):
        budget.charge(ANONYMOUS, now=300.0)
    budget.refuse_exhausted(ANONYMOUS, now=300.0)  # all callers without a key would be refused


def test_crashes_stay_with_the_audio_without_a_waiting_caller() -> None:
    it = blame()
    pcm = np.arange(50, dtype=np.int16)
    it.record_crash("u", SEGV)
    it.carry_over("u", pcm)
    assert not it.is_suspect("u")
    assert it.record_crash(fingerprint(pcm.copy()).hex(), SEGV)
    it.carry_over("unknown", pcm + 1)
    assert not it.is_suspect(fingerprint(pcm + 1).hex())


def test_audio_has_a_short_name_that_identifies_it() -> None:
    pcm = np.arange(50, dtype=np.int16)
    assert len(fingerprint(pcm)) == 16
    assert fingerprint(pcm) == fingerprint(pcm.copy()) != fingerprint(pcm + 1)
