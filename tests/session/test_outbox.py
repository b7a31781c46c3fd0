"""Which outputs are emitted without a connection."""

from math import inf

import pytest

from auricle.session.outbox import Outbox
from auricle.session.output import Cancel
from auricle.session.warnings import WARN_EVERY_SAMPLES
from auricle.values.events import Discarded, Warned, WarningCode
from auricle.values.types import JobId

pytestmark = pytest.mark.unit

JOB, EVENT = Cancel(JobId("S:1:f")), Discarded(0)
WARNING = Warned(WarningCode.AUDIO_GAP, "Audio is missing.", 20)


def emitted(it: Outbox) -> list[object]:
    return list(iter(it.next, None))


def test_jobs_are_emitted_always_and_events_to_a_connection() -> None:
    it = Outbox()
    it.put(JOB)
    it.put(EVENT)
    assert emitted(it) == [JOB]
    it.is_attached = True
    it.put(EVENT)
    it.put(JOB)
    assert emitted(it) == [EVENT, JOB]


def test_events_of_an_old_connection_are_dropped() -> None:
    it = Outbox()
    it.is_attached = True
    it.put(EVENT)
    it.put(JOB)
    it.drop_events()
    assert emitted(it) == [JOB]


def test_warnings_are_held_until_there_is_a_connection() -> None:
    it = Outbox()
    it.hold(WARNING)
    it.hold(WARNING)
    it.warn(0)
    assert emitted(it) == []
    it.is_attached = True
    it.warn(0)
    assert emitted(it) == [Warned(WarningCode.AUDIO_GAP, "Audio is missing.", 40)]
    it.hold(WARNING)
    it.warn(WARN_EVERY_SAMPLES - 1)
    assert emitted(it) == []
    it.warn(inf)
    assert emitted(it) == [WARNING]
