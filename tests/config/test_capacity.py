"""Saved measurements: which one applies, and what happens to damaged files."""

from pathlib import Path

import msgspec
import pytest

from auricle.config.capacity import (
    FILE,
    Capacity,
    Measured,
    find_capacity,
    read_capacities,
    save_capacity,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

BASE = Measured(
    processor="EPYC",
    cores=2,
    engine="Whisper",
    model="whisper-base",
    revision="abc",
    device="cpu",
    compute_type="int8",
    workers=2,
    worker_threads=1,
)


def capacity(of: Measured = BASE, live_sessions: int = 30) -> Capacity:
    return Capacity(
        of=of,
        live_sessions=live_sessions,
        file_speed=40.0,
        yardstick_speed=5.0,
        version="1.0",
        measured_at=1e9,
    )


def test_a_saved_measurement_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    assert save_capacity(folder, capacity()) == folder / FILE
    assert find_capacity(read_capacities(folder), BASE) == (capacity(), "")


def test_a_newer_one_replaces_it_and_leaves_those_of_other_models(tmp_path: Path) -> None:
    tiny = msgspec.structs.replace(BASE, model="tiny")
    for each in (capacity(), capacity(tiny, 90), capacity(BASE, 24)):
        save_capacity(tmp_path, each)
    saved = read_capacities(tmp_path)
    assert saved == (capacity(tiny, 90), capacity(BASE, 24))


def test_a_measurement_of_something_else_does_not_apply_and_the_reason_is_given() -> None:
    for name, value in (("cores", 4), ("revision", "def"), ("workers", 1), ("device", "cuda")):
        other = msgspec.structs.replace(BASE, **{name: value})
        found, why_not = find_capacity([capacity()], other)
        assert found is None
        assert why_not == f"measured with {name} {getattr(BASE, name)} instead of {value}"
    assert find_capacity([], BASE) == (None, "")
    tiny = msgspec.structs.replace(BASE, model="tiny")
    assert find_capacity([capacity()], tiny) == (None, "it has no measurement of this model")


@pytest.mark.parametrize("content", [b"", b"{", b'[{"of": 1}]', b"[]", b"\xff"])
def test_a_damaged_file_has_no_measurements_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read_capacities(tmp_path) == ()
    save_capacity(tmp_path, capacity())
    assert read_capacities(tmp_path) == (capacity(),)


def test_it_says_where_it_can_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="can't be written"):
        save_capacity(tmp_path / "file", capacity())
