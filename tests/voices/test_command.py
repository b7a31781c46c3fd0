"""``auricle voices`` with a real server and its workers."""

import json
import subprocess
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from auricle.voices.part import PART
from tests.support.clips import CLIPS
from tests.support.command import completed, environment, serving
from tests.support.dialogue import dialogue

pytestmark = pytest.mark.process

KEYS = "anna:anna-secret-key,ben:ben-secret-key"

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]


def write_wav(path: Path, pcm: Pcm16) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    speech = np.tile(CLIPS["fellow.wav"].pcm, 2)
    write_wav(folder / "joe.wav", speech)
    write_wav(folder / "two.wav", np.concatenate([dialogue(), dialogue()]))
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder, state_dir=folder / "state", api_keys=KEYS, known_voices="anna") as (_, at):
        yield at


@pytest.fixture
def voices(folder: Path, url: str) -> Run:
    """Run ``auricle voices`` with anna's key, unless a setting says otherwise."""

    def run(*arguments: object, **settings: str) -> Completed:
        settings = {"url": url, "api_key": "anna-secret-key"} | settings
        environ = environment(folder, **settings) | {"TZ": "UTC"}
        return completed("voices", *map(str, arguments), environ=environ)

    return run


@pytest.mark.wall_clock
def test_a_voice_is_added_listed_renamed_exported_deleted_and_restored(
    voices: Run, folder: Path
) -> None:
    refused = voices("add", "Joe", folder / "joe.wav")
    assert refused.returncode != 0
    assert "consent" in refused.stderr
    added = voices("add", "Joe", folder / "joe.wav", "--consent")
    assert added.returncode == 0, added.stderr
    id = added.stdout.strip()
    assert voices("rename", id, "Joseph").returncode == 0
    listed = voices("list")
    assert listed.stdout.startswith(id)
    assert listed.stdout.endswith("  Joseph\n")
    assert json.loads(voices("list", "--json").stdout)["name"] == "Joseph"
    export = folder / "voices.json"
    assert voices("export", "-o", export).returncode == 0
    assert voices("delete", id).returncode == 0
    assert voices("list").stdout == ""
    assert voices("delete", id).returncode == 2
    restored = voices("restore", export, "--consent")
    assert restored.stdout.endswith("  Joseph\n"), restored.stderr
    assert voices("delete", restored.stdout.split()[0]).returncode == 0


@pytest.mark.wall_clock
def test_what_the_server_refuses_is_said(voices: Run, folder: Path) -> None:
    two = voices("add", "Joe", folder / "two.wav", "--consent")
    assert (two.returncode, two.stdout) == (2, "")
    assert "voice_unusable" in two.stderr
    other = voices("list", api_key="ben-secret-key")
    assert "AURICLE_KNOWN_VOICES" in other.stderr
    unknown = voices("remember", "Joe", "unknown", 1, "--consent")
    assert "not stored" in unknown.stderr
    bad = voices("restore", folder / "joe.wav")
    assert "not an export" in bad.stderr


def test_every_command_says_what_it_does(voices: Run) -> None:
    helped = voices("--help").stdout
    assert all(command.__name__ in helped for command in PART.commands())
