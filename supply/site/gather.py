"""Collects the pages of the documentation site from the whole repository.

On the forge, pages link to each other by their paths in the repository. On the site, all of them
are in one tree, so links are rewritten. A link to a file that is not on the site, such as a module,
becomes the path of that file.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from supply.lock import ROOT

DECISIONS = "explanation/decisions.md"
_ELSEWHERE = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "src/auricle/apis/pages/llms.txt": "llms.txt",
    "web/README.md": "clients/auricle-client.md",
    "research/README.md": "benchmarks/research.md",
    "docs/README.md": "index.md",
    "docs/decisions": DECISIONS,
    "docs/decisions/README.md": f"{DECISIONS}#decisions",
}
_ATTACHED = {".svg", ".png", ".json", ".py", ".conf", ".cfg", ".yaml", ".yml", ".service"}
_LINK = re.compile(r"(\[[^\]]*\])\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^# (?:\d+\. )?(.*)$", re.MULTILINE)


def anchor_of(heading: str) -> str:
    """Return what a link names after ``#`` for a heading, as forges and the site write it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def site_paths(root: Path = ROOT) -> dict[str, str]:
    """Return the place on the site of each file, by its path in the repository.

    A place may end with an anchor: all decisions are on one page.
    """
    paths = dict(_ELSEWHERE)
    for page in root.glob("deploy/**/README.md"):
        name = page.parent.name if page.parent.name != "deploy" else "index"
        paths[page.relative_to(root).as_posix()] = f"how-to/deploy/{name}.md"
    for page in sorted(root.glob("docs/decisions/[0-9]*.md")):
        place = f"{DECISIONS}#{anchor_of(_decision_heading(page))}"
        paths[page.relative_to(root).as_posix()] = place
    for path in sorted([*root.glob("docs/**/*"), *root.glob("deploy/**/*")]):
        name = path.relative_to(root).as_posix()
        if path.suffix not in _ATTACHED | {".md"} or name in paths:
            continue
        place = name.removeprefix("docs/") if name.startswith("docs/") else f"how-to/{name}"
        paths[name] = place.replace("README.md", "index.md")
    return paths


def gather(target: Path, root: Path = ROOT) -> None:
    """Write the pages, and the files that they show or link to, into a folder.

    Args:
        target: The folder; created if missing.
        root: The repository.
    """
    paths = site_paths(root)
    for name, place in paths.items():
        if "#" in place or name == "docs/decisions":
            continue
        goal = target / place
        goal.parent.mkdir(parents=True, exist_ok=True)
        if goal.suffix == ".md":
            goal.write_text(relinked((root / name).read_text("utf-8"), name, place, paths), "utf-8")
        else:
            shutil.copyfile(root / name, goal)
    (target / DECISIONS).write_text(_decisions(root, paths), "utf-8")


def relinked(text: str, name: str, place: str, paths: Mapping[str, str]) -> str:
    """Return a page with links that lead to the same pages on the site.

    Args:
        text: The page, in Markdown.
        name: Its path in the repository.
        place: Its path on the site.
        paths: The place of each file on the site, from :func:`site_paths`.
    """

    def rewrite(link: re.Match[str]) -> str:
        label, target, anchor = link[1], link[2], link[3] or ""
        if not target:
            return link[0]
        file = os.path.normpath(PurePosixPath(name).parent / target)
        if file not in paths:
            return label[1:-1] if "`" in label else f"{label[1:-1]} (`{file}`)"
        found, _, inner = paths[file].partition("#")
        way = os.path.relpath(found, PurePosixPath(place).parent)
        return f"{label}({way}{f'#{inner}' if inner else anchor})"

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(rewrite, part) for part in parts)


def _decision_heading(page: Path) -> str:
    title = _TITLE.search(page.read_text("utf-8"))
    assert title, page
    return f"{page.name[:3]} {title[1]}"


def _decisions(root: Path, paths: Mapping[str, str]) -> str:
    """Return one page of all decisions: the index by topic, then their texts."""
    index = root / "docs/decisions/README.md"
    parts = [relinked(index.read_text("utf-8"), "docs/decisions/README.md", DECISIONS, paths)]
    for page in sorted(root.glob("docs/decisions/[0-9]*.md")):
        name = page.relative_to(root).as_posix()
        text = relinked(page.read_text("utf-8"), name, DECISIONS, paths)
        _, _, body = text.partition("\n")
        parts.append(f"## {_decision_heading(page)}\n{body.rstrip()}\n")
    return "\n".join(parts)
