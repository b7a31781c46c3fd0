"""Addresses and listings of the Hugging Face Hub, or of a mirror (HF_ENDPOINT)."""

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

from auricle.engines.catalogue import HubFiles
from auricle.engines.pull.download import Downloader, Expected
from auricle.engines.pulled import is_plain_name
from auricle.values.errors import SetupError

MAX_FILES = 1000
SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Listing:
    """Files of a commit as the hub reports them, with its licence if it states one."""

    files: tuple[Expected, ...]
    licence: str


def file_url(endpoint: str, source: HubFiles, name: str) -> str:
    """Return the address of a file."""
    return f"{endpoint}/{source.repository}/resolve/{source.commit}/{quote(name)}"


def list_files(downloader: Downloader, endpoint: str, source: HubFiles) -> Listing:
    """Return the files of a commit that match the source's patterns.

    A file in Git LFS has a SHA-256; another one the name that git gives to its content.

    Raises:
        SetupError: The hub does not answer, or not as expected.
    """
    url = f"{endpoint}/api/models/{source.repository}/revision/{source.commit}?blobs=true"
    content, _ = downloader.document(url, "application/json")
    try:
        answer = json.loads(content)
        if answer["sha"] != source.commit:
            raise ValueError("another commit")
        files = tuple(
            _parse(entry)
            for entry in answer["siblings"][:MAX_FILES]
            if any(fnmatchcase(entry["rfilename"], pattern) for pattern in source.patterns)
        )
        if not files:
            raise ValueError("no file that Auricle uses")
        card = answer.get("cardData") or {}
        return Listing(files, str(card.get("license") or ""))
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise SetupError(
            f"{endpoint} did not list the files of {source.repository} as expected: {exc}."
        ) from exc


def _parse(entry: dict[str, object]) -> Expected:
    name, size_bytes, lfs = entry["rfilename"], entry["size"], entry.get("lfs")
    if not isinstance(name, str) or not is_plain_name(name):
        raise ValueError("an invalid file name")
    if not isinstance(size_bytes, int) or size_bytes < 0:
        raise ValueError(f"no size of {name}")
    if isinstance(lfs, dict):
        sha256 = str(lfs.get("sha256", ""))
        if SHA256.fullmatch(sha256) is None:
            raise ValueError(f"no SHA-256 of {name}")
        return Expected(name, size_bytes, sha256=sha256)
    blob = str(entry.get("blobId", ""))
    if GIT_SHA1.fullmatch(blob) is None:
        raise ValueError(f"no hash of {name}")
    return Expected(name, size_bytes, git_blob=blob)
