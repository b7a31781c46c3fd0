"""The values of the seam."""

import pytest

from auricle.engine.base import CostModel

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("factor", [0.0, 101.0, float("inf"), float("nan")])
def test_an_engine_that_claims_to_need_endless_time_is_rejected(factor: float) -> None:
    with pytest.raises(ValueError, match="slowest_factor"):
        CostModel(slowest_factor=factor)
