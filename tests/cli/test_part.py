"""Optional parts are found by their folders."""

from pathlib import Path

import pytest

import auricle
from auricle.cli.part import find_parts

pytestmark = pytest.mark.unit


def test_a_part_is_a_folder_with_that_module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [part.name for part in find_parts()] == ["cluster"]
    monkeypatch.setattr(auricle, "__file__", str(tmp_path / "__init__.py"))
    assert find_parts() == ()
