"""Stores of audio: what both do in the same way, and what is special about a directory."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from auricle.errors import AudioMissing, LedgerReadOnly, LedgerUnavailable
from auricle.ledger.audio import COPY_BYTES, SWEEP_BATCH, AudioDirectory, AudioStore, sweep

NEVER = 0.0
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


# Both stores.


def test_an_empty_store_passes_the_check(audio: AudioStore) -> None:
    audio.check()


def test_stored_audio_outlives_the_upload(audio: AudioStore, upload: Path) -> None:
    name = audio.put(upload)
    upload.unlink()

    path = audio.fetch(name, len(AUDIO))
    assert path.read_bytes() == AUDIO
    audio.release(path)


def test_audio_of_many_megabytes_and_of_no_bytes_is_the_same_after_a_fetch(
    audio: AudioStore, upload: Path
) -> None:
    for content in (os.urandom(3 * COPY_BYTES + 7), b""):
        upload.write_bytes(content)
        path = audio.fetch(audio.put(upload), len(content))
        assert path.read_bytes() == content
        audio.release(path)


def test_released_audio_can_be_fetched_again(audio: AudioStore, upload: Path) -> None:
    name = audio.put(upload)
    audio.release(audio.fetch(name, len(AUDIO)))

    path = audio.fetch(name, len(AUDIO))
    assert path.read_bytes() == AUDIO
    audio.release(path)


def test_an_upload_without_a_name_is_stored_too(audio: AudioStore, upload: Path) -> None:
    with upload.open("rb") as file:
        upload.unlink()
        opened = Path(f"/proc/self/fd/{file.fileno()}")
        if not opened.exists():
            pytest.skip("there is no /proc")
        path = audio.fetch(audio.put(opened), len(AUDIO))
        assert path.read_bytes() == AUDIO
        audio.release(path)


def test_deleted_audio_is_missing_and_deleting_it_again_has_no_effect(
    audio: AudioStore, upload: Path
) -> None:
    name = audio.put(upload)
    audio.delete(name)
    audio.delete(name)

    with pytest.raises(AudioMissing) as missing:
        audio.fetch(name, len(AUDIO))
    assert missing.value.code == "audio_missing"


@pytest.mark.parametrize("size_bytes", [0, 3, 5])
def test_audio_of_another_size_than_its_job_counts_as_missing(
    audio: AudioStore, upload: Path, size_bytes: int
) -> None:
    name = audio.put(upload)

    with pytest.raises(AudioMissing):
        audio.fetch(name, size_bytes)


def test_an_upload_that_vanished_leaves_nothing_behind(audio: AudioStore, tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        audio.put(tmp_path / "missing")

    assert list(audio.names(FAR_FUTURE)) == []


def test_a_sweep_deletes_what_no_job_needs(audio: AudioStore, upload: Path) -> None:
    needed, orphan = audio.put(upload), audio.put(upload)
    deleted = sweep(audio, lambda names: {needed} & set(names), FAR_FUTURE)

    assert deleted == 1
    assert list(audio.names(FAR_FUTURE)) == [needed]
    with pytest.raises(AudioMissing):
        audio.fetch(orphan, len(AUDIO))


def test_a_sweep_spares_recent_audio(audio: AudioStore, upload: Path) -> None:
    name = audio.put(upload)

    assert sweep(audio, lambda _: set(), NEVER) == 0
    assert list(audio.names(FAR_FUTURE)) == [name]


# A directory.


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
