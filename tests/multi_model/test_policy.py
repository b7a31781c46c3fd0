"""Which models are loaded and unloaded, with numbers: no processes, no clock."""

import pytest

from auricle.multi_model.policy import (
    BACKOFF_MAX_S,
    BUSY_RETRY_S,
    EVICT_AFTER_S,
    WISH_S,
    ModelNeed,
    ModelPolicy,
    Step,
)
from auricle.values.transcriber import ModelState

pytestmark = pytest.mark.unit

MAIN = ModelNeed("main", 500, on_start=True)
SMALL = ModelNeed("small", 300, on_start=False)
LARGE = ModelNeed("large", 400, on_start=False)


def policy(*needs: ModelNeed, memory_mb: float = 1000, idle_s: float = 100) -> ModelPolicy:
    return ModelPolicy(needs or (MAIN, SMALL, LARGE), memory_mb, idle_s)


def load(it: ModelPolicy, name: str, now: float, took_s: float = 2.0) -> None:
    """Load a model that is due."""
    assert it.next_step(now) == (Step.LOAD, name)
    it.loading(name, now)
    it.loaded(name, now + took_s)


def test_models_of_the_start_are_due_at_once_and_others_after_a_request() -> None:
    it = policy()
    load(it, "main", 0.0)
    assert it.next_step(1.0) is None
    assert it.state("small") is ModelState.UNLOADED
    it.request("small", 1.0)
    load(it, "small", 1.0)
    assert it.state("small") is ModelState.READY


def test_the_retry_time_is_what_is_left_of_the_load() -> None:
    it = policy(SMALL)
    assert it.request("small", 0.0) == 5  # before the first load
    load(it, "small", 0.0, took_s=20.0)
    it.unloaded("small")
    assert it.request("small", 30.0) == 20
    it.loading("small", 30.0)
    assert it.request("small", 45.0) == 5
    assert it.request("small", 60.0) == 1  # it takes longer than last time


def test_an_unused_model_is_unloaded_and_one_of_the_start_is_not() -> None:
    it = policy(MAIN, SMALL)
    load(it, "main", 0.0)
    it.request("small", 0.0)
    load(it, "small", 0.0, took_s=2.0)
    it.note_use("small", is_used=True, now=50.0)
    it.note_use("small", is_used=False, now=51.0)
    assert it.next_step(149.9) is None
    assert it.next_step(150.0) == (Step.UNLOAD, "small")
    it.unloaded("small")
    assert it.next_step(1e6) is None


def test_a_used_model_stays_however_long_it_is_used() -> None:
    it = policy(SMALL)
    it.request("small", 0.0)
    load(it, "small", 0.0)
    it.note_use("small", is_used=True, now=3.0)
    assert it.next_step(1e6) is None


def test_with_an_idle_time_of_zero_models_stay() -> None:
    it = policy(SMALL, idle_s=0)
    it.request("small", 0.0)
    load(it, "small", 0.0)
    assert it.next_step(1e6) is None


def test_a_failed_model_is_due_after_a_pause_that_doubles() -> None:
    it = policy(MAIN)
    now, pauses = 0.0, []
    for _ in range(10):
        assert it.next_step(now) == (Step.LOAD, "main")
        it.loading("main", now)
        pauses.append(it.failed("main", now))
        assert it.state("main") is ModelState.FAILED
        now += pauses[-1]
        assert it.next_step(now - 0.1) is None
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == BACKOFF_MAX_S


def test_a_failed_model_on_demand_is_tried_again_on_request_only() -> None:
    it = policy(SMALL)
    it.request("small", 0.0)
    it.loading("small", 0.0)
    it.failed("small", 1.0)
    assert it.request("small", 1.5) == 2  # the pause ends at 3
    assert it.next_step(2.9) is None
    assert it.next_step(3.0) == (Step.LOAD, "small")
    assert it.next_step(1.5 + WISH_S) is None


def test_the_pause_starts_again_after_a_success() -> None:
    it = policy(SMALL)
    for now in (0.0, 10.0):
        it.request("small", now)
        it.loading("small", now)
        it.failed("small", now)
    it.request("small", 20.0)
    load(it, "small", 20.0)
    it.unloaded("small")
    it.request("small", 30.0)
    it.loading("small", 30.0)
    assert it.failed("small", 31.0) == 2.0


def test_an_operator_can_end_the_pause() -> None:
    it = policy(MAIN)
    it.loading("main", 0.0)
    it.failed("main", 0.0)
    assert it.next_step(1.0) is None
    it.retry_now()
    assert it.next_step(1.0) == (Step.LOAD, "main")


def test_a_failing_model_does_not_keep_another_from_loading() -> None:
    it = policy(MAIN, SMALL)
    it.loading("main", 0.0)
    it.failed("main", 0.0)
    it.request("small", 0.5)
    assert it.next_step(0.5) == (Step.LOAD, "small")


def test_an_unused_model_gives_its_memory_to_one_that_is_requested() -> None:
    it = policy()
    load(it, "main", 0.0)
    it.request("small", 0.0)
    load(it, "small", 0.0)
    it.note_use("small", is_used=True, now=10.0)
    assert it.request("large", 11.0) == BUSY_RETRY_S  # 500 + 300 + 400 > 1000, and all are used
    assert it.next_step(11.0) is None
    it.note_use("small", is_used=False, now=12.0)
    assert it.next_step(12.0) is None
    assert it.next_step(10.0 + EVICT_AFTER_S) == (Step.UNLOAD, "small")
    it.unloaded("small")
    assert it.next_step(20.0) == (Step.LOAD, "large")


def test_a_request_that_is_not_repeated_evicts_nothing() -> None:
    it = policy()
    load(it, "main", 0.0)
    it.request("small", 0.0)
    load(it, "small", 0.0)
    it.note_use("small", is_used=True, now=0.0)
    it.request("large", 1.0)
    it.note_use("small", is_used=True, now=50.0)
    it.note_use("small", is_used=False, now=51.0)
    assert it.next_step(1.0 + WISH_S) is None


def test_nothing_is_unloaded_for_a_model_that_would_still_not_fit() -> None:
    huge = ModelNeed("huge", 600, on_start=False)
    it = policy(MAIN, SMALL, huge)
    load(it, "main", 0.0)
    it.request("small", 0.0)
    load(it, "small", 0.0)
    it.request("huge", 90.0)
    assert it.next_step(90.0) is None


def test_the_least_recently_used_model_goes_first() -> None:
    third = ModelNeed("third", 200, on_start=False)
    it = policy(MAIN, SMALL, third, LARGE)
    load(it, "main", 0.0)
    for name, at in (("small", 1.0), ("third", 5.0)):
        it.request(name, at)
        load(it, name, at)
    it.note_use("small", is_used=True, now=9.0)
    it.note_use("small", is_used=False, now=9.5)
    it.request("large", 30.0)
    assert it.next_step(30.0) == (Step.UNLOAD, "third")
    it.unloaded("third")
    assert it.next_step(30.0) == (Step.UNLOAD, "small")  # 500 + 300 + 400 is still too much


def test_memory_of_models_of_the_start_is_kept_for_them() -> None:
    it = policy(MAIN, ModelNeed("large", 600, on_start=False))
    it.loading("main", 0.0)
    it.failed("main", 0.0)
    it.request("large", 1.0)
    assert it.next_step(1.0) is None  # main will need its 500


def test_the_memory_is_corrected_once_the_files_are_known() -> None:
    it = policy(MAIN, SMALL, memory_mb=800)
    load(it, "main", 0.0)
    it.resize("small", 301)
    it.request("small", 1.0)
    assert it.next_step(1.0) is None
    it.resize("small", 300)
    assert it.next_step(1.0) == (Step.LOAD, "small")
