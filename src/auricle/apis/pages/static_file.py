"""Files that are kept in memory, and served with an entity tag and compressed if clients allow."""

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "vary": "accept-encoding",
}


@dataclass(slots=True)
class StaticFile:
    """A file as it is served, without regard to the request.

    Args:
        body: Its bytes, compressed with gzip if ``is_zipped``.
        is_zipped: Whether clients that don't accept gzip get the decompressed body, which is kept
            from the first such request on.
        headers: Response headers, with ``content-type`` and ``etag``.
    """

    body: bytes
    is_zipped: bool
    headers: Mapping[str, str]
    _plain: bytes | None = None

    @classmethod
    def of(cls, body: bytes, *, is_zipped: bool, headers: Mapping[str, str]) -> "StaticFile":
        """Return a file with the headers that all files have; ``headers`` take precedence."""
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return cls(body, is_zipped, {**_HEADERS, "etag": tag, **headers})

    def respond(self, request: Request, status: int = 200) -> Response:
        """Return the response to a request: 304 if the client has this version."""
        headers = dict(self.headers)
        tags = request.headers.get("if-none-match", "")
        if headers["etag"] in (tag.strip().removeprefix("W/") for tag in tags.split(",")):
            return Response(status_code=304, headers=headers)
        if not self.is_zipped:
            return Response(self.body, status, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.body, status, {**headers, "content-encoding": "gzip"})
        if self._plain is None:
            self._plain = gzip.decompress(self.body)
        return Response(self._plain, status, headers)


def policy_hashes(contents: Iterable[bytes]) -> list[str]:
    """Return what permits inline styles or scripts in a content security policy (CSP 3, §2.3.1)."""
    digests = (b64encode(hashlib.sha256(content).digest()).decode() for content in contents)
    return [f"'sha256-{digest}'" for digest in digests]
