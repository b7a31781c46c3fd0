import numpy as np
import pytest

from bench.lib.trend import BLOCKS, trend

pytestmark = pytest.mark.unit

TIMES_S = [float(at) for at in range(0, 3600, 5)]


def test_what_grows_evenly_has_its_slope_and_no_doubt() -> None:
    found = trend(TIMES_S, [100 + 7 * at / 3600 for at in TIMES_S])
    assert found is not None
    assert found.per_hour == pytest.approx(7)
    assert found.high - found.low == pytest.approx(0, abs=1e-6)


def test_noise_alone_does_not_grow() -> None:
    noise = np.random.default_rng(1).normal(100, 1, len(TIMES_S))
    found = trend(TIMES_S, noise.tolist())
    assert found is not None
    assert found.low < 0 < found.high
    assert found.high - found.low < 1


def test_a_step_leaves_more_doubt_than_a_line() -> None:
    step = trend(TIMES_S, [100.0 if at < 1800 else 110.0 for at in TIMES_S])
    line = trend(TIMES_S, [100 + 10 * at / 3600 for at in TIMES_S])
    assert step is not None
    assert line is not None
    assert step.high - step.low > 10 * (line.high - line.low)


def test_too_few_samples_are_not_conclusive() -> None:
    assert trend([0.0] * BLOCKS, [1.0] * BLOCKS) is None
    assert trend([0.0, 1.0], [1.0, 2.0]) is None


def test_order_does_not_matter() -> None:
    values = np.random.default_rng(2).normal(size=len(TIMES_S)).cumsum().tolist()
    forwards = trend(TIMES_S, values)
    backwards = trend(TIMES_S[::-1], values[::-1])
    assert forwards is not None
    assert backwards is not None
    assert forwards.per_hour == pytest.approx(backwards.per_hour)
