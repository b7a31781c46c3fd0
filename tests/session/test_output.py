"""The outputs of a session."""

import typing
from dataclasses import FrozenInstanceError

import pytest

from auricle.session.output import Cancel, Output
from auricle.values.events import Event
from auricle.values.types import JobId

pytestmark = pytest.mark.unit


def test_every_event_is_an_output_so_that_no_runner_can_overlook_one() -> None:
    assert set(typing.get_args(Event)) < set(typing.get_args(Output))


def test_an_output_can_not_be_changed_on_its_way() -> None:
    cancel = Cancel(JobId("S:1:f"))
    with pytest.raises(FrozenInstanceError):
        cancel.job_id = JobId("S:2:f")  # type: ignore[misc]  # the test checks that it is rejected
