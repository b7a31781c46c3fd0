"""How a file is transcribed is found by folders; a request for one that is missing is refused."""

from pathlib import Path

import pytest

import auricle.files
from auricle.files import registry
from auricle.files.registry import METHODS, find_methods, method_of
from auricle.files.transcribe import transcribe_file
from auricle.server.uploads.params import Fields, check
from auricle.values.errors import UnsupportedOption

pytestmark = pytest.mark.unit

FOLDERS = Path(auricle.files.__file__).parent


def test_a_method_is_a_folder_with_a_spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert set(find_methods()) == {path.parent.name for path in FOLDERS.glob("*/spec.py")}
    monkeypatch.setattr(auricle.files, "__path__", [str(tmp_path)])
    assert find_methods() == {}


def test_channels_are_mixed_unless_a_request_wants_them_apart() -> None:
    assert method_of(is_multichannel=False) is transcribe_file
    assert method_of(is_multichannel=True) is METHODS["channels"]


def test_a_request_for_a_missing_method_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "METHODS", {})
    assert method_of(is_multichannel=False) is transcribe_file
    with pytest.raises(UnsupportedOption, match="does not support multichannel"):
        method_of(is_multichannel=True)
    assert not check(Fields()).is_multichannel
    with pytest.raises(UnsupportedOption, match="does not support multichannel"):
        check(Fields(multichannel=True))
