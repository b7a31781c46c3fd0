"""Optional parts are found by their folders."""

from pathlib import Path

import pytest

from auricle.cli.part import find_parts
from auricle.system import spec_modules

pytestmark = pytest.mark.unit


def test_a_part_is_a_folder_with_that_module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [part.group for part in find_parts()] == ["cluster", "", "vocabulary", "voices", "keys"]
    monkeypatch.setattr(spec_modules, "PACKAGE", tmp_path)
    assert find_parts() == ()
