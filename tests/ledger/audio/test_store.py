"""Stores of audio: what a directory and a bucket do in the same way."""

import os
from pathlib import Path

import pytest

from auricle.ledger.audio.store import COPY_BYTES, AudioStore, sweep
from auricle.values.errors import AudioMissing, LedgerUnavailable

NEVER = 0.0
FAR_FUTURE = 1e11
AUDIO = b"RIFF"


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(AUDIO)
    return path


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
