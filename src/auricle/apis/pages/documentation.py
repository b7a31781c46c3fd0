"""The documentation site at ``/docs/``, which works without internet access.

``make docs`` builds it into one archive next to this module, and wheels include that. The archive
is read at start and kept in memory; its texts are compressed with gzip already, and are sent as
they are. A name in a request is looked up among the archive's names, so it can't name a path on
disk.
"""

import functools
import gzip
import re
import zipfile
from pathlib import Path, PurePosixPath

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from auricle.apis.pages.static_file import StaticFile, policy_hashes

ARCHIVE = Path(__file__).parent / "documentation.zip"
ZIPPED = ".gz"
"""Suffix of names in the archive whose contents are compressed with gzip."""

_TEXT = "text/plain; charset=utf-8"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'self' {styles}; "
    "connect-src 'self'; worker-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_SEARCH_STYLE = "'sha256-NwSx/R2V/U4jnW0Tq5pQ53Y/rzPVJ4dqE7D6UTA/J1k='"
"""The style sheet that the search of Zensical 0.0.73 adds; browsers report another one's hash."""
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_NOT_HERE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Auricle documentation</title>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
_UNBUILT = _NOT_HERE.format(
    title="The documentation is not in this installation",
    text="In a clone of the repository, run <code>make docs</code>, then restart the server.",
)


class _Site:
    """The files of an archive, each prepared when it is first requested."""

    def __init__(self, archive: Path) -> None:
        self._contents: dict[str, bytes] = {}
        self._files: dict[str, StaticFile] = {}
        if archive.is_file():
            with zipfile.ZipFile(archive) as entries:
                self._contents = {name: entries.read(name) for name in entries.namelist()}

    def find(self, name: str) -> StaticFile | None:
        """Return a file of the site, if there is one of this name."""
        if (file := self._files.get(name)) is not None:
            return file
        is_zipped = name + ZIPPED in self._contents
        body = self._contents.get(name + ZIPPED if is_zipped else name)
        if body is None:
            return None
        self._files[name] = file = _file(name, body, is_zipped=is_zipped)
        return file

    def missing(self, name: str) -> StaticFile:
        """Return the page that says why there is no file of this name."""
        start = "../" * name.count("/") + "index.html"
        text = f'See the <a href="{start}">start of the documentation</a>.'
        page = _NOT_HERE.format(title="No such page", text=text) if self._contents else _UNBUILT
        return _file("missing.html", page.encode(), is_zipped=False)


_site_of = functools.cache(_Site)


def routes(archive: Path = ARCHIVE) -> APIRouter:
    """Return the routes of the documentation site, which a process reads once."""
    site = _site_of(archive)
    router = APIRouter(include_in_schema=False)

    @router.api_route("/docs", methods=["GET", "HEAD"])
    async def get_start(request: Request) -> Response:
        # Relative, since a proxy may serve a folder; routes are chosen without a trailing slash.
        has_slash = request.scope.get("raw_path", b"").endswith(b"/")
        return RedirectResponse("index.html" if has_slash else "docs/index.html")

    @router.api_route("/docs/{name:path}", methods=["GET", "HEAD"])
    async def get_page(request: Request, name: str) -> Response:
        if (file := site.find(name)) is None:
            return site.missing(name).respond(request, 404)
        return file.respond(request)

    return router


def _file(name: str, body: bytes, *, is_zipped: bool) -> StaticFile:
    suffix = PurePosixPath(name).suffix
    page = b"" if suffix != ".html" else gzip.decompress(body) if is_zipped else body
    headers = {
        "content-type": _TYPES.get(suffix, _TEXT),
        "content-security-policy": _policy(page),
        "cache-control": "no-cache",
    }
    return StaticFile.of(body, is_zipped=is_zipped, headers=headers)


def _policy(page: bytes) -> str:
    """Return a page's content security policy, with the hashes of its inline scripts."""
    sources = " ".join(["'self'", *policy_hashes(_SCRIPT.findall(page))])
    return _POLICY.format(scripts=sources, styles=_SEARCH_STYLE)
