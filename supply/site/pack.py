"""Packs the built site into the archive that the server serves."""

import gzip
import zipfile
from pathlib import Path

from auricle.apis.pages.documentation import ZIPPED

_LEFT_OUT = {"objects.inv", "sitemap.xml", "sitemap.xml.gz", "404.html"}
_NOT_ZIPPED = {".png"}


def pack(folder: Path, archive: Path) -> None:
    """Write all files of a folder into an archive; the same files make the same archive.

    Args:
        folder: The site, built.
        archive: The archive; replaced.
    """
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as entries:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.name in _LEFT_OUT:
                continue
            name, body = path.relative_to(folder).as_posix(), path.read_bytes()
            if path.suffix not in _NOT_ZIPPED:
                name, body = name + ZIPPED, gzip.compress(body, mtime=0)
            entries.writestr(zipfile.ZipInfo(name), body)
