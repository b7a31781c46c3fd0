import sys
from pathlib import Path

import pytest

from auricle.system.spec_modules import find_spec_modules

pytestmark = pytest.mark.unit


def test_only_folders_with_a_spec_are_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("second", "first", "other"):
        folder = tmp_path / "parts_of_a_test" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    for path in ("__init__.py", "module.py", "second/spec.py", "first/spec.py"):
        (tmp_path / "parts_of_a_test" / path).touch()
    monkeypatch.syspath_prepend(tmp_path)
    import parts_of_a_test  # type: ignore[import-not-found]

    assert list(find_spec_modules(parts_of_a_test).items()) == [
        ("first", "parts_of_a_test.first.spec"),
        ("second", "parts_of_a_test.second.spec"),
    ]
    for name in [name for name in sys.modules if name.startswith("parts_of_a_test")]:
        monkeypatch.delitem(sys.modules, name)
