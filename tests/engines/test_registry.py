"""Engines by name."""

import sys
from pathlib import Path

import pytest

from auricle.engines.registry import (
    catalogue,
    find_engine,
    find_factory,
    find_model,
    find_streaming_factory,
    working_directory_of,
)
from auricle.values.errors import SetupError
from tests.support import scripted_engine
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit


def test_a_module_is_an_engine() -> None:
    assert find_engine(SCRIPTED) is scripted_engine.SPEC
    assert find_factory(SCRIPTED) is scripted_engine.load


@pytest.mark.parametrize("name", ["", "no.such.module", "Whisper", "a:b", ".whisper"])
def test_an_engine_that_is_not_there_is_reported(name: str) -> None:
    with pytest.raises(SetupError, match="not found.*Set AURICLE_ENGINE to `whisper`"):
        find_engine(name)


def test_a_module_that_is_no_engine_is_reported() -> None:
    with pytest.raises(SetupError, match="SPEC"):
        find_factory("json")


def test_a_module_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert working_directory_of("an_engine_of_ours") == []
    code = f"from {SCRIPTED} import SPEC"
    (tmp_path / "an_engine_of_ours.py").write_text(code)
    assert find_engine("an_engine_of_ours") is scripted_engine.SPEC
    assert working_directory_of("an_engine_of_ours") == ["."]
    with pytest.raises(SetupError, match="no function load"):
        find_factory("an_engine_of_ours")
    assert working_directory_of("whisper") == []


def test_an_engine_without_streams_has_no_streaming_factory() -> None:
    assert find_streaming_factory(SCRIPTED) is None


def test_an_engine_that_promises_streams_must_load_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    spec = f"""
from dataclasses import replace
from {SCRIPTED} import SPEC, load
SPEC = replace(SPEC, streams=True)
"""
    (tmp_path / "an_engine_that_lies.py").write_text(spec)
    (tmp_path / "an_engine_that_streams.py").write_text(f"{spec}load_streaming = print")
    with pytest.raises(SetupError, match="no function load_streaming"):
        find_streaming_factory("an_engine_that_lies")
    assert callable(find_streaming_factory("an_engine_that_streams"))


def test_a_model_is_found_with_and_without_its_engine() -> None:
    for model in catalogue():
        assert find_model(model.name) is model
        assert find_model(f"{model.engine}:{model.name}") is model


@pytest.mark.parametrize("name", ["", ":", "nothing", "moonshine:tiny", "a:b:c", "../tiny"])
def test_a_model_that_cannot_be_pulled_is_reported(name: str) -> None:
    with pytest.raises(SetupError, match="`auricle models` lists them"):
        find_model(name)


def test_a_misspelled_model_gets_a_hint() -> None:
    with pytest.raises(SetupError, match="Did you mean large-v3"):
        find_model("large_v3")
