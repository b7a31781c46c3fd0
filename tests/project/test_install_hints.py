"""What messages and documents say about installing packages."""

import re
import tomllib
from pathlib import Path

import pytest

from auricle.engines.moonshine.model_files import REQUIREMENT
from auricle.engines.whisper.models.bundled import BUNDLED_PACKAGES
from auricle.ledger.audio.s3.spec import CLIENT
from auricle.ledger.databases.postgres.spec import DRIVER

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def published_texts() -> list[Path]:
    """Return every document and source file that may hold an install command."""
    documents = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*")]
    return [path for path in (*documents, *ROOT.glob("src/**/*.py")) if path.is_file()]


def test_no_install_command_names_auricle_on_an_index_where_it_is_not_published() -> None:
    command = re.compile(r"pip install [^\n`]*\bauricle(\[|['\" \n`]|$)")
    found = {
        str(path.relative_to(ROOT))
        for path in published_texts()
        if command.search(path.read_text(encoding="utf-8", errors="ignore"))
    }
    assert not found


def test_the_message_names_the_packages_that_the_extra_pins() -> None:
    *whisper, moonshine = PROJECT["optional-dependencies"]["bundled-model"]
    assert BUNDLED_PACKAGES.split() == whisper
    assert moonshine.startswith(f"{REQUIREMENT};")


def test_the_messages_name_the_packages_of_shared_databases_and_stores_of_audio() -> None:
    extras = PROJECT["optional-dependencies"]
    assert extras["postgres"] == [DRIVER]
    assert extras["s3"] == [CLIENT]


def test_the_message_names_the_ray_version_that_the_extra_pins() -> None:
    [requirement] = PROJECT["optional-dependencies"]["cluster"]
    source = (ROOT / "src/auricle/cluster/command.py").read_text()
    assert source.count(f"pip install '{requirement}'") == 2
