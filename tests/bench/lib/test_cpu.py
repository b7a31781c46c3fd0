"""What a bench takes of the machine is measured, and taken off what is possible."""

import os

import psutil
import pytest

from bench.lib.cpu import CpuMeter, CpuShare, waited_s

pytestmark = pytest.mark.unit


def test_what_the_generator_takes_is_not_possible() -> None:
    measured = CpuShare(cores=2, generator=0.2)
    assert CpuShare(2, 0.2).possible(36.0, measured) == pytest.approx(36.0)
    assert CpuShare(2, 0.65).possible(36.0, measured) == pytest.approx(27.0)


def test_an_idle_generator_makes_no_more_possible_than_was_measured() -> None:
    assert CpuShare(2, 0.0).possible(36.0, CpuShare(2, 0.5)) == 36.0


def test_the_own_cpu_time_is_the_generators() -> None:
    meter = CpuMeter(psutil.Process(os.getppid()))
    assert sum(range(1_000_000))  # some work
    share = meter.share()
    assert share.generator > 0
    assert share.figures()["generator_cores"] == round(share.generator, 3)
    assert 0 < share.left < share.cores


def test_waits_for_a_core_only_grow() -> None:
    before = waited_s()
    assert waited_s() >= before >= 0
    assert waited_s(os.getpid()) >= 0
    assert waited_s(2**22 + 1) == 0  # nobody
