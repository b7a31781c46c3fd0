"""The wheel that is pulled is the one that the extra installs."""

import re

import pytest

from auricle.engines.moonshine.catalogue import CATALOGUE, PROJECT, WHEEL
from auricle.engines.moonshine.model_files import FILES, REQUIREMENT
from tests.support.command import ROOT

pytestmark = pytest.mark.unit


def test_the_wheel_is_one_of_those_that_the_lock_pins() -> None:
    assert f"{PROJECT}=={WHEEL.file.name.split('-')[1]}" == REQUIREMENT
    lock = (ROOT / "requirements.lock").read_text()
    pins = lock[lock.index(f"{REQUIREMENT} ") :]
    digests = re.match(r"[^\\]+(?:\\\s+--hash=sha256:[0-9a-f]{64} ?)+", pins)
    assert digests is not None
    assert WHEEL.file.sha256 in digests[0]


def test_all_files_are_pulled() -> None:
    (model,) = CATALOGUE
    assert [each.file for each in getattr(model.source, "files", ())] == list(FILES)
