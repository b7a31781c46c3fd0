"""What the users of a server can read, and how it differs in another version."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

FORMATS = ("json", "txt", "srt", "vtt")
PAGE = 1000
TIMEOUT_S = 60.0
SHOWN = 10

Documents = Mapping[tuple[str, str], bytes]
"""Bodies by API key and path."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How documents differ from what they were.

    Attributes:
        same: Number of documents that are the same, byte for byte.
        extended: Number of JSON documents that only have further fields.
        other: Paths of those that are missing or differ.
    """

    same: int
    extended: int
    other: tuple[str, ...]


def read_documents(urls: Sequence[str], keys: Iterable[str]) -> Documents:
    """Return kept transcripts in several formats, ended jobs, vocabularies and voices.

    Transcripts of sessions that are open, and jobs whose webhook is still to be sent, are left out:
    they change.

    Args:
        urls: All servers of one database.
        keys: API keys.
    """
    found: dict[tuple[str, str], bytes] = {}
    for key in keys:
        open_sessions = _open_sessions(urls, key)
        with _client(urls[0], key) as http:
            paths = [
                f"/v1/transcripts/{each['id']}?format={format}"
                for each in _listed(http, "/v1/transcripts", "transcripts")
                for format in FORMATS
            ]
            paths += [
                f"/jobs/{job['job_id']}"
                for job in _listed(http, "/jobs", "jobs")
                if job["state"] not in ("queued", "running")
            ]
            vocabularies = http.get("/v1/vocabularies")
            if vocabularies.is_success:  # old versions have none
                names = [each["name"] for each in vocabularies.json()["vocabularies"]]
                paths += [f"/v1/vocabularies/{name}" for name in names]
            if http.get("/v1/voices").is_success:
                paths.append("/v1/voices/export")
            for path in paths:
                body = http.get(path).raise_for_status().content
                if not _is_changing(path, body):
                    found[key, path] = body
        open_sessions |= _open_sessions(urls, key)
        for path in [path for owner, path in found if owner == key]:
            if path.partition("?")[0].rpartition("/")[2] in open_sessions:
                del found[key, path]
    return found


def _open_sessions(urls: Sequence[str], key: str) -> set[str]:
    """Return the ids of a key's live sessions, which are those of their transcripts."""
    ids: set[str] = set()
    for url in urls:
        with _client(url, key) as http:
            sessions = http.get("/v1/sessions").raise_for_status().json()["sessions"]
            ids |= {session["id"] for session in sessions}
    return ids


def kinds(documents: Documents) -> dict[str, int]:
    """Return the number of documents of each kind."""
    return dict(Counter(path.split("/")[-2] for _, path in documents))


def compare(url: str, before: Documents) -> Difference:
    """Read documents again from another server, and compare them."""
    same = extended = 0
    other: list[str] = []
    for key in {key for key, _ in before}:
        with _client(url, key) as http:
            for (owner, path), body in before.items():
                if owner != key:
                    continue
                response = http.get(path)
                if not response.is_success:
                    other.append(f"{path}: {response.status_code}")
                elif response.content == body:
                    same += 1
                elif has_all(_parsed(response.content), _parsed(body)):
                    extended += 1
                else:
                    other.append(path)
    return Difference(same, extended, tuple(other[:SHOWN]))


def has_all(after: Any, before: Any) -> bool:
    """Return whether a JSON value has all that another one had, in each of its objects."""
    match before:
        case dict():
            return isinstance(after, dict) and all(
                name in after and has_all(after[name], value) for name, value in before.items()
            )
        case list():
            return (
                isinstance(after, list)
                and len(after) == len(before)
                and all(map(has_all, after, before))
            )
        case _:
            return bool(after == before)


def _client(url: str, key: str) -> httpx2.Client:
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)


def _listed(http: httpx2.Client, path: str, name: str) -> Sequence[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    before = ""
    while True:
        page = http.get(f"{path}?limit={PAGE}{before}").raise_for_status().json()
        listed += page[name]
        if page["next"] is None:
            return listed
        before = f"&before={page['next']}"


def _is_changing(path: str, body: bytes) -> bool:
    if not path.startswith("/jobs/"):
        return False
    return bool((json.loads(body).get("webhook") or {}).get("state") == "pending")


def _parsed(body: bytes) -> Any:
    """Return a JSON value; any other text as it is."""
    try:
        return json.loads(body)
    except ValueError:
        return body
