"""Who makes the transcriber that the suite is run against."""

import pytest

from tests.conformance.subject import Maker, local_maker

MAKERS = ("local",)


@pytest.fixture(params=MAKERS)
def open_transcriber(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Maker:
    assert request.param == "local"
    return local_maker(monkeypatch)
