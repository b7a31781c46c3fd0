"""Who makes the transcriber that the suite is run against."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.on_ray import LocalRay, local_ray, ray_maker
from tests.conformance.remote import be_patient, look_often, remote_maker
from tests.conformance.subject import Maker, local_maker, models_maker

has_ray = importlib.util.find_spec("ray") is not None
on_ray = pytest.param(
    "ray",
    marks=[
        pytest.mark.ray,
        pytest.mark.skipif(not has_ray, reason="ray isn't installed: make test-cluster"),
    ],
)


BRIEF_ON_RAY = {
    "test_all_that_was_asked_for_travels_there_and_back",
    "test_poison_is_quarantined_and_refused_without_other_jobs",
    "test_closing_finishes_what_was_accepted_and_takes_nothing_new",
    "test_the_death_of_a_worker_in_flight_is_invisible",
    "test_a_part_that_stands_still_is_given_up_in_time",
    "test_what_loses_everything_it_runs_on_is_given_up",
    "test_each_job_runs_with_its_model",
    "test_overload_splits_into_answers_and_refusals_with_a_time",
    "test_a_cancelled_job_is_not_run",
    "test_finals_pass_speculation_partials_and_files",
}
"""What Ray's application decides itself. The rest is the gateway's, which "remote" tries too.

That a real model works in a worker is tried once, at the other end of a gateway.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and "open_transcriber" in item.fixturenames:
            subject = item.callspec.params["open_transcriber"]
            is_far = subject == "ray" and item.originalname not in BRIEF_ON_RAY
            has_loaded = "model" in item.keywords and subject != "remote"
            if is_far or has_loaded:
                item.add_marker(pytest.mark.slow)


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
        if request.node.get_closest_marker("wall_clock") is None:
            be_patient(monkeypatch)
            look_often(monkeypatch)
        return remote_maker(tmp_path)
    return ray_maker(request.getfixturevalue("ray_here"), tmp_path)
