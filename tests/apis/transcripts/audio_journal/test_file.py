"""The file of an utterance: complete, cut, damaged and not ours."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.apis.transcripts.audio_journal.file import (
    MAGIC,
    MAX_FILE_BYTES,
    JournalFile,
    JournalHeader,
    read_journal,
)
from auricle.values.types import MAX_JOB_SAMPLES, ClientId, Options, Pcm16, Task

pytestmark = pytest.mark.unit

OPTIONS = Options(language="de", task=Task.TRANSLATE, hotwords=("Ä",), initial_prompt="so")
HEADER = JournalHeader(
    "5e1a90c27b3f4d6801234567", ClientId("anna"), "native", 1.5, 3, 16_000, OPTIONS
)


def ramp(first: int, last: int) -> Pcm16:
    return np.arange(first, last, dtype=np.int16)


def written(path: Path) -> bytes:
    """Write three seconds' worth of records, shortened, and return the file's bytes."""
    file = JournalFile(path, HEADER)
    for first in (0, 100, 200):
        file.write(ramp(first, first + 100), first + 100, is_doubtful=first < 200)
    return path.read_bytes()


def test_audio_and_options_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "x"
    written(path)
    utterance = read_journal(path)
    assert utterance is not None
    assert utterance.header == HEADER
    assert utterance.pcm.tolist() == list(range(300))
    assert not utterance.is_doubtful
    assert utterance.modified_at == path.stat().st_mtime
    assert path.stat().st_mode & 0o777 == 0o600


def test_context_is_read_as_it_was_written_and_must_be_samples(tmp_path: Path) -> None:
    header = msgspec.structs.replace(HEADER, context=ramp(0, 50).tobytes())
    JournalFile(tmp_path / "x", header).write(ramp(0, 9), 9, is_doubtful=False)
    utterance = read_journal(tmp_path / "x")
    assert utterance is not None
    assert np.frombuffer(utterance.header.context, np.int16).tolist() == list(range(50))
    odd = msgspec.structs.replace(HEADER, context=b"odd")
    JournalFile(tmp_path / "y", odd).write(ramp(0, 9), 9, is_doubtful=False)
    assert read_journal(tmp_path / "y") is None


def test_an_utterance_that_is_cut_loses_the_audio_of_the_next(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "x", HEADER)
    file.write(ramp(0, 300), 300, is_doubtful=False)
    file.write(ramp(0, 0), 120, is_doubtful=True)
    utterance = read_journal(tmp_path / "x")
    assert utterance is not None
    assert utterance.pcm.tolist() == list(range(120))
    assert utterance.is_doubtful


def test_a_file_that_ends_anywhere_gives_the_audio_before(tmp_path: Path) -> None:
    whole, path = written(tmp_path / "whole"), tmp_path / "x"
    record_bytes = 9 + 9 + 200
    header_bytes = len(whole) - 3 * record_bytes
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        utterance = read_journal(path)
        if size < header_bytes:
            assert utterance is None
        else:
            assert utterance is not None
            assert utterance.pcm.size == (size - header_bytes) // record_bytes * 100


@given(at=st.integers(0, 2**16), flip=st.integers(1, 255))
def test_a_changed_byte_never_changes_the_audio_before(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "x"
    data = bytearray(written(path))
    data[at % len(data)] ^= flip
    path.write_bytes(data)
    utterance = read_journal(path)
    if utterance is not None:
        assert utterance.header == HEADER
        assert utterance.pcm.tolist() == list(range(utterance.pcm.size))


@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "x"
    path.write_bytes(MAGIC + data)
    assert read_journal(path) is None


def test_a_record_left_incomplete_is_replaced_by_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "x"
    file = JournalFile(path, HEADER)
    file.write(ramp(0, 100), 100, is_doubtful=False)
    with path.open("ab") as torn:
        torn.write(b"half a record" * 1000)
    file.write(ramp(100, 200), 200, is_doubtful=False)
    utterance = read_journal(path)
    assert utterance is not None
    assert utterance.pcm.tolist() == list(range(200))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.symlink_to("/dev/full")
    file = JournalFile(path, HEADER)
    with pytest.raises(OSError, match="No space"):
        file.write(ramp(0, 100), 100, is_doubtful=False)
    assert (file.samples, file.size_bytes) == (0, 0)
    path.unlink()
    file.write(ramp(0, 100), 100, is_doubtful=False)
    utterance = read_journal(path)
    assert utterance is not None
    assert utterance.pcm.size == 100


@pytest.mark.parametrize("changes", [{"utterance": 0}, {"start_sample": -1}])
def test_a_header_that_makes_no_sense_is_no_utterance(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    file = JournalFile(tmp_path / "x", msgspec.structs.replace(HEADER, **changes))
    file.write(ramp(0, 100), 100, is_doubtful=False)
    assert read_journal(tmp_path / "x") is None


def test_the_audio_is_at_most_one_job(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "x", HEADER)
    second = np.zeros(MAX_JOB_SAMPLES, np.int16)
    file.write(second, 2**63, is_doubtful=False)
    file.write(second, 2**63, is_doubtful=False)
    utterance = read_journal(tmp_path / "x")
    assert utterance is not None
    assert utterance.pcm.size == MAX_JOB_SAMPLES


def test_a_file_that_is_far_too_large_is_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "x"
    written(path)
    with path.open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert read_journal(path) is None
