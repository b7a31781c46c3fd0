"""Every example of the Python client's page, run as it stands; the address is the test's."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import ROOT, serving

pytestmark = pytest.mark.process

PAGE = ROOT / "docs/clients/auricle-python.md"
EXAMPLES = re.findall(r"^## (.*?)$|^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.S)
KEY = "KEY"
LIMIT_S = 120


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, api_keys=f"reader:{KEY}") as (_, url):
        yield url


def examples() -> dict[str, str]:
    """Return the programs by the heading above them; a number tells those of one heading apart."""
    found: dict[str, str] = {}
    heading = "Start"
    for title, program in EXAMPLES:
        heading = title or heading
        if program:
            found[f"{heading} {len(found)}"] = program
    return found


@pytest.mark.parametrize("name", examples())
def test_an_example_prints_what_it_should(name: str, url: str, tmp_path: Path) -> None:
    program = examples()[name].replace("http://127.0.0.1:6007", url)
    (tmp_path / "testdata").symlink_to(ROOT / "testdata")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    match name.split()[0]:
        case "Subtitles":
            assert (tmp_path / "story.srt").read_text().startswith("1\n00:00:0")
        case "Errors":
            assert done.stdout.startswith(("bad file: ", "unsupported_format"))
        case _:
            assert re.search(r"\d{5}", done.stdout)  # the scripted engine's text
