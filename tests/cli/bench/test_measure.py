"""How much is measured."""

import pytest

from auricle.cli.bench.measure import FULL, QUICK

pytestmark = pytest.mark.unit


def test_one_number_of_streams_is_one_level() -> None:
    plan = FULL.only(20)
    assert (plan.levels, plan.levels_without, plan.streams) == (1, 1, 20)
    assert plan.level_s == FULL.level_s > QUICK.level_s
