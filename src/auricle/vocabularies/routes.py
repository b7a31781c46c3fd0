"""``/v1/vocabularies``: the vocabularies of a key, as JSON or CSV. Each key sees its own.

They need the key itself: tokens, which visitors of a page hold, are refused.
"""

import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any, TypedDict

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Path
from msgspec import UNSET, Meta, UnsetType, structs
from starlette.requests import Request
from starlette.responses import Response

from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import decode_json
from auricle.server.http.body import check_length, media_type, read_body
from auricle.server.http.openapi import KEYED, POSTED, answer, refusals, schema_of
from auricle.server.http.responses import json_response
from auricle.server.service import Service
from auricle.values.errors import BadRequest, NotFound
from auricle.values.limits import VOCABULARY_NAME
from auricle.values.types import ClientId
from auricle.vocabularies import csv_format
from auricle.vocabularies.content import (
    MAX_REPLACEMENTS,
    MAX_TERMS,
    Content,
    Replacement,
    Term,
)
from auricle.vocabularies.source import VocabularySource, counts_of
from auricle.vocabularies.stored import (
    Change,
    ListedVocabulary,
    StoredVocabulary,
    Vocabularies,
)
from auricle.vocabularies.term_counts import TermCount

MAX_BODY_BYTES = 4_000_000
"""Maximum size of a body: 5,000 terms of 100 characters, and as many spellings, in two bytes."""

_Removed = Annotated[str, Meta(max_length=1000)]
_Terms = Annotated[tuple[Term | str, ...], Meta(max_length=MAX_TERMS)]


class Marks(msgspec.Struct, forbid_unknown_fields=True):
    """The marks of sentences in results; those that are not named stay as they were."""

    capitalize: Annotated[
        bool | UnsetType,
        Meta(description="Whether results begin with a capital letter, as sentences do."),
    ] = UNSET
    final_period: Annotated[
        bool | UnsetType,
        Meta(description="Whether results end with a full stop, as sentences do."),
    ] = UNSET

    def applied(self, content: Content, before: Content) -> Content:
        """Return content with these marks, or with those that it had before."""
        return structs.replace(
            content,
            capitalize=before.capitalize if self.capitalize is UNSET else self.capitalize,
            final_period=before.final_period if self.final_period is UNSET else self.final_period,
        )


class VocabularyFields(Marks):
    """A vocabulary; a term without spellings may be a string."""

    terms: Annotated[_Terms, Meta(description="Names and words to expect.")] = ()
    replacements: Annotated[
        tuple[Replacement, ...],
        Meta(max_length=MAX_REPLACEMENTS, description="Words to write in another way."),
    ] = ()
    default: Annotated[
        bool | UnsetType,
        Meta(description="Whether it applies to requests of the key that name none."),
    ] = UNSET


class ChangedTerms(Marks):
    """Terms and replacements to add and to remove, and whether it is the key's default one."""

    add: Annotated[_Terms, Meta(description="Terms; those that are spelled the same go.")] = ()
    remove: Annotated[
        tuple[_Removed, ...], Meta(max_length=MAX_TERMS, description="Terms to remove.")
    ] = ()
    add_replacements: Annotated[
        tuple[Replacement, ...],
        Meta(max_length=MAX_REPLACEMENTS, description="Replacements; those `from` the same go."),
    ] = ()
    remove_replacements: Annotated[
        tuple[_Removed, ...],
        Meta(max_length=MAX_REPLACEMENTS, description="`from` of replacements to remove."),
    ] = ()
    default: bool | UnsetType = UNSET

    @property
    def only_removes(self) -> bool:
        """Whether it has nothing for a vocabulary that does not exist."""
        adds = self.add or self.add_replacements or self.default is not UNSET
        return bool(self.remove or self.remove_replacements) and not adds


class TermBody(TypedDict):
    """A term."""

    term: str
    sounds_like: list[str]


ReplacementBody = TypedDict("ReplacementBody", {"from": str, "to": str})


class VocabularySummary(TypedDict):
    """A vocabulary without its terms; ``changed_at`` is in Unix seconds."""

    name: str
    default: bool
    changed_at: float
    term_count: int
    replacement_count: int
    capitalize: bool
    final_period: bool


class RecentTermBody(TypedDict):
    """A term in live finals since the server's start, and the Unix time of the last one."""

    term: str
    count: int
    last_at: float


class VocabularyBody(VocabularySummary):
    """A vocabulary; ``recent_terms`` has the terms that were in live finals, the latest first."""

    terms: list[TermBody]
    replacements: list[ReplacementBody]
    recent_terms: list[RecentTermBody]


class ListBody(TypedDict):
    """The vocabularies of a key by name."""

    vocabularies: list[VocabularySummary]


_Name = Annotated[str, Path(description="Name: up to 64 of A-Z a-z 0-9 . _ -")]
_CSV = {"schema": {"type": "string"}}
_WHOLE = answer("The vocabulary, as JSON or CSV.", VocabularyBody)
_WHOLE["content"] |= {csv_format.MEDIA_TYPE: _CSV}
_FORMAT = {
    "name": "format",
    "in": "query",
    "description": "Format of the response.",
    "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"},
}


def _bodies(fields: Any, *, has_csv: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema_of(fields)}}
    if has_csv:
        content[csv_format.MEDIA_TYPE] = _CSV
    return {"requestBody": {"required": True, "content": content}}


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    storage, access = service.storage, service.access
    vocabularies, in_thread = Vocabularies(storage.database), storage.in_database_thread
    pause_s, source = service.settings.server.body_timeout_s, service.recognition.wordings
    counts = counts_of(source)

    async def read(request: Request) -> bytes:
        check_length(request.headers, MAX_BODY_BYTES)
        body = await read_body(request.receive, max_bytes=MAX_BODY_BYTES, pause_s=pause_s)
        return bytes(body)

    async def changed(owner: ClientId, work: Callable[[], StoredVocabulary | bool]) -> Any:
        try:
            return await in_thread(work)
        finally:
            if isinstance(source, VocabularySource):
                source.forget(owner)

    async def answer_change(owner: ClientId, name: str, change: Change) -> Response:
        stored = await changed(owner, partial(vocabularies.change, owner, name, change))
        return json_response(_body(stored, counts.recent(owner, name)))

    @router.get(
        "/v1/vocabularies",
        summary="List vocabularies",
        responses={
            200: answer("The vocabularies of the key.", ListBody),
            **refusals(ErrorResponse, *KEYED),
        },
    )
    async def list_vocabularies(request: Request) -> Response:
        """Return the names and sizes of the key's vocabularies."""
        owner = access.admit_key(request)
        found = await in_thread(partial(vocabularies.listed, owner))
        return json_response({"vocabularies": [_summary(each) for each in found]})

    @router.get(
        "/v1/vocabularies/{name}",
        summary="Read a vocabulary",
        responses={200: _WHOLE, **refusals(ErrorResponse, 400, 404, *KEYED)},
        openapi_extra={"parameters": [_FORMAT]},
    )
    async def get_vocabulary(request: Request, name: _Name) -> Response:
        """Return a vocabulary as JSON or CSV."""
        owner = access.admit_key(request)
        format = request.query_params.get("format", "json")
        if format not in ("json", "csv"):
            raise BadRequest("format must be json or csv.", "format")
        found = await in_thread(partial(vocabularies.find, owner, _checked(name)))
        if found is None:
            raise _unknown(name)
        if format == "csv":
            text = await to_thread.run_sync(csv_format.encode, found.content)
            return Response(text, media_type=csv_format.MEDIA_TYPE)
        return json_response(_body(found, counts.recent(owner, name)))

    @router.put(
        "/v1/vocabularies/{name}",
        summary="Store a vocabulary",
        responses={
            200: answer("The vocabulary.", VocabularyBody),
            **refusals(ErrorResponse, *POSTED),
        },
        openapi_extra=_bodies(VocabularyFields, has_csv=True),
    )
    async def put_vocabulary(request: Request, name: _Name) -> Response:
        """Create or replace a vocabulary. Later sessions and files use it; jobs keep what they had.

        CSV has a term in each line, or the columns `term,sounds_like,replaces`, whose lists are
        separated by semicolons.
        """
        owner = access.admit_key(request)
        _checked(name)
        is_csv = media_type(request.headers) == csv_format.MEDIA_TYPE
        body = await read(request)
        content, fields = await to_thread.run_sync(parsed, body, is_csv)

        def change(before: StoredVocabulary | None) -> StoredVocabulary:
            chosen = fields.applied(content, _content_of(before))
            return StoredVocabulary(name, chosen, _is_default(fields.default, before), time.time())

        return await answer_change(owner, name, change)

    @router.patch(
        "/v1/vocabularies/{name}",
        summary="Add and remove terms and replacements",
        responses={
            200: answer("The vocabulary.", VocabularyBody),
            **refusals(ErrorResponse, *POSTED, 404),
        },
        openapi_extra=_bodies(ChangedTerms, has_csv=False),
    )
    async def patch_vocabulary(request: Request, name: _Name) -> Response:
        """Add and remove terms and replacements; a vocabulary that does not exist is created."""
        owner = access.admit_key(request)
        _checked(name)
        data = await read(request)
        body = await to_thread.run_sync(decode_json, data, ChangedTerms, "JSON body")

        def change(before: StoredVocabulary | None) -> StoredVocabulary:
            if before is None and body.only_removes:
                raise _unknown(name)
            content = _content_of(before)
            changed = content.changed(
                body.add, body.remove, body.add_replacements, body.remove_replacements
            )
            content = body.applied(changed, content)
            return StoredVocabulary(name, content, _is_default(body.default, before), time.time())

        return await answer_change(owner, name, change)

    @router.delete(
        "/v1/vocabularies/{name}",
        summary="Delete a vocabulary",
        status_code=204,
        responses=refusals(ErrorResponse, 400, 404, *KEYED),
    )
    async def delete_vocabulary(request: Request, name: _Name) -> Response:
        """Delete a vocabulary; sessions and jobs that have begun keep what it added."""
        owner = access.admit_key(request)
        if not await changed(owner, partial(vocabularies.delete, owner, _checked(name))):
            raise _unknown(name)
        counts.forget(owner, name)
        return Response(status_code=204)

    return router


def parsed(body: bytes, is_csv: bool) -> tuple[Content, VocabularyFields]:
    """Return the vocabulary in a body, and its other fields.

    Raises:
        BadRequest: The body is not valid.
    """
    if not is_csv:
        fields = decode_json(body, VocabularyFields, "JSON body")
        return Content.of(fields.terms, fields.replacements), fields
    try:
        return csv_format.decode(body.decode()), VocabularyFields()
    except UnicodeDecodeError as error:
        raise BadRequest("CSV must be in UTF-8.") from error


def _content_of(stored: StoredVocabulary | None) -> Content:
    return Content() if stored is None else stored.content


def _is_default(requested: bool | UnsetType, before: StoredVocabulary | None) -> bool:
    if requested is UNSET:
        return before is not None and before.is_default
    return requested


def _checked(name: str) -> str:
    if not re.fullmatch(VOCABULARY_NAME, name):
        raise BadRequest(
            "A name has 1 to 64 of A-Z a-z 0-9 . _ -, first a letter or a digit.", "name"
        )
    return name


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no vocabulary {name}.")


def _summary(stored: StoredVocabulary | ListedVocabulary) -> VocabularySummary:
    return {
        "name": stored.name,
        "default": stored.is_default,
        "changed_at": round(stored.changed_at, 3),
        "term_count": len(stored.content.terms),
        "replacement_count": len(stored.content.replacements),
        "capitalize": stored.content.capitalize,
        "final_period": stored.content.final_period,
    }


def _body(stored: StoredVocabulary, recent: Iterable[TermCount]) -> VocabularyBody:
    content = stored.content
    terms = {each.term for each in content.terms}
    return {
        **_summary(stored),
        "terms": [
            {"term": each.term, "sounds_like": list(each.sounds_like)} for each in content.terms
        ],
        "replacements": [{"from": each.old, "to": each.to} for each in content.replacements],
        "recent_terms": [
            {"term": each.term, "count": each.count, "last_at": round(each.last_at, 3)}
            for each in recent
            if each.term in terms
        ],
    }
