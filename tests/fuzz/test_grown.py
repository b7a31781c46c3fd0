"""Large inputs of parsers on the event loop are grown from known ones, and slow ones are found."""

import signal
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.cpu import LOOP_CPU_LIMIT_S, bound_input
from fuzz.grown import grown, slowest
from fuzz.target import TARGETS, load

pytestmark = pytest.mark.unit

WITHOUT_SIZE = {"worker_messages", "opus", "opening", "readers", "session"}
"""Targets that other processes run, and two whose inputs are scripts of many events."""


@pytest.fixture(autouse=True)
def _own_signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGPROF)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


@given(st.binary(min_size=1, max_size=50), st.integers(0, 1000))
def test_a_part_is_repeated_and_the_rest_kept(data: bytes, seed: int) -> None:
    large = grown(data, 500, Random(seed))
    assert 500 - len(data) < len(large) <= 500
    assert set(large) <= set(data)


def test_work_of_the_square_of_the_size_is_found() -> None:
    def parse(data: bytes) -> None:
        for at in range(len(data)):
            data[at:].count(b"x")

    parse(b"a short input")
    used_s, worst = slowest(bound_input(parse, LOOP_CPU_LIMIT_S), [b"xyz" * 5], 1_000_000)
    assert used_s >= LOOP_CPU_LIMIT_S
    assert len(worst) > 900_000


def test_an_input_of_linear_work_is_not_refused() -> None:
    used_s, _ = slowest(bound_input(lambda data: None, LOOP_CPU_LIMIT_S), [b"xyz"], 1_000_000)
    assert used_s < LOOP_CPU_LIMIT_S


def test_each_target_on_the_event_loop_has_a_size() -> None:
    assert {name for name in TARGETS if not load(name).loop_bytes} == WITHOUT_SIZE
