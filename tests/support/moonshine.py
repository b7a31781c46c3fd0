"""Moonshine's real files, from the package."""

from base64 import b64encode
from pathlib import Path

import pytest

from auricle.engines.moonshine.model_files import DECODER, ENCODER, VOCABULARY, packaged_directory


def moonshine_directory() -> Path:
    """Return the directory of the model; skip the test where the package is not installed."""
    if (directory := packaged_directory()) is None:
        pytest.skip("Moonshine's files are missing: pip install moonshine-voice==0.0.73")
    return directory


def sherpa_directory(folder: Path) -> Path:
    """Return a directory with the same weights as sherpa-onnx reads them, with a token file."""
    source = moonshine_directory()
    target = folder / "moonshine-tiny-en"
    target.mkdir(parents=True)
    for graph in (ENCODER, DECODER):
        (target / graph.name).symlink_to(source / graph.name)
    content, lines, at = (source / VOCABULARY.name).read_bytes(), list[str](), 0
    while at < len(content):
        size = content[at]
        at += 1
        if size >= 128:
            size += 128 * (content[at] - 1)
            at += 1
        token = content[at : at + size].replace("▁".encode(), b" ")
        lines.append(f"{b64encode(token).decode()} {len(lines)}".strip())
        at += size
    (target / "tokens.txt").write_text("\n".join(lines) + "\n")
    return target
