"""The web pages: captions at ``/``, for readers at ``/reader``, the server's state at ``/status``.

Agents find what they need to know at ``/llms.txt`` (https://llmstxt.org).

``make web`` builds them from ``web/page`` into the folder ``static/`` next to this module, and
wheels include them. Without them, a plain page says how to build them. They are read at start and
kept in memory, so requests cause no file I/O and can't name a path on disk. Files below ``assets/``
have a content hash in their name, so browsers cache them.
"""

import functools
import gzip
import re
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.pages.static_file import StaticFile, policy_hashes
from auricle.values.errors import NotFound

STATIC = Path(__file__).parent / "static"
FOR_AGENTS = Path(__file__).parent / "llms.txt"

_CAPTIONS, _STATUS, _READER = _PAGES = ("index.html", "status.html", "reader.html")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".mp3": "audio/mpeg",
    ".txt": "text/plain; charset=utf-8",
}
"""All types of the files; any other is a bug in the build."""

_UNBUILT = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Auricle</title>
<h1>Auricle is running</h1>
<p>The API works. The web pages are not built: run <code>make web</code>, then restart
the server.</p>
</html>
"""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src {styles}; connect-src 'self'; "
    "worker-src 'self'; img-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_PERMISSIONS = "microphone=(self), display-capture=(self), camera=(), geolocation=()"
_KEPT = "public, max-age=31536000, immutable"


def routes(folder: Path = STATIC) -> APIRouter:
    """Return the routes of the built pages in a folder, which a process reads once."""
    files = _read(folder)
    for_agents = _file(FOR_AGENTS.name, FOR_AGENTS.read_bytes())
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def get_captions(request: Request) -> Response:
        return files[_CAPTIONS].respond(request)

    @router.api_route("/status", methods=["GET", "HEAD"])
    async def get_status(request: Request) -> Response:
        return files[_STATUS].respond(request)

    @router.api_route("/reader", methods=["GET", "HEAD"])
    async def get_reader(request: Request) -> Response:
        return files[_READER].respond(request)

    @router.api_route("/llms.txt", methods=["GET", "HEAD"])
    async def get_text_for_agents(request: Request) -> Response:
        return for_agents.respond(request)

    @router.api_route("/assets/{name}", methods=["GET", "HEAD"])
    async def get_asset(request: Request, name: str) -> Response:
        if (file := files.get(f"assets/{name}")) is None:
            raise NotFound("No such path.")
        return file.respond(request)

    return router


@functools.cache
def _read(folder: Path) -> dict[str, StaticFile]:
    if not all((folder / page).is_file() for page in _PAGES):
        return {page: _file(page, _UNBUILT) for page in _PAGES}
    names = [*_PAGES, *(f"assets/{path.name}" for path in folder.glob("assets/*"))]
    return {name: _file(name, (folder / name).read_bytes()) for name in names}


def _file(name: str, body: bytes) -> StaticFile:
    headers = {
        "permissions-policy": _PERMISSIONS,
        "content-type": _TYPES[Path(name).suffix],
        "content-security-policy": _policy(body),  # a web worker uses its script's policy
        "cache-control": _KEPT if name.startswith("assets/") else "no-cache",
    }
    return StaticFile.of(gzip.compress(body, mtime=0), is_zipped=True, headers=headers)


def _policy(body: bytes) -> str:
    """Return a page's content security policy, with the hashes of its inline styles."""
    styles = " ".join(policy_hashes(_STYLE.findall(body))) or "'none'"
    return _POLICY.format(styles=styles)
