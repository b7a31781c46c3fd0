"""A directory of audio: foreign and incomplete files, and a directory that can't be used."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.store import SWEEP_BATCH, sweep
from auricle.values.errors import LedgerReadOnly, LedgerUnavailable

FAR_FUTURE = 1e11
AUDIO = b"RIFF"


@pytest.fixture
def directory(tmp_path: Path) -> AudioDirectory:
    return AudioDirectory(tmp_path / "audio")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(AUDIO)
    return path


def test_a_directory_is_swept_of_old_audio_only_and_spares_foreign_files(
    directory: AudioDirectory, upload: Path, tmp_path: Path
) -> None:
    path = directory.fetch(directory.put(upload), len(AUDIO))
    foreign = tmp_path / "audio" / "notes.txt"
    foreign.touch()

    assert sweep(directory, lambda _: set(), os.stat(path).st_mtime) == 0
    assert sweep(directory, lambda _: set(), FAR_FUTURE) == 1
    assert foreign.exists()


def test_a_failed_upload_leaves_no_file_in_a_directory(
    directory: AudioDirectory, tmp_path: Path
) -> None:
    with pytest.raises(LedgerUnavailable):
        directory.put(tmp_path / "missing")

    assert list((tmp_path / "audio").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
@pytest.mark.parametrize("is_copied", [False, True])
def test_only_the_server_s_user_can_read_audio(
    directory: AudioDirectory, tmp_path: Path, is_copied: bool
) -> None:
    path = tmp_path / "upload"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w+b") as upload:
        upload.write(AUDIO)
        upload.flush()
        if is_copied:  # it has no name that could be linked to
            path.unlink()
            path = Path(f"/proc/self/fd/{upload.fileno()}")
        stored = directory.fetch(directory.put(path), len(AUDIO))
    assert stored.read_bytes() == AUDIO
    assert stored.stat().st_mode & 0o777 == 0o600
    assert stored.parent.stat().st_mode & 0o777 == 0o700


def test_a_sweep_removes_what_a_killed_process_did_not_complete(
    directory: AudioDirectory, tmp_path: Path
) -> None:
    partial = tmp_path / "audio" / f"{'a' * 32}.part"
    partial.touch()
    sweep(directory, lambda _: set(), FAR_FUTURE)

    assert not partial.exists()


def test_a_sweep_looks_names_up_in_bounded_batches(
    directory: AudioDirectory, tmp_path: Path
) -> None:
    for number in range(SWEEP_BATCH + 1):
        (tmp_path / "audio" / f"{number:032x}").touch()
    sizes: list[int] = []

    def needed(names: Sequence[str]) -> set[str]:
        sizes.append(len(names))
        return set(names)

    sweep(directory, needed, FAR_FUTURE)
    assert sizes == [SWEEP_BATCH, 1]


def test_a_directory_that_cannot_be_created_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LedgerReadOnly):
        AudioDirectory(tmp_path / "file" / "audio")


def test_a_directory_that_was_removed_can_do_nothing_for_the_moment(
    directory: AudioDirectory, upload: Path, tmp_path: Path
) -> None:
    (tmp_path / "audio").rmdir()

    with pytest.raises(LedgerUnavailable):
        directory.put(upload)
    with pytest.raises(LedgerUnavailable):
        list(directory.names(FAR_FUTURE))
