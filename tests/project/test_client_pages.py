"""The pages of clients: each program that the doctor knows has one, with its exact lines."""

import re
from pathlib import Path

import pytest

from auricle.cli.doctor.client.catalogue import clients
from auricle.protocol.client_profile import ClientProfile, KeyScheme

pytestmark = pytest.mark.unit

PAGES = Path(__file__).parents[2] / "docs" / "clients"
DOCTOR = re.compile(r"^(.*)auricle doctor --client (\S+) (\S+)$", re.MULTILINE)
REFERENCE = "openai-api.md"
PROGRAMS = pytest.mark.parametrize(
    "profile", clients().values(), ids=lambda profile: str(profile.name)
)


def page_of(profile: ClientProfile) -> str:
    """Return the page that shows how to check a program; README.md shows one as an example."""
    found = [
        path
        for path in sorted(PAGES.glob("*.md"))
        for _, name, _ in DOCTOR.findall(path.read_text())
        if name == profile.name and path.name not in ("README.md", "moving-off-whisper-1.md")
    ]
    assert len(found) == 1, found
    return found[0].read_text()


@PROGRAMS
def test_the_page_checks_the_url_that_the_program_needs(profile: ClientProfile) -> None:
    [(prefix, url)] = [
        (prefix, url.strip("'"))
        for prefix, name, url in DOCTOR.findall(page_of(profile))
        if name == profile.name
    ]
    with_key = profile.url.replace("://", "://:YOUR_KEY@")
    assert url == (with_key if profile.key is KeyScheme.BASIC else profile.url)
    sends_key = profile.key not in (KeyScheme.BASIC, KeyScheme.NONE)
    assert prefix == ("AURICLE_API_KEY=YOUR_KEY " if sends_key else "")


@PROGRAMS
def test_the_page_shows_the_url_where_the_program_is_configured(profile: ClientProfile) -> None:
    page = DOCTOR.sub("", page_of(profile))
    address = profile.url.partition("://")[2]
    machine = re.escape(address).replace(re.escape("127.0.0.1"), r"(127\.0\.0\.1|HOST)")
    assert re.search(machine, page), profile.url


@PROGRAMS
def test_the_page_names_the_version(profile: ClientProfile) -> None:
    version = profile.version.split()[-1] if "node" in profile.version else profile.version
    words = re.findall(r"[\w.-]*\d[\w.-]*", version.replace("(", "").replace(")", ""))
    assert words
    assert words[0].rpartition("/")[2] in page_of(profile), profile.version


def test_the_table_lists_every_page() -> None:
    table = (PAGES / "README.md").read_text()
    for path in PAGES.glob("*.md"):
        assert path.name in (REFERENCE, "README.md") or f"({path.name})" in table, path.name
