"""The version of a release, which several files name, and the server's requirements."""

import json
import re
import tomllib
from pathlib import Path

from supply.release.failure import ReleaseError


def named_versions(root: Path) -> dict[str, str]:
    """Return the version that each file names; the first one counts.

    Args:
        root: The repository.
    """
    module = (root / "src" / "auricle" / "__init__.py").read_text()
    [version] = re.findall(r'^__version__ = "(.+)"$', module, re.MULTILINE)
    lock = json.loads((root / "web" / "package-lock.json").read_text())
    return {
        "src/auricle/__init__.py": version,
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"][
            "version"
        ],
        "web/package.json": json.loads((root / "web" / "package.json").read_text())["version"],
        "web/package-lock.json": lock["packages"][""]["version"],
    }


def check_versions(root: Path, tag: str | None = None) -> str:
    """Return the version of the release.

    Args:
        root: The repository.
        tag: The tag that is to be published, such as ``v0.1.0``; ``None``: none yet.

    Raises:
        ReleaseError: Files name different versions, the tag is another one, or the changelog lacks
            the version; or it says that it is unreleased, although there is a tag.
    """
    named = named_versions(root)
    version = named["src/auricle/__init__.py"]
    for file, other in named.items():
        if other != version:
            raise ReleaseError(f"{file} names the version {other}, not {version}")
    changelog = (root / "CHANGELOG.md").read_text()
    heading = re.search(rf"^## {re.escape(version)}(?: \((.*)\))?$", changelog, re.MULTILINE)
    if heading is None:
        raise ReleaseError(f"CHANGELOG.md has no section for {version}")
    if tag is not None and tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, and the version {version}")
    if tag is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", heading[1] or ""):
        raise ReleaseError(
            f"CHANGELOG.md has no date of {version}: write it in place of {heading[1]}"
        )
    return version


def server_requirements(root: Path) -> list[str]:
    """Return the requirements of the extra ``server``.

    Args:
        root: The repository.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return list(project["optional-dependencies"]["server"])
