import math
from collections.abc import Callable

import pytest

from auricle.values.errors import Draining
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import WorkerReady
from tests.support.scripted_schedule import ScriptedSchedule

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("down", Down)
def test_a_schedule_without_errors_of_its_own_refuses_jobs_as_a_server_that_ends(
    down: Down,
) -> None:
    assert isinstance(ScriptedSchedule().refusal(down), Draining)


def test_a_schedule_without_deadlines_and_measurements_needs_neither() -> None:
    schedule = ScriptedSchedule()
    schedule.worker_ready("w", WorkerReady(1, 1), 0.0)
    assert Schedule.poll(schedule, 0.0) == math.inf
    suspect: Callable[[Schedule[str, str], str], object] = Schedule.suspect
    assert suspect(schedule, "w") is None
