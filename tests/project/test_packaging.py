"""The wheel: what is in it and what is not, built as a release would be."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import auricle

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


def build(source: Path, folder: Path) -> Path:
    """Build the wheel of some sources, in a separate folder."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_is_named_for_its_version_and_runs_everywhere(wheel: Path) -> None:
    assert wheel.name == f"auricle-{auricle.__version__}-py3-none-any.whl"


def test_every_module_is_in_it(names: set[str]) -> None:
    modules = {path.relative_to(ROOT / "src").as_posix() for path in ROOT.glob("src/**/*.py")}
    assert modules <= names
    assert {"auricle/workers/kinds/asr/child.py", "auricle/workers/kinds/decode/child.py"} <= names


def test_the_pages_are_in_it_once_they_are_built(tmp_path: Path) -> None:
    source = tmp_path / "source"
    static = source / "src/auricle/apis/pages/static"
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "src/auricle/__init__.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    for page in ("index.html", "assets/index-abc.js"):  # git ignores them
        (static / page).parent.mkdir(parents=True, exist_ok=True)
        (static / page).touch()
    with zipfile.ZipFile(build(source, tmp_path / "dist")) as archive:
        names = set(archive.namelist())
    assert {
        "auricle/apis/pages/static/index.html",
        "auricle/apis/pages/static/assets/index-abc.js",
    } <= names


def test_a_second_build_gives_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert build(ROOT, tmp_path).read_bytes() == wheel.read_bytes()


def test_it_says_that_it_is_typed(names: set[str]) -> None:
    assert "auricle/py.typed" in names


def test_nothing_else_is_in_it(names: set[str]) -> None:
    info = f"auricle-{auricle.__version__}.dist-info/"
    assert all(name.startswith(("auricle/", info)) for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_it_brings_its_licence_and_its_command(wheel: Path) -> None:
    info = f"auricle-{auricle.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{info}/licenses/LICENSE").startswith(b"MIT License")
        assert b"auricle = auricle.cli:app" in archive.read(f"{info}/entry_points.txt")


def test_it_brings_the_speaker_model_with_its_licence(wheel: Path, names: set[str]) -> None:
    folder = "auricle/workers/kinds/speakers"
    assert {f"{folder}/campplus.onnx", f"{folder}/campplus.md"} <= names
    with zipfile.ZipFile(wheel) as archive:
        assert b"Apache License" in archive.read(f"{folder}/campplus-LICENSE.txt")


def test_it_brings_the_turn_model_with_its_licence(wheel: Path, names: set[str]) -> None:
    folder = "auricle/workers/kinds/turns"
    assert {f"{folder}/smart-turn.onnx", f"{folder}/smart_turn.md"} <= names
    with zipfile.ZipFile(wheel) as archive:
        assert b"BSD 2-Clause" in archive.read(f"{folder}/smart-turn-LICENSE.txt")


def test_it_brings_the_list_of_common_words_with_its_licence(wheel: Path, names: set[str]) -> None:
    folder = "auricle/text/filters/correction"
    assert {f"{folder}/common_words.txt", f"{folder}/common_words.md"} <= names
    with zipfile.ZipFile(wheel) as archive:
        assert b"Kevin Atkinson" in archive.read(f"{folder}/common_words-LICENSE.txt")


def test_its_metadata_name_the_extras_and_the_oldest_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"auricle-{auricle.__version__}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"bundled-model", "cuda", "mic", "server"} <= set(
        metadata.get_all("Provides-Extra") or []
    )


def test_the_development_lock_pins_all_that_the_other_one_does() -> None:
    runtime, development = (
        {line.split()[0] for line in (ROOT / lock).read_text().splitlines() if "==" in line}
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime < development
