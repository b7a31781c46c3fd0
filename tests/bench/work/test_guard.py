"""The guard on the work of live streams: no figure is worse than the committed one."""

import pytest

from auricle.workers.kinds.asr.scheduler import Scheduler
from bench.work.__main__ import WithoutBatches, WithoutRoom, expected, figures
from bench.work.figures import STREAMS, measure, worse
from bench.work.speech import recorded

pytestmark = pytest.mark.unit

BUSY = 24


def test_no_figure_is_worse_by_more_than_5_percent() -> None:
    """``python -m bench.work --update`` accepts worse figures; the commit says why."""
    now = figures()
    assert set(now) == set(expected()) == {str(streams) for streams in STREAMS}
    assert worse(expected(), now) == []


@pytest.mark.parametrize(
    ("mistake", "figure"),
    [(WithoutRoom, "speculative_jobs"), (WithoutBatches, "finals_per_batch")],
)
def test_known_mistakes_are_detected(mistake: type[Scheduler], figure: str) -> None:
    now = {str(BUSY): measure(recorded(), BUSY, mistake)}
    assert any(line.startswith(f"{BUSY} streams, {figure}:") for line in worse(expected(), now))


def test_a_figure_may_be_a_little_worse_and_better_by_any_amount() -> None:
    before = {"8": {"final_p50_s": 1.0, "partials_per_s": 1.0, "speculative_jobs": 4.0}}
    same = {"8": {"final_p50_s": 1.04, "partials_per_s": 0.96, "speculative_jobs": 6.0}}
    assert worse(before, same) == []
    better = {"8": {"final_p50_s": 0.1, "partials_per_s": 9.0, "speculative_jobs": 0.0}}
    assert worse(before, better) == []
    slower = {"8": {"final_p50_s": 1.06, "partials_per_s": 0.94, "speculative_jobs": 7.0}}
    assert [line.split(":")[0] for line in worse(before, slower)] == [
        "8 streams, final_p50_s",
        "8 streams, partials_per_s",
        "8 streams, speculative_jobs",
    ]
