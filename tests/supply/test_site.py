"""The documentation site: its pages, its links, and what is made from the code."""

import json
import re
import zipfile
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from auricle.cli import app
from supply.lock import ROOT
from supply.site import reference
from supply.site.gather import DECISIONS, gather, relinked, site_paths
from supply.site.pack import pack
from supply.site.search import extend_search, synonyms_of

pytestmark = pytest.mark.unit

PATHS = {
    "docs/how-to/access.md": "how-to/access.md",
    "docs/reference/protocol.md": "reference/protocol.md",
    "docs/decisions/022-hosts.md": f"{DECISIONS}#022-hosts",
    "README.md": "overview.md",
}


@pytest.mark.parametrize(
    ("link", "on_the_site"),
    [
        ("[keys](../../docs/how-to/access.md#keys)", "[keys](../access.md#keys)"),
        ("[why](../../docs/decisions/022-hosts.md)", f"[why](../../{DECISIONS}#022-hosts)"),
        ("[start](../../README.md#quick-start)", "[start](../../overview.md#quick-start)"),
        ("[here](#tls)", "[here](#tls)"),
        ("[there](https://example.org/a.md)", "[there](https://example.org/a.md)"),
        ("[base](../../src/base.py)", "base (`src/base.py`)"),
        ("[`base.py`](../../src/base.py)", "`base.py`"),
    ],
)
def test_a_link_leads_to_the_same_page_on_the_site(link: str, on_the_site: str) -> None:
    name, place = "deploy/nginx/README.md", "how-to/deploy/nginx.md"
    assert relinked(f"See {link}.", name, place, PATHS) == f"See {on_the_site}."


def test_code_is_not_changed() -> None:
    text = "```md\n[keys](../../docs/how-to/access.md)\n```\n"
    assert relinked(text, "deploy/nginx/README.md", "how-to/deploy/nginx.md", PATHS) == text


def test_every_page_is_on_the_site_and_in_its_navigation(tmp_path: Path) -> None:
    gather(tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    text = (ROOT / "supply/site/mkdocs.yml").read_text()
    listed = set(re.findall(r": ([\w/.-]+\.md)$", text, re.MULTILINE))
    made = {f"reference/{name}.md" for name in ("commands", "metrics", "errors")}
    assert listed == written | made
    pages = {name for name in site_paths() if name.startswith("docs/") and name.endswith(".md")}
    assert len(pages) == len(list(ROOT.glob("docs/**/*.md")))


def test_the_front_matter_of_a_page_has_synonyms_only() -> None:
    for page in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]:
        text = page.read_text()
        if text.startswith("---"):
            assert re.match(r"---\nsynonyms: [\w ,./+-]+\n---\n\n# ", text), page
    assert "diarization" in synonyms_of(ROOT / "docs/how-to/speakers.md")


def test_the_index_of_the_search_has_a_page_s_synonyms(tmp_path: Path) -> None:
    html, pages = tmp_path / "html", tmp_path / "pages"
    (html / "assets/javascripts/workers").mkdir(parents=True)
    (html / "assets/javascripts/workers/search.0123.min.js").write_text("theirs")
    pages.mkdir()
    (pages / "keys.md").write_text("---\nsynonyms: password\n---\n\n# Keys\n")
    (pages / "changelog.md").write_text("# Changelog\n")
    places = ["keys.html", "keys.html#make-one", "changelog.html"]
    (html / "search.json").write_text(json.dumps({"items": [{"location": at} for at in places]}))
    extend_search(html, pages)
    [page, section, changelog] = json.loads((html / "search.json").read_text())["items"]
    assert page == {"location": "keys.html", "synonyms": "password"}
    assert section == {"location": "keys.html#make-one"}
    assert 0 < changelog["boost"] < 1
    worker = (html / "assets/javascripts/workers/search.0123.min.js").read_text()
    assert worker == (ROOT / "supply/site/search.js").read_text()


def test_every_command_is_on_the_page_of_commands() -> None:
    page = "\n".join(reference.commands())
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        assert f"# auricle {name}\n" in page
        for inner in command.commands if isinstance(command, TyperGroup) else ():
            assert f"### auricle {name} {inner}\n" in page
    assert "| `--port` | `AURICLE_PORT` | `6007` | Port to listen on" in page
    assert "[dim]" not in page


def test_the_metrics_of_the_alerts_are_on_the_page_of_metrics() -> None:
    page = "\n".join(reference.metrics())
    alerts = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    for name in set(re.findall(r"\bauricle_\w+", alerts)):
        assert f"`{re.sub(r'_(bucket|sum|count)$', '', name)}`" in page, name
    assert "| `auricle_model_state` | gauge | `model` `state` |" in page
    assert "`auricle_live_readers`" in page  # of an optional folder


def test_every_code_of_the_http_reference_is_on_the_page_of_errors() -> None:
    page = "\n".join(reference.errors())
    text = (ROOT / "docs/reference/http-api.md").read_text()
    rows = re.findall(r"^\| \d{3} \| (`.*?) \|", text, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert codes <= set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    assert "``" not in page


def test_the_openapi_document_is_for_the_server_that_serves_it() -> None:
    document = json.loads(json.dumps(reference.openapi()))
    assert document["servers"] == [{"url": "../../"}]
    assert "/utterance" in document["paths"]


def test_the_same_site_makes_the_same_archive(tmp_path: Path) -> None:
    site = tmp_path / "html"
    (site / "images").mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html>")
    (site / "sitemap.xml").write_text("<urlset/>")
    (site / "images/page.png").write_bytes(b"\x89PNG")
    archives = [tmp_path / "first.zip", tmp_path / "second.zip"]
    for archive in archives:
        pack(site, archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as entries:
        assert sorted(entries.namelist()) == ["images/page.png", "index.html.gz"]
