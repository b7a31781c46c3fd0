"""The images for both architectures: each has programs of its own processor only."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.images.client import require
from tests.support.podman import IMAGES, podman

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.outside]

TARGET = "--arm64 cpu"
MACHINES = {"amd64": 62, "arm64": 183}  # EM_X86_64 and EM_AARCH64 (elf.h)
"""ELF's numbers of the processors."""
PROGRAMS = re.compile(r"\.so(\.\d+)*$|/bin/[\w.-]+$")
MIN_PROGRAMS = 200


@contextmanager
def files(image: str) -> Iterator[Path]:
    """Give the folder with the files of an image."""
    folder = podman("image", "mount", image)
    try:
        yield Path(folder)
    finally:
        podman("image", "unmount", image)


def machine(path: Path) -> int | None:
    """Return ELF's number of the processor of a program; ``None`` if it is no ELF file."""
    with path.open("rb") as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else None


def test_each_image_has_programs_of_its_architecture_only() -> None:
    require(TARGET)
    listed = json.loads(podman("manifest", "inspect", IMAGES[TARGET]))["manifests"]
    digests = {each["platform"]["architecture"]: each["digest"] for each in listed}
    assert digests.keys() == MACHINES.keys()
    for architecture, digest in digests.items():
        image = podman("images", "--all", "--quiet", "--filter", f"digest={digest}")
        with files(image) as root:
            paths = [path for path in root.rglob("*") if PROGRAMS.search(str(path))]
            programs = {p: machine(p) for p in paths if p.is_file() and not p.is_symlink()}
            found = {path: number for path, number in programs.items() if number is not None}
            assert len(found) > MIN_PROGRAMS
            foreign = [p for p, number in found.items() if number != MACHINES[architecture]]
            assert foreign == [], architecture
