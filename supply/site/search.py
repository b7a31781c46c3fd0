"""Search of the documentation site by any word, with synonyms from the pages' front matter.

Zensical's search finds a section only if it has every word of a question, and has no option for
this. Its dialog and its index are kept; ``search.js`` replaces the worker that ranks the sections.
"""

import json
import re
from pathlib import Path

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_SYNONYMS = re.compile(r"^synonyms: (.*)$", re.MULTILINE)
_BOOSTS = (
    ("index.html", 0.5),
    ("explanation/decisions.html", 0.3),
    ("changelog.html", 0.3),
    ("contributing.html", 0.4),
    ("benchmarks/", 0.4),
    ("reference/licences.html", 0.4),
    ("comparison.html", 0.6),
    ("reference/", 0.8),
    ("explanation/", 0.8),
)
"""Factors of the scores of pages that few readers want, by the start of their place; else 1."""


def extend_search(html: Path, pages: Path) -> None:
    """Add synonyms and factors to the index of the built site, and replace the worker.

    Args:
        html: The built site.
        pages: The Markdown that it was built from.
    """
    index = html / "search.json"
    content = json.loads(index.read_text("utf-8"))
    for item in content["items"]:
        place, _, anchor = item["location"].partition("#")
        if not anchor and (found := synonyms_of((pages / place).with_suffix(".md"))):
            item["synonyms"] = found
        if (factor := _boost_of(place)) != 1:
            item["boost"] = factor
    index.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    [worker] = html.glob("assets/javascripts/workers/search.*.min.js")
    worker.write_bytes(Path(__file__).with_name("search.js").read_bytes())


def synonyms_of(page: Path) -> str:
    """Return the words of a page's front matter by which it is found, besides those of its text."""
    front = _FRONT_MATTER.match(page.read_text("utf-8"))
    found = _SYNONYMS.search(front[1]) if front else None
    return found[1] if found else ""


def _boost_of(place: str) -> float:
    return next((factor for start, factor in _BOOSTS if place.startswith(start)), 1)
