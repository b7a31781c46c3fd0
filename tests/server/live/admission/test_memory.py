"""What is kept of the machine over restarts."""

import json
import os
import stat
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from auricle.server.live.admission import memory
from auricle.server.live.admission.admission import LiveAdmission
from auricle.server.live.admission.capacity import (
    MIN_SPEAKERS,
    SPEAKERS_PER_WORKER,
    Sample,
    SpeakerCapacity,
)
from auricle.server.live.admission.line import Waiter
from auricle.server.live.admission.memory import FILE, CapacityMemory, Machine
from auricle.values.errors import ServerFull
from auricle.values.types import ClientId

pytestmark = pytest.mark.unit

HERE = Machine("two cores, base", workers=2)
ALICE = ClientId("alice")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 1_000_000.0)


def set_clock(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    monkeypatch.setattr(time, "time", lambda: now)


def restored(directory: Path, machine: Machine = HERE, live_speakers: int = 0) -> LiveAdmission:
    return CapacityMemory(directory, machine, live_speakers).restored()


def store(directory: Path, speakers: float = 33.3, sessions: int = 0) -> None:
    capacity = SpeakerCapacity(speakers, is_learned=True)
    CapacityMemory(directory, HERE).store(capacity, [f"s{each}" for each in range(sessions)])


def expects_returns(admission: LiveAdmission) -> bool:
    """Return whether places are kept for sessions of the last run."""
    admission.join("p1", ALICE, Waiter("a"), 0.0, is_known=True)
    admission.observe("p1", 1, 1.0, is_abandoned=False)
    admission.observe("p1", 1, 9.0, is_abandoned=False)
    try:
        admission.join("p2", ALICE, Waiter("b"), 9.0)
    except ServerFull:
        return True
    return False


def test_a_new_server_starts_with_an_estimate_by_its_workers(tmp_path: Path) -> None:
    capacity = restored(tmp_path).capacity
    assert capacity.speakers == 2 * SPEAKERS_PER_WORKER
    assert not capacity.is_learned


def test_what_was_learned_is_known_after_a_restart(tmp_path: Path) -> None:
    store(tmp_path / "new" / "folder", 33.34)
    capacity = restored(tmp_path / "new" / "folder").capacity
    assert (capacity.speakers, capacity.is_learned) == (33.3, True)


def test_a_first_estimate_stays_one_after_a_restart(tmp_path: Path) -> None:
    it = CapacityMemory(tmp_path, HERE)
    it.store(it.restored().capacity, [])
    assert not restored(tmp_path).capacity.is_learned


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_only_the_server_may_read_the_file(tmp_path: Path) -> None:
    store(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_the_value_of_another_machine_is_not_used(tmp_path: Path) -> None:
    store(tmp_path)
    assert (
        restored(tmp_path, Machine("another model", workers=1)).capacity.speakers
        == SPEAKERS_PER_WORKER
    )
    measured = restored(tmp_path, Machine("another model", measured=40)).capacity
    assert (measured.speakers, measured.is_learned) == (40, True)


def test_a_measurement_is_the_first_estimate_until_more_is_learned(tmp_path: Path) -> None:
    machine = Machine(HERE.of, workers=2, measured=40)
    capacity = restored(tmp_path, machine).capacity
    assert (capacity.speakers, capacity.is_learned) == (40, True)
    CapacityMemory(tmp_path, machine).store(SpeakerCapacity(33), [])
    assert restored(tmp_path, machine).capacity.speakers == 33


def test_a_new_measurement_replaces_what_was_learned(tmp_path: Path) -> None:
    store(tmp_path, 33)
    measured = Machine(HERE.of, workers=2, measured=40)
    assert restored(tmp_path, measured).capacity.speakers == 40
    CapacityMemory(tmp_path, measured).store(SpeakerCapacity(36), [])
    assert restored(tmp_path, Machine(HERE.of, workers=2, measured=41)).capacity.speakers == 41


@pytest.mark.parametrize("was_learned", [True, False])
def test_what_the_operator_sets_does_not_replace_what_was_learned(
    tmp_path: Path, was_learned: bool
) -> None:
    if was_learned:
        store(tmp_path, 33)
    it = CapacityMemory(tmp_path, HERE, live_speakers=5)
    it.store(it.restored().capacity, [])
    capacity = restored(tmp_path).capacity
    assert (capacity.speakers, capacity.is_learned) == (
        33 if was_learned else 2 * SPEAKERS_PER_WORKER,
        was_learned,
    )


def test_what_the_operator_sets_counts_and_does_not_change(tmp_path: Path) -> None:
    store(tmp_path)
    capacity = restored(tmp_path, live_speakers=5).capacity
    assert capacity.speakers == 5
    assert (capacity.is_fixed, capacity.is_learned) == (True, False)
    capacity.observe(Sample(5.0, (60.0,) * 5, 60.0, is_busy=True), 100.0)
    assert (capacity.speakers, capacity.is_late) == (5, False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"of": "two cores, base", "speakers": "many"}',
        json.dumps(
            {"of": HERE.of, "speakers": 9, "is_learned": 1, "measured": 0, "sessions": [], "at": 0}
        ).encode(),
        b'{"of":"two cores, base","speakers":1e999,"is_learned":true,"measured":0,'
        b'"sessions":[],"at":0}',
        b" " * 20_000 + b'{"of":"two cores, base","speakers":9,"is_learned":true}',
    ],
)
def test_a_broken_or_foreign_file_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    admission = restored(tmp_path)
    assert admission.capacity.speakers == 2 * SPEAKERS_PER_WORKER
    assert not expects_returns(admission)
    store(tmp_path, 20)
    assert restored(tmp_path).capacity.speakers == 20


def test_a_folder_in_place_of_the_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    assert restored(tmp_path).capacity.speakers == 2 * SPEAKERS_PER_WORKER


def test_a_value_that_makes_no_sense_still_lets_somebody_speak(tmp_path: Path) -> None:
    store(tmp_path)
    kept = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(kept | {"speakers": -7}))
    admission = restored(tmp_path)
    assert admission.capacity.speakers == MIN_SPEAKERS
    admission.join("p1", ALICE, Waiter("a"), 0.0)


def test_a_state_directory_that_can_not_be_written_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    it = CapacityMemory(tmp_path / "file", HERE)
    with capture_logs() as logged:
        for _ in range(3):
            it.store(SpeakerCapacity(5), [])
        (tmp_path / "file").unlink()
        it.store(SpeakerCapacity(5), [])
    assert [line["event"] for line in logged] == ["capacity_not_kept"]
    assert restored(tmp_path / "file").capacity.speakers == 5


@pytest.mark.parametrize(
    ("passed_s", "is_expected"),
    [(0.0, True), (memory.RETURN_S - 1, True), (memory.RETURN_S, False), (-60.0, False)],
)
def test_sessions_are_expected_back_only_after_a_short_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed_s: float, is_expected: bool
) -> None:
    store(tmp_path, 20, sessions=30)
    set_clock(monkeypatch, 1_000_000.0 + passed_s)
    admission = restored(tmp_path)
    assert admission.capacity.speakers == 20
    assert expects_returns(admission) is is_expected


def test_sessions_come_back_to_another_machine_too(tmp_path: Path) -> None:
    store(tmp_path, 20, sessions=30)
    assert expects_returns(restored(tmp_path, Machine("a newer version", workers=1)))
