"""The requests of the API, one function for each, as values that both clients send. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from auricle.client.api.audio import Audio, open_audio
from auricle.client.api.failures import not_auricle
from auricle.client.api.options import JobOptions, TranscribeOptions, query_of
from auricle.client.api.results import (
    Job,
    JobState,
    JobSummary,
    KeptTranscript,
    LiveSession,
    Match,
    Token,
    Transcript,
    TranscriptSummary,
)
from auricle.values.errors import BadRequest, SetupError

T = TypeVar("T")
Item = TypeVar("Item")

ExportFormat = Literal["txt", "srt", "vtt", "md", "json", "rttm"]
Moment = datetime | float
"""A time with or without a zone, which is then local; or Unix seconds."""

MAX_PAGE = 1000
"""Maximum number of items in one response."""
TRANSCRIPTION_LIMIT_S = 900.0
"""Longest wait for a transcript that is its own response; the server's deadline is shorter."""
MAX_DIRECT_BYTES = 1_000_000
"""Larger recordings are sent as jobs: 30 s of WAV at 16 kHz, or 2 to 5 minutes of compressed
speech. See docs/decisions/120."""
DEADLINE_MARGIN_S = 30.0
CLEANUP_LIMIT_S = 3.0
"""Longest wait for the deletion of a job whose transcript is no longer needed."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its response is decoded.

    Attributes:
        method: The HTTP method.
        path: The path, quoted.
        decode: Decodes the body of a successful response.
        query: The query.
        json: The body, as JSON.
        audio: The body, if it is a recording.
        limit_s: Longest wait for the response, in seconds; ``None``: that of the client.
        is_repeatable: Whether it may be sent again if its response was lost.
    """

    method: str
    path: str
    decode: Callable[[bytes], T]
    query: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    audio: Audio | None = None
    limit_s: float | None = None
    is_repeatable: bool = True

    @property
    def is_large(self) -> bool:
        """Whether it sends a recording that is worth a job."""
        return self.audio is not None and self.audio.size_bytes > MAX_DIRECT_BYTES

    def without_audio(self) -> "Call[T]":
        """Return the request with an empty recording."""
        return replace(self, audio=open_audio(b""))

    @property
    def content(self) -> bytes | None:
        """The body, unless it is a recording."""
        return None if self.json is None else msgspec.json.encode(self.json)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the body."""
        if self.audio is not None:
            return {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(self.audio.size_bytes),
            }
        return {} if self.json is None else {"Content-Type": "application/json"}


def base_url(url: str) -> str:
    """Return a server's URL without a trailing slash.

    Raises:
        SetupError: The URL is invalid.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # port out of range, or invalid IPv6 address
        is_address = False
    if not is_address or parts.query or parts.fragment or any(map(str.isspace, url)):
        raise SetupError(f"Invalid URL {url}; use a URL such as http://127.0.0.1:6007.")
    if parts.path.rstrip("/").endswith("/v1"):  # as OpenAI's clients need it
        raise SetupError(f"Invalid URL {url}; omit /v1.")
    return url.rstrip("/")


def get_liveness() -> Call[None]:
    """Check that there is a server."""
    return Call("GET", "/livez", lambda _: None)


def transcribe(audio: Audio, options: TranscribeOptions) -> Call[Transcript]:
    """Transcribe a recording; the response is the transcript."""
    deadline_s = options.get("max_wait_s")
    return Call(
        "POST",
        "/utterance",
        json_decoder(Transcript),
        query_of(options, TranscribeOptions),
        audio=audio,
        limit_s=TRANSCRIPTION_LIMIT_S if deadline_s is None else deadline_s + DEADLINE_MARGIN_S,
    )


def create_job(audio: Audio, job_id: str, options: TranscribeOptions) -> Call[Job]:
    """Upload a recording as a job; the ID makes it repeatable."""
    query = {**query_of(options, JobOptions), "wait": "0", "job_id": job_id}
    return Call("POST", "/utterance", json_decoder(Job), query, audio=audio)


def get_job(job_id: str) -> Call[Job]:
    """Return a job."""
    return Call("GET", _path("jobs", job_id), json_decoder(Job))


def job_events_path(job_id: str) -> str:
    """Return the path of a job's server-sent events."""
    return _path("jobs", job_id, "events")


def delete_job(job_id: str, limit_s: float | None = None) -> Call[Job]:
    """Cancel a job, or delete one that has ended: not repeatable, as the second would do both."""
    path = _path("jobs", job_id)
    return Call("DELETE", path, json_decoder(Job), limit_s=limit_s, is_repeatable=False)


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A page of a list, and where the next one starts."""

    items: tuple[Item, ...]
    next: int | None


class _Jobs(msgspec.Struct, rename={"items": "jobs"}):
    items: tuple[JobSummary, ...]
    next: int | None


class _Transcripts(msgspec.Struct, rename={"items": "transcripts"}):
    items: tuple[TranscriptSummary, ...]
    next: int | None


class _Matches(msgspec.Struct, rename={"items": "matches"}):
    items: tuple[Match, ...]
    next: int | None


class _Sessions(msgspec.Struct):
    sessions: tuple[LiveSession, ...]


def list_jobs(states: Sequence[JobState]) -> Call[Page[JobSummary]]:
    """List the key's jobs."""
    query = {"state": ",".join(states)} if states else {}
    return Call("GET", "/jobs", _page(_Jobs), query)


def list_transcripts(filter: Mapping[str, str]) -> Call[Page[TranscriptSummary]]:
    """List the key's kept transcripts."""
    return Call("GET", "/v1/transcripts", _page(_Transcripts), filter)


def search_transcripts(words: str, filter: Mapping[str, str]) -> Call[Page[Match]]:
    """Search the key's kept transcripts."""
    return Call("GET", "/v1/transcripts", _page(_Matches), {"q": words, **filter})


def transcript_filter(
    language: str | None, source: str | None, since: Moment | None, until: Moment | None
) -> dict[str, str]:
    """Return the query that narrows a list or search."""
    fields = {
        "language": language,
        "source": source,
        "since": None if since is None else _unix_time(since),
        "until": None if until is None else _unix_time(until),
    }
    return {name: value for name, value in fields.items() if value is not None}


def next_page(call: Call[Page[Item]], limit: int, before: int | None) -> Call[Page[Item]]:
    """Return the request for a page.

    Args:
        call: The request of the list.
        limit: Number of items that are still wanted.
        before: ``next`` of the previous page.
    """
    query = {**call.query, "limit": str(min(limit, MAX_PAGE))}
    if before is not None:
        query["before"] = str(before)
    return Call(call.method, call.path, call.decode, query)


def get_transcript(transcript_id: str) -> Call[KeptTranscript]:
    """Return a kept transcript."""
    return Call("GET", _path("v1", "transcripts", transcript_id), json_decoder(KeptTranscript))


def export_transcript(transcript_id: str, format: ExportFormat) -> Call[str]:
    """Return a kept transcript as a text of a format."""
    path = _path("v1", "transcripts", transcript_id)
    return Call("GET", path, bytes.decode, {"format": format})


def change_speaker(
    transcript_id: str, speaker: int, change: Mapping[str, Any]
) -> Call[KeptTranscript]:
    """Name a speaker, or merge it into another one."""
    path = _path("v1", "transcripts", transcript_id, "speakers", str(speaker))
    is_repeatable = "merge_into" not in change  # a merged speaker is no longer there
    return Call(
        "PATCH", path, json_decoder(KeptTranscript), json=change, is_repeatable=is_repeatable
    )


def delete_transcript(transcript_id: str) -> Call[None]:
    """Delete a kept transcript."""
    path = _path("v1", "transcripts", transcript_id)
    return Call("DELETE", path, lambda _: None, is_repeatable=False)


def list_sessions() -> Call[tuple[LiveSession, ...]]:
    """List the key's live sessions."""
    decode = json_decoder(_Sessions)
    return Call("GET", "/v1/sessions", lambda body: decode(body).sessions)


def create_reader_token(session_id: str, ttl_s: int) -> Call[Token]:
    """Create a token that reads a live session and nothing else."""
    return Call(
        "POST",
        _path("v1", "sessions", session_id, "token"),
        json_decoder(Token),
        json={"ttl_s": ttl_s},
    )


def create_token(ttl_s: int) -> Call[Token]:
    """Create a token that replaces the key for a while."""
    return Call("POST", "/v1/auth/token", json_decoder(Token), json={"ttl_s": ttl_s})


def _path(*parts: str) -> str:
    for part in parts:
        if part in ("", ".", ".."):  # these would name another resource
            raise BadRequest(f"Invalid ID {part!r}.")
    return "/" + "/".join(quote(part, safe="") for part in parts)


def json_decoder(kind: type[T]) -> Callable[[bytes], T]:
    """Return what decodes the body of a response.

    Raises:
        RemoteProtocolError: By the decoder, if the server is not Auricle.
    """

    def decode(body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as exc:
            raise not_auricle(200) from exc

    return decode


def _page(kind: type[Any]) -> Callable[[bytes], Page[Any]]:
    decode = json_decoder(kind)

    def page(body: bytes) -> Page[Any]:
        decoded = decode(body)
        return Page(decoded.items, decoded.next)

    return page


def _unix_time(moment: Moment) -> str:
    return str(moment.timestamp() if isinstance(moment, datetime) else moment)
