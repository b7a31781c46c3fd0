"""Who makes the transcriber that the suite is run against."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.on_ray import LocalRay, local_ray, ray_maker
from tests.conformance.remote import remote_maker
from tests.conformance.subject import Maker, local_maker, models_maker

has_ray = importlib.util.find_spec("ray") is not None
on_ray = pytest.param(
    "ray",
    marks=[
        pytest.mark.ray,
        pytest.mark.skipif(not has_ray, reason="ray isn't installed: make test-cluster"),
    ],
)


@pytest.fixture(scope="session")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRay]:
    with local_ray(tmp_path_factory.mktemp("ray")) as running:
        yield running


@pytest.fixture(params=["local", "models", "remote", on_ray])
def open_transcriber(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Maker:
    if request.param == "local":
        return local_maker(monkeypatch)
    if request.param == "models":
        return models_maker(monkeypatch)
    if request.param == "remote":
        return remote_maker(tmp_path)
    return ray_maker(request.getfixturevalue("ray_here"), tmp_path)
