"""The structure of files in onnxruntime's format, of which Moonshine's are real ones."""

import mmap
from pathlib import Path

import pytest

from auricle.engines.onnx_file import BadFile
from auricle.engines.sherpa.ort_file import read_ort
from tests.support.moonshine import moonshine_directory

DECODER = "decoder_model_merged.ort"


@pytest.mark.model
def test_the_names_of_a_real_decoder_are_read() -> None:
    found = read_ort(moonshine_directory() / DECODER)
    assert "use_cache_branch" in found.inputs
    assert found.outputs[0] == "logits"
    assert len(found.outputs) == 25


@pytest.mark.model
@pytest.mark.parametrize("length", [1, 7, 8, 100, 1000])
def test_a_truncated_file_is_rejected(tmp_path: Path, length: int) -> None:
    whole = (moonshine_directory() / DECODER).read_bytes()
    (tmp_path / DECODER).write_bytes(whole[:length])
    with pytest.raises(BadFile):
        read_ort(tmp_path / DECODER)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x08\x08\x3a\x00ONNX", "not a file in onnxruntime's format"),
        (b"\xff\xff\xff\xffORTM", "truncated"),
        (b"\x08\x00\x00\x00ORTM", "truncated"),
        (b"\x08\x00\x00\x00ORTM\x00\x00\x00\x7f", "truncated"),
        (b"\x0c\x00\x00\x00ORTM\x04\x00\x04\x00\x04\x00\x00\x00", "not a speech model"),
    ],
)
def test_other_files_are_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "encoder.ort").write_bytes(content)
    with pytest.raises(BadFile, match=reason):
        read_ort(tmp_path / "encoder.ort")


@pytest.mark.model
def test_a_list_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / DECODER
    path.write_bytes((moonshine_directory() / DECODER).read_bytes())
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        at = content.find(b"use_cache_branch")
        content[at - 4 : at] = b"\xff\xff\xff\x7f"
    with pytest.raises(BadFile, match="truncated"):
        read_ort(path)
