"""What can be pulled for sherpa-onnx."""

import pytest

from auricle.engines.catalogue import ArchiveFiles
from auricle.engines.sherpa.catalogue import CATALOGUE, CC_BY, RELEASE

pytestmark = pytest.mark.unit


def test_all_are_archives_of_the_release_with_a_token_file() -> None:
    for model in CATALOGUE:
        assert isinstance(model.source, ArchiveFiles)
        assert model.source.url.startswith(f"{RELEASE}/")
        assert "tokens.txt" in model.source.names
        assert model.source.archive.name.startswith(model.source.folder)


def test_what_asks_for_attribution_says_so() -> None:
    assert all(model.attribution for model in CATALOGUE if model.licence.startswith(CC_BY[:5]))
