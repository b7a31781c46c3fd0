"""Read limits of an uploaded file."""

import os
from pathlib import Path

import pytest

from auricle.workers.kinds.decode.input_file import InputFile

pytestmark = pytest.mark.unit

CONTENT = bytes(range(100))


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "upload"
    file.write_bytes(CONTENT)
    return str(file)


def test_a_file_is_read_from_its_start_to_its_end(path: str) -> None:
    file = InputFile(path)
    assert file.size_bytes == 100
    assert file.read(10) == CONTENT[:10]
    assert file.tell() == 10
    assert file.read() == CONTENT[10:]
    assert file.read() == b""
    assert not file.limit_reached
    assert file.seek(-1, os.SEEK_END) == 99
    assert file.read() == CONTENT[99:]
    file.close()
    file.close()


def test_a_descriptor_is_read_from_the_start_too(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, 50, os.SEEK_SET)
    file = InputFile(descriptor)
    assert file.read() == CONTENT
    file.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("size_bytes", [-1, 7, 1000])
def test_a_limit_of_bytes_is_an_end_of_the_file(path: str, size_bytes: int) -> None:
    file = InputFile(path)
    file.limit(max_bytes=20)
    data = b""
    while block := file.read(size_bytes):
        data += block
    assert data == CONTENT[:20]
    assert file.limit_reached
    file.limit()
    assert not file.limit_reached
    assert file.read() == CONTENT[20:]
    file.close()


def test_without_processor_time_nothing_is_read(path: str) -> None:
    file = InputFile(path)
    file.limit(max_cpu_s=0.0)
    assert file.read() == b""
    assert file.limit_reached
    file.close()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        InputFile(str(tmp_path / "missing"))
