"""What a container grants, read from control groups that a test lays out."""

import gc
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from auricle.system.machine import (
    GC_THRESHOLDS,
    available_memory_bytes,
    raise_open_files,
    shorten_collections,
    usable_cores,
    usable_memory_bytes,
)

pytestmark = pytest.mark.unit

MB = 10**6


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    """Put this process into ``/outer/inner``."""
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    file = tmp_path / "membership"
    file.write_text("12:pids:/elsewhere\n0::/outer/inner\n")
    return file


def test_without_limits_the_systems_own_figures_count(tmp_path: Path, membership: Path) -> None:
    (tmp_path / "outer" / "cpu.max").write_text("max 100000\n")
    (tmp_path / "outer" / "memory.max").write_text("max\n")
    (tmp_path / "outer" / "memory.current").write_text("1000\n")
    assert 1 <= usable_cores(tmp_path, membership) <= (os.cpu_count() or 1)
    assert available_memory_bytes(tmp_path, membership) > 100 * MB


def test_where_there_are_no_control_groups_the_systems_own_figures_count(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert 1 <= usable_cores(nowhere, nowhere) <= (os.cpu_count() or 1)
    assert available_memory_bytes(nowhere, nowhere) <= psutil.virtual_memory().total
    assert usable_memory_bytes(nowhere, nowhere) == psutil.virtual_memory().total


@pytest.mark.parametrize(("quota", "cores"), [("100000", 1), ("50000", 1), ("1000", 1)])
def test_a_share_of_a_core_counts_as_one(
    tmp_path: Path, membership: Path, quota: str, cores: int
) -> None:
    (tmp_path / "outer" / "inner" / "cpu.max").write_text(f"{quota} 100000\n")
    assert usable_cores(tmp_path, membership) == cores


def test_a_group_is_held_to_the_limits_of_those_above_it(tmp_path: Path, membership: Path) -> None:
    (tmp_path / "outer" / "inner" / "memory.max").write_text(str(50 * MB))
    (tmp_path / "outer" / "inner" / "memory.current").write_text(str(10 * MB))
    assert available_memory_bytes(tmp_path, membership) == 40 * MB
    assert usable_memory_bytes(tmp_path, membership) == 50 * MB
    (tmp_path / "outer" / "memory.max").write_text(str(60 * MB))
    (tmp_path / "outer" / "memory.current").write_text(str(55 * MB))
    assert available_memory_bytes(tmp_path, membership) == 5 * MB
    (tmp_path / "memory.max").write_text(str(30 * MB))
    (tmp_path / "memory.current").write_text(str(29 * MB))
    assert available_memory_bytes(tmp_path, membership) == MB
    assert usable_memory_bytes(tmp_path, membership) == 30 * MB


def test_unused_files_in_memory_count_as_free(tmp_path: Path, membership: Path) -> None:
    group = tmp_path / "outer" / "inner"
    (group / "memory.max").write_text(str(50 * MB))
    (group / "memory.current").write_text(str(50 * MB))
    assert available_memory_bytes(tmp_path, membership) == 0
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {20 * MB}\nactive_file 7\n")
    assert available_memory_bytes(tmp_path, membership) == 20 * MB


def test_as_many_files_may_be_open_as_are_wanted_and_the_system_lets() -> None:
    resource = pytest.importorskip("resource")
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, most))
        assert raise_open_files(100) == 200
        wanted = 300 if most == resource.RLIM_INFINITY else min(300, most)
        assert raise_open_files(300) == wanted
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == wanted
        if most != resource.RLIM_INFINITY:
            assert raise_open_files(most + 1) == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.fixture
def _collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("_collector")
def test_what_exists_is_not_looked_at_by_later_collections() -> None:
    lasting = [[number] for number in range(50_000)]
    shorten_collections()
    assert gc.get_threshold() == GC_THRESHOLDS
    assert gc.get_freeze_count() > len(lasting)
    assert {id(thing) for thing in gc.get_objects()}.isdisjoint(map(id, lasting))


@pytest.mark.usefixtures("_collector")
def test_garbage_is_collected_first() -> None:
    class Ring:
        def __init__(self) -> None:
            self.itself = self

    garbage = weakref.ref(Ring())
    shorten_collections()
    assert garbage() is None
