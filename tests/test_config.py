"""Settings: reading, validation, and the environment of workers."""

import math
import os
import sys
from pathlib import Path

import pytest

from auricle.config import (
    SECRET_VARIABLES,
    SECTIONS,
    CrewSize,
    Settings,
    WorkerSettings,
    crew_size,
    fields,
    memory_per_worker_mb,
    other_environment,
    unknown_variables,
    variable,
    worker_environment,
)
from auricle.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in fields():
        monkeypatch.delenv(variable(name), raising=False)


def test_without_any_variable_it_listens_on_loopback_only() -> None:
    settings = Settings.load()
    assert settings.server.host == "127.0.0.1"
    assert settings.server.port == 6007
    assert settings.server.api_keys == ()
    assert settings.model.model == "base"


def test_each_section_reads_its_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AURICLE_PORT", "7000")
    monkeypatch.setenv("AURICLE_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("AURICLE_WORKERS", "3")
    monkeypatch.setenv("AURICLE_QUEUE_AUDIO_S", "60")
    monkeypatch.setenv("AURICLE_MAX_AUDIO_S", "90.5")
    settings = Settings.load()
    assert settings.server.port == 7000
    assert settings.model.cache_dir == tmp_path
    assert settings.worker.workers == 3
    assert settings.queue.queue_audio_s == 60
    assert settings.decode.max_audio_s == 90.5


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_PORT", "7000")
    assert Settings.load({"port": 7001}).server.port == 7001


def test_an_option_that_was_not_given_leaves_the_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "7000")
    assert Settings.load({"port": None}).server.port == 7000


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_PORT", "")
    monkeypatch.setenv("AURICLE_API_KEYS", "")
    settings = Settings.load()
    assert settings.server.port == 6007
    assert settings.server.api_keys == ()


def test_keys_are_cut_at_commas_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_API_KEYS", "anna:first-key, ,second-key,")
    settings = Settings.load()
    keys = [key.get_secret_value() for key in settings.server.api_keys]
    assert keys == ["anna:first-key", "second-key"]
    assert "first-key" not in repr(settings)


def test_recognisers_are_cut_at_commas_and_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AURICLE_ENGINE_URLS", "http://10.0.0.1:8000/, https://b.example/asr,,http://10.0.0.1:8000"
    )
    monkeypatch.setenv("AURICLE_ENGINE_KEY", "between-machines")
    engine = Settings.load().engine
    assert engine.engine_urls == ("http://10.0.0.1:8000", "https://b.example/asr")
    assert "between-machines" not in repr(engine)
    assert variable("engine_key") in SECRET_VARIABLES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AURICLE_PORT", "65536"),
        ("AURICLE_PORT", "http"),
        ("AURICLE_WORKERS", "-1"),
        ("AURICLE_WORKERS", "257"),
        ("AURICLE_DEVICE", "tpu"),
        ("AURICLE_LOG_LEVEL", "loud"),
        ("AURICLE_MAX_WAIT_S", "0"),
        ("AURICLE_MAX_WAIT_S", "nan"),
        ("AURICLE_MAX_WAIT_S", "inf"),
        ("AURICLE_KEY_SHARE", "1.1"),
        ("AURICLE_GATEWAY_ID", "a-b"),
        ("AURICLE_GATEWAY_ID", "a\n"),
        ("AURICLE_GATEWAY_ID", "é"),
        ("AURICLE_AGENT_CHECK_PORT", "0"),
        ("AURICLE_ENGINE_URLS", "127.0.0.1:8000"),
        ("AURICLE_ENGINE_URLS", "ftp://host"),
        ("AURICLE_ENGINE_URLS", "http://anna:key@host"),
        ("AURICLE_ENGINE_URLS", "http://host:port"),
        ("AURICLE_ENGINE_URLS", "http://host:99999"),
        ("AURICLE_ENGINE_URLS", "http://host?key=1"),
        ("AURICLE_ENGINE_URLS", "http://good,http://b a d"),
        ("AURICLE_GATEWAYS", "0"),
    ],
)
def test_a_value_that_cant_be_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=name):
        Settings.load()


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_PORT", "http")
    monkeypatch.setenv("AURICLE_KEY_SHARE", "2")
    with pytest.raises(SetupError, match=r"AURICLE_PORT.*AURICLE_KEY_SHARE"):
        Settings.load()


def test_a_wrong_option_is_told_by_its_own_name() -> None:
    with pytest.raises(SetupError, match="--worker-threads: .*greater than or equal to 0"):
        Settings.load({"worker_threads": -1})


def test_a_refusal_never_repeats_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_PORT", "a-secret-in-the-wrong-place")
    with pytest.raises(SetupError) as caught:
        Settings.load()
    assert "secret" not in str(caught.value)


def test_every_setting_is_described_and_named_once() -> None:
    names = [name for name, _ in fields()]
    assert len(names) == len(set(names))
    assert all(definition.description for _, definition in fields())
    assert {name for section in SECTIONS.values() for name in section.model_fields} == set(names)


def test_a_variable_that_nothing_reads_is_found_with_the_likeliest_meant() -> None:
    environ = {"AURICLE_WORKER": "2", "AURICLE_PORT": "1", "AURICLE_MOOD": "x", "PATH": "/bin"}
    assert unknown_variables(environ) == [
        ("AURICLE_MOOD", None),
        ("AURICLE_WORKER", "AURICLE_WORKERS"),
    ]


@pytest.mark.parametrize(
    ("cores", "memory_mb", "model_mb", "workers", "threads"),
    [
        (1, 4_000, 145, 2, 1),  # at least two: the death of one never stops the service
        (2, 8_000, 145, 2, 1),
        (8, 32_000, 145, 8, 1),
        (8, 2_300, 145, 3, 2),  # few fit and share the cores
        (64, 256_000, 145, 16, 4),  # the maximum
        (8, 24_000, 3087, 2, 4),  # a large model
        (64, 24_000, 3087, 2, 8),
        (8, 800, 145, 2, 4),  # the memory counted for one is enough for two idle workers
        (8, 6_000, 3087, 1, 8),
        (8, 100, 145, 1, 8),
    ],
)
def test_as_many_workers_run_as_cores_and_memory_hold(
    cores: int, memory_mb: float, model_mb: float, workers: int, threads: int
) -> None:
    size = crew_size(WorkerSettings(), cores=cores, memory_mb=memory_mb, model_mb=model_mb)
    assert size == CrewSize(workers, threads)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"workers": 1}, CrewSize(1, 8)),  # all cores are its own
        ({"workers": 3}, CrewSize(3, 2)),
        ({"workers": 40}, CrewSize(40, 1)),
        ({"worker_threads": 4}, CrewSize(2, 4)),
        ({"worker_threads": 16}, CrewSize(2, 16)),
        ({"workers": 5, "worker_threads": 3}, CrewSize(5, 3)),
    ],
    ids=str,
)
def test_numbers_that_were_asked_for_are_taken_as_they_are(
    asked: dict[str, int], expected: CrewSize
) -> None:
    size = crew_size(WorkerSettings.model_validate(asked), cores=8, memory_mb=32_000)
    assert size == expected
    settled = WorkerSettings(workers=size.workers, worker_threads=size.threads)
    assert crew_size(settled, cores=1, memory_mb=0) == expected


def test_what_is_counted_for_a_worker_grows_with_its_model() -> None:
    assert memory_per_worker_mb() == 735
    assert memory_per_worker_mb(3087) > 6_000


def test_a_worker_is_given_what_it_needs_and_its_number_of_threads() -> None:
    others = (
        "AWS_SECRET_ACCESS_KEY",
        "HF_TOKEN",
        "DATABASE_URL",
        "AURICLE_MODEL",
        "AURICLE_APIKEY",
    )
    secret = dict.fromkeys([*SECRET_VARIABLES, *others], "a-secret")
    needed = {"HOME": "/home/anna", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1", "AURICLE_MINE": "x"}
    given = worker_environment(4, secret | needed)
    assert "a-secret" not in given.values()
    assert given.items() >= needed.items()
    assert given["OMP_NUM_THREADS"] == "4"


def test_every_setting_that_is_a_key_is_known_as_one() -> None:
    keys = {variable(name) for name, field in fields() if "SecretStr" in str(field.annotation)}
    assert keys <= SECRET_VARIABLES


def test_other_programs_get_the_environment_without_our_keys() -> None:
    environ = dict.fromkeys(SECRET_VARIABLES, "a-key") | {"HF_TOKEN": "for the hub"}
    given = other_environment(environ)
    assert "a-key" not in given.values()
    assert given["HF_TOKEN"] == "for the hub"


def test_no_setting_is_endless_by_default() -> None:
    numbers = [d.default for _, d in fields() if isinstance(d.default, int | float)]
    assert all(math.isfinite(number) for number in numbers)


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
    given = worker_environment(1, {"LD_LIBRARY_PATH": "/mine"})["LD_LIBRARY_PATH"]
    assert given.split(os.pathsep) == ["/mine", *expected]
