import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from auricle.errors import LedgerReadOnly, LedgerUnavailable
from auricle.ledger.audio import SWEEP_BATCH, AudioDirectory, sweep

NEVER = 0.0
FAR_FUTURE = 1e12


@pytest.fixture
def audio(tmp_path: Path) -> AudioDirectory:
    return AudioDirectory(tmp_path / "audio")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"RIFF")
    return path


def test_stored_audio_outlives_the_upload(audio: AudioDirectory, upload: Path) -> None:
    name = audio.put(upload)
    upload.unlink()

    assert audio.fetch(name).read_bytes() == b"RIFF"


def test_an_upload_without_a_name_is_stored_too(audio: AudioDirectory, upload: Path) -> None:
    with upload.open("rb") as file:
        upload.unlink()
        opened = Path(f"/proc/self/fd/{file.fileno()}")
        if not opened.exists():
            pytest.skip("there is no /proc")
        assert audio.fetch(audio.put(opened)).read_bytes() == b"RIFF"


def test_deleted_audio_is_gone_and_deleting_it_again_has_no_effect(
    audio: AudioDirectory, upload: Path
) -> None:
    name = audio.put(upload)
    audio.delete(name)
    audio.delete(name)

    with pytest.raises(FileNotFoundError):
        audio.fetch(name)


def test_an_upload_that_vanished_leaves_nothing_behind(
    audio: AudioDirectory, tmp_path: Path
) -> None:
    with pytest.raises(LedgerUnavailable):
        audio.put(tmp_path / "missing")

    assert list((tmp_path / "audio").iterdir()) == []


def test_a_sweep_deletes_what_no_job_needs(audio: AudioDirectory, upload: Path) -> None:
    needed, orphan = audio.put(upload), audio.put(upload)
    deleted = sweep(audio, lambda names: {needed} & set(names), FAR_FUTURE)

    assert deleted == 1
    assert list(audio.names(FAR_FUTURE)) == [needed]
    with pytest.raises(FileNotFoundError):
        audio.fetch(orphan)


def test_a_sweep_spares_recent_audio_and_foreign_files(
    audio: AudioDirectory, upload: Path, tmp_path: Path
) -> None:
    name = audio.put(upload)
    foreign = tmp_path / "audio" / "notes.txt"
    foreign.touch()

    assert sweep(audio, lambda _: set(), os.stat(audio.fetch(name)).st_mtime) == 0
    assert sweep(audio, lambda _: set(), FAR_FUTURE) == 1
    assert foreign.exists()


def test_a_sweep_removes_what_a_killed_process_did_not_complete(
    audio: AudioDirectory, tmp_path: Path
) -> None:
    partial = tmp_path / "audio" / f"{'a' * 32}.part"
    partial.touch()
    sweep(audio, lambda _: set(), FAR_FUTURE)

    assert not partial.exists()


def test_a_sweep_looks_names_up_in_bounded_batches(audio: AudioDirectory, tmp_path: Path) -> None:
    for number in range(SWEEP_BATCH + 1):
        (tmp_path / "audio" / f"{number:032x}").touch()
    sizes: list[int] = []

    def needed(names: Sequence[str]) -> set[str]:
        sizes.append(len(names))
        return set(names)

    sweep(audio, needed, FAR_FUTURE)
    assert sizes == [SWEEP_BATCH, 1]


def test_a_directory_that_cannot_be_created_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LedgerReadOnly):
        AudioDirectory(tmp_path / "file" / "audio")
