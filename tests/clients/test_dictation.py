"""Dictation programs and plug-ins of editors, unmodified and without a screen.

asr2clip is a package. The code of the others is taken from a checkout of their repository in
``.cache/programs``, at the commit named here; without one, their test is skipped.
"""

import ctypes.util
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.environment import Client, program
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS
from tests.support.command import ROOT

pytestmark = [pytest.mark.model, pytest.mark.outside]

ASR2CLIP, HYPRWHSPR = Client("client-asr2clip"), Client("client-hyprwhspr")
NODE = Client("npm-dictation")
FELLOW, FELLOW_WEBM = CLIPS["fellow.wav"], CLIPS["fellow.webm"]


@dataclass(frozen=True)
class Checkout:
    """A repository at a commit."""

    url: str
    commit: str

    @property
    def folder(self) -> Path:
        """Its files."""
        name = self.url.rpartition("/")[2]
        folder = ROOT / ".cache" / "programs" / name
        if not folder.exists():
            pytest.skip(f"git clone {self.url} {folder}; git -C {folder} checkout {self.commit}")
        head = subprocess.check_output(["git", "-C", folder, "rev-parse", "HEAD"], text=True)
        assert head.strip().startswith(self.commit)
        return folder


HYPRWHSPR_SOURCE = Checkout("https://github.com/goodroot/hyprwhspr", "74bfe86")
OBSIDIAN_SOURCE = Checkout("https://github.com/nikdanilov/whisper-obsidian-plugin", "0a0a5e4")
VSCODE_SOURCE = Checkout("https://github.com/martin-opensky/whisper-assistant-vscode", "8dbeaa9")


@pytest.mark.skipif(
    ctypes.util.find_library("portaudio") is None, reason="apt-get install libportaudio2"
)
def test_asr2clip_prints_the_text(server: RealServer, scores: Scores, tmp_path: Path) -> None:
    config = tmp_path / "asr2clip.conf"
    config.write_text(
        f'api_base_url: "{server.url}/v1"\napi_key: "{server.key}"\nmodel_name: "whisper-1"\n'
    )
    arguments = ["-q", "-c", str(config), "-i", str(FELLOW.path), "-o", "-"]
    text = ASR2CLIP.run("from asr2clip.asr2clip import main\nmain()", *arguments)
    name = f"asr2clip {ASR2CLIP.version('asr2clip')}"
    assert scores.add(name, "page", FELLOW, text).total == 0


def test_hyprwhspr_dictates(server: RealServer, scores: Scores) -> None:
    source = str(HYPRWHSPR_SOURCE.folder)
    server.until_at_rest()
    said = json.loads(
        HYPRWHSPR.run(program("hyprwhspr.py"), source, server.address, server.key, str(FELLOW.path))
    )
    for way in ("rest", "realtime"):
        figures = f"text {said[way]['after_s']:.1f} s after the release"
        name = f"hyprwhspr {HYPRWHSPR_SOURCE.commit}"
        assert scores.add(name, way, FELLOW, said[way]["text"], figures).total == 0
        assert said[f"{way}, nothing said"]["text"] == ""


def test_obsidian_s_plug_in_inserts_the_text(server: RealServer, scores: Scores) -> None:
    code = program("bundled.mjs") + program("obsidian_whisper.mjs")
    url = f"{server.url}/v1/audio/transcriptions"
    text = NODE.run(code, str(OBSIDIAN_SOURCE.folder), url, server.key, str(FELLOW_WEBM.path))
    name = f"whisper-obsidian-plugin {OBSIDIAN_SOURCE.commit}"
    assert scores.add(name, "page", FELLOW_WEBM, text).total == 0


def test_the_extension_of_visual_studio_code_transcribes(
    server: RealServer, scores: Scores
) -> None:
    code = program("bundled.mjs") + program("whisper_assistant.mjs")
    source = str(VSCODE_SOURCE.folder)
    said = json.loads(NODE.run(code, source, server.url, server.key, str(FELLOW.path)))
    name = f"whisper-assistant-vscode {VSCODE_SOURCE.commit}"
    assert scores.add(name, "page", FELLOW, said["text"]).total == 0
    assert said["language"] == "english"
    assert said["segments"] > 0
