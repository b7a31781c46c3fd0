"""The map and the recipes of CONTRIBUTING.md name what exists."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PLACES = (ROOT / "src/auricle", ROOT / "web/page", ROOT)
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP, RECIPES = (
    TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0] for title in ("The map", "Recipes")
)
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", MAP + RECIPES)))
PATH = re.compile(r"[\w.*-]+(/[\w.*-]*)+|[\w-]+\.(py|md|ts|toml|yml|html)")
IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*(\(\))?")


@cache
def code() -> str:
    """Return all sources of the repository as one text."""
    listed = subprocess.run(
        ["git", "ls-files", "src", "tests", "web", "fuzz", "supply", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    suffixes = {".py", ".ts", ".toml", ".html"}
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / name for name in listed)
        if path.suffix in suffixes and path.is_file()
    )


@pytest.mark.parametrize("name", [name for name in NAMED if PATH.fullmatch(name)])
def test_every_path_exists(name: str) -> None:
    pattern = name.replace("NAME", "*").rstrip("/")
    if "/" not in pattern:
        pattern = f"**/{pattern}"  # of the folder that its sentence names
    assert any(next(place.glob(pattern), None) for place in PLACES), name


@pytest.mark.parametrize(
    "name", [name for name in NAMED if IDENTIFIER.fullmatch(name) and not PATH.fullmatch(name)]
)
def test_every_identifier_is_in_the_code(name: str) -> None:
    word = name.removesuffix("()").rpartition(".")[2]
    assert "NAME" in name or re.search(rf"\b{re.escape(word)}\b", code()), name
