"""Recordings as paths, bytes and open files."""

import io
import os
from pathlib import Path

import pytest

from auricle.client.api.audio import CHUNK_BYTES, AudioInput, in_thread, open_audio
from auricle.values.errors import RequestError

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.unit
@pytest.mark.parametrize("kind", ["path", "text", "bytes", "view", "file"])
def test_each_kind_is_read_twice_with_the_same_content(kind: str, path: Path) -> None:
    with path.open("rb") as file:
        inputs: dict[str, AudioInput] = {
            "path": path,
            "text": str(path),
            "bytes": CONTENT,
            "view": memoryview(CONTENT),
            "file": file,
        }
        audio = open_audio(inputs[kind])
        assert audio.size_bytes == len(CONTENT)
        assert b"".join(audio.chunks()) == CONTENT
        assert b"".join(audio.chunks()) == CONTENT


@pytest.mark.unit
def test_an_open_file_is_read_from_its_position() -> None:
    audio = open_audio(io.BytesIO(b"head, body"))
    assert audio.size_bytes == 10
    file = io.BytesIO(b"head, body")
    file.seek(6)
    audio = open_audio(file)
    assert (audio.size_bytes, b"".join(audio.chunks())) == (4, b"body")


@pytest.mark.unit
def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="No such file"):
        open_audio(tmp_path / "missing.wav")
    with pytest.raises(RequestError, match="is not a file"):
        open_audio(tmp_path)
    with pytest.raises(RequestError, match="embedded null"):
        open_audio("talk\0.wav")
    with pytest.raises(RequestError, match="is not a file"):
        open_audio("/dev/zero")
    with pytest.raises(TypeError, match="'rb'"):
        open_audio(io.StringIO("talk"))  # type: ignore[arg-type]  # opened without "b"
    with pytest.raises(TypeError, match="int"):
        open_audio(7)  # type: ignore[arg-type]  # a caller without types


@pytest.mark.unit
def test_a_pipe_is_refused() -> None:
    read_end, write_end = os.pipe()
    with (
        open(read_end, "rb") as pipe,
        open(write_end, "wb"),
        pytest.raises(RequestError, match="pass file.read()"),
    ):
        open_audio(pipe)


@pytest.mark.unit
def test_a_file_that_vanishes_is_reported(path: Path) -> None:
    audio = open_audio(path)
    path.unlink()
    with pytest.raises(RequestError, match="No such file"):
        list(audio.chunks())


@pytest.mark.unit
def test_a_file_that_changes_keeps_its_announced_size(path: Path) -> None:
    audio = open_audio(path)
    with path.open("ab") as file:
        file.write(b"more")
    assert b"".join(audio.chunks()) == CONTENT
    os.truncate(path, 1000)
    with pytest.raises(RequestError, match="became shorter"):
        list(audio.chunks())


@pytest.mark.unit
@pytest.mark.anyio
async def test_chunks_are_read_in_a_thread(path: Path) -> None:
    chunks = [chunk async for chunk in in_thread(open_audio(path).chunks())]
    assert b"".join(chunks) == CONTENT
    assert max(map(len, chunks)) == CHUNK_BYTES
