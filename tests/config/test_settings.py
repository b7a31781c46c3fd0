"""Settings: reading and validation."""

import math
from pathlib import Path

import pytest

from auricle.config.section import variable
from auricle.config.settings import Settings, fields, section_classes
from auricle.values.errors import SetupError

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
    assert settings.model.engine == "whisper"


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AURICLE_PORT", "65536"),
        ("AURICLE_PORT", "http"),
        ("AURICLE_WORKERS", "-1"),
        ("AURICLE_WORKERS", "257"),
        ("AURICLE_DEVICE", "tpu"),
        ("AURICLE_LOG_LEVEL", "loud"),
        ("AURICLE_MAX_AUDIO_S", "0"),
        ("AURICLE_MAX_AUDIO_S", "nan"),
        ("AURICLE_MAX_AUDIO_S", "inf"),
        ("AURICLE_LIVE_SPEAKERS", "-1"),
        ("AURICLE_LIVE_SPEAKERS", "few"),
        ("AURICLE_MAX_LAG_S", "-1"),
        ("AURICLE_MAX_LAG_S", "0.5"),
        ("AURICLE_MAX_LAG_S", "60.5"),
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
        ("AURICLE_KEEP_AUDIO_S", "-1"),
        ("AURICLE_KEEP_AUDIO_S", "2592001"),
    ],
)
def test_a_value_that_cant_be_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=name):
        Settings.load()


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_PORT", "http")
    monkeypatch.setenv("AURICLE_QUEUE_JOBS", "0")
    with pytest.raises(SetupError, match=r"AURICLE_PORT.*AURICLE_QUEUE_JOBS"):
        Settings.load()


def test_a_wrong_option_is_reported_by_its_own_name() -> None:
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
    assert {name for section in section_classes() for name in section.variables()} == set(names)


def test_no_setting_is_endless_by_default() -> None:
    numbers = [d.default for _, d in fields() if isinstance(d.default, int | float)]
    assert all(math.isfinite(number) for number in numbers)
