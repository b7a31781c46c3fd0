"""The files of a release."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from supply.lock import Pin
from supply.release.artefacts import IN_NPM, IN_WHEEL, check_npm_package, check_sbom, check_wheel
from supply.release.failure import ReleaseError
from supply.release.python_package import check_packages

pytestmark = pytest.mark.unit

MODULES = ("package/dist/index.js", "package/dist/index.d.ts", "package/dist/worker.js")


def wheel(folder: Path, names: Iterable[str]) -> Path:
    path = folder / "auricle-1.2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


def package(folder: Path, *more: str, **fields: Any) -> Path:
    """Pack an npm package with all that must be in it, and more."""
    described = {"version": "1.2.0", "scripts": {"prepack": "true"}} | fields
    path = folder / "auricle-client-1.2.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (*IN_NPM, *MODULES, *more):
            data = json.dumps(described).encode() if name.endswith("package.json") else b""
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_wheel_with_pages_and_documentation_is_accepted(tmp_path: Path) -> None:
    check_wheel(wheel(tmp_path, [*IN_WHEEL, "auricle-1.2.0.dist-info/METADATA"]), "1.2.0")


@pytest.mark.parametrize("name", IN_WHEEL)
def test_a_wheel_without_what_was_to_be_built_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=f"lacks {name}"):
        check_wheel(wheel(tmp_path, {*IN_WHEEL} - {name}), "1.2.0")


@pytest.mark.parametrize("name", ["tests/test_one.py", "auricle/__pycache__/one.pyc"])
def test_a_wheel_with_anything_else_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=f"contains {name}"):
        check_wheel(wheel(tmp_path, [*IN_WHEEL, name]), "1.2.0")


def test_an_npm_package_of_modules_only_is_accepted(tmp_path: Path) -> None:
    check_npm_package(package(tmp_path, "package/dist/sub/part.js"), "1.2.0")


@pytest.mark.parametrize(
    ("more", "fields", "message"),
    [
        (["package/src/index.ts"], {}, "contains package/src/index.ts"),
        ([], {"version": "1.1.0"}, "has the version 1.1.0"),
        ([], {"dependencies": {"left-pad": "1"}}, "has dependencies"),
        ([], {"scripts": {"postinstall": "true"}}, "runs postinstall"),
    ],
)
def test_an_npm_package_with_anything_else_is_refused(
    more: list[str], fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ReleaseError, match=message):
        check_npm_package(package(tmp_path, *more, **fields), "1.2.0")


def test_an_sbom_lists_every_pin_however_it_writes_the_name(tmp_path: Path) -> None:
    path = tmp_path / "auricle.cdx.json"
    parts = [{"name": "Pydantic_Core"}, {"group": "@types", "name": "node"}]
    path.write_text(json.dumps({"components": parts}))
    check_sbom(path, [Pin("pydantic-core", "2"), Pin("@types/node", "20")])
    with pytest.raises(ReleaseError, match="lacks rich"):
        check_sbom(path, [Pin("pydantic-core", "2"), Pin("rich", "15")])


def test_packages_that_no_lock_pins_or_that_only_a_server_needs_are_refused() -> None:
    check_packages({"rich"}, {"rich", "fastapi"}, {"fastapi"})
    with pytest.raises(ReleaseError, match="also installs surprise"):
        check_packages({"rich", "surprise"}, {"rich"})
    with pytest.raises(ReleaseError, match="brings fastapi"):
        check_packages({"rich", "fastapi"}, {"rich", "fastapi"}, {"fastapi"})
