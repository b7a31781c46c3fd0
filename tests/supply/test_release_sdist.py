"""Builds that give the same files everywhere."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from supply.release.artefacts import check_sdist
from supply.release.failure import ReleaseError

pytestmark = pytest.mark.process

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "small"
version = "1.0"
requires-python = ">=3.11"

[tool.hatch.build.targets.sdist]
include = ["/small", "/hook.py"]

[tool.hatch.build.targets.wheel.hooks.custom]
path = "hook.py"
"""
HOOK = """
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        import {module}
        with open("small/made.py", "w") as file:
            file.write(repr({value}))
        build_data["artifacts"].append("small/made.py")
"""


def build(folder: Path, module: str, value: str) -> tuple[Path, Path]:
    """Build a project whose wheel contains a value; return the sdist and the wheel."""
    (folder / "small").mkdir()
    (folder / "small" / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "hook.py").write_text(HOOK.format(module=module, value=value))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "dist/small-1.0.tar.gz", folder / "dist/small-1.0-py3-none-any.whl"


def test_a_build_that_is_the_same_everywhere_is_accepted(tmp_path: Path) -> None:
    sdist, wheel = build(tmp_path, "sys", "1")
    assert "small/made.py" in zipfile.ZipFile(wheel).namelist()
    check_sdist(sdist, wheel)


def test_a_build_that_depends_on_its_user_is_refused(tmp_path: Path) -> None:
    sdist, wheel = build(tmp_path, "os", "os.environ.get('TZ')")
    with pytest.raises(ReleaseError, match=r"gives another small-1\.0-py3-none-any\.whl"):
        check_sdist(sdist, wheel)
