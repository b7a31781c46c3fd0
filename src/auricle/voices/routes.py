"""Known voices: store, list, rename, export and delete. Each key has its own.

They are known only to keys that ``AURICLE_KNOWN_VOICES`` names; for others all paths return 404.
They need the key itself: tokens are refused.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import convert_texts, decode_json
from auricle.server.http.body import body_chunks, check_length, media_type, read_body, read_fields
from auricle.server.http.openapi import (
    KEYED,
    POSTED,
    Answers,
    answer,
    audio_bodies,
    json_body,
    query_parameters,
    refusals,
    schema_of,
)
from auricle.server.http.responses import json_response
from auricle.server.jobs.intake import UploadContext
from auricle.server.lifecycle import RETRY_S
from auricle.server.service import Service
from auricle.server.uploads.multipart import boundary_of, read_form_parts
from auricle.server.uploads.upload import Upload
from auricle.values.errors import NotFound, NoWorkerReady, SpeakersUnavailable
from auricle.voices.bodies import (
    ExportBody,
    ImportedVoices,
    RememberedSpeaker,
    VoiceBody,
    VoiceChange,
    VoiceForm,
    VoicesBody,
    check_consent,
    checked_name,
    exported,
    imported,
    new_voice,
    voice_body,
)
from auricle.voices.changes import VoiceChanges
from auricle.voices.enrolment import check_speech, read_print
from auricle.voices.labelling import NamedSpeakers
from auricle.voices.stored import EnrolledVoice

MAX_UPLOAD_BYTES = 30_000_000
"""Maximum size of a recording: 60 s of speech and as much silence in stereo, 48 kHz, 24 bits."""
MAX_CHANGE_BYTES = 4096
MAX_IMPORT_BYTES = 16_000_000
"""Maximum size of an import: 1000 voices of 1024 dimensions."""

_FORM = schema_of(VoiceForm)
_CONTENT: dict[str, Any] = {
    "multipart/form-data": {
        "schema": _FORM
        | {
            "properties": _FORM["properties"]
            | {
                "file": {
                    "type": "string",
                    "format": "binary",
                    "description": "10 to 60 s of speech of one person, in any format.",
                }
            },
            "required": ["file", "name", "consent"],
        }
    },
    "application/json": {"schema": schema_of(RememberedSpeaker)},
}
_REFUSALS = {
    400: "`bad_request`, `consent_missing` or `voice_unusable`.",
    404: "`not_found`: the key has no such voice or transcript, or may not know voices.",
    409: "`voice_exists` or `too_many_voices`.",
    413: "`too_large`: the body has too many bytes.",
    503: "`no_worker_ready`, `queue_full`, `draining`, `ledger_unavailable`, `ledger_full` or "
    "`ledger_failed`; see Retry-After.",
}
_VoiceId = Annotated[str, Path(description="ID of the voice, as `/v1/voices` lists it.")]


def _refused(*statuses: int) -> Answers:
    """Return the OpenAPI descriptions of errors, with the codes that are special to voices."""
    described = refusals(ErrorResponse, 404, *statuses)
    own = {each: answer(_REFUSALS[each], ErrorResponse) for each in described if each in _REFUSALS}
    return described | own


def routes(service: Service, changes: VoiceChanges) -> APIRouter:
    """Return the routes of a server, whose voices are changed by ``changes``."""
    router = APIRouter(default_response_class=Response)
    pause_s = service.settings.server.body_timeout_s
    use = partial(_VoiceRequest, service, changes)

    @router.post(
        "/v1/voices",
        summary="Store the voice of a person who has agreed to it",
        status_code=201,
        responses={
            201: answer("The voice.", VoiceBody),
            **_refused(*POSTED, 409, 415, 422, 504),
        },
        openapi_extra={
            "requestBody": {"required": True, "content": _CONTENT | audio_bodies()},
            "parameters": query_parameters(VoiceForm),
        },
    )
    async def post_voice(request: Request) -> Response:
        """Store a person's voice: of a recording, or of a speaker of a kept transcript.

        Only an embedding is stored, never the recording. A speaker of a transcript has one for
        `AURICLE_RECENT_VOICES_S`.
        """
        voices = use(request)
        if media_type(request.headers) in ("application/json", ""):
            body = await read_fields(
                request, RememberedSpeaker, max_bytes=MAX_CHANGE_BYTES, pause_s=pause_s
            )
            voice = await voices.remembered(body)
        else:
            voice = await _recorded(service, request)
        await voices.in_thread(partial(voices.stored.add, voices.owner, [voice]))
        voices.named.books.note_change()
        return json_response(voice_body(voice, voices.named.model), 201)

    @router.get(
        "/v1/voices",
        summary="List known voices",
        responses={
            200: answer("All voices of the key.", VoicesBody),
            **_refused(*KEYED),
        },
    )
    async def list_voices(request: Request) -> Response:
        """Return the voices of the key, in the order in which they were stored."""
        voices = use(request)
        found = await voices.in_thread(partial(voices.stored.all_of, voices.owner))
        return json_response({"voices": [voice_body(each, voices.named.model) for each in found]})

    @router.get(
        "/v1/voices/export",
        summary="Export known voices",
        responses={
            200: answer("All voices of the key, with their embeddings.", ExportBody),
            **_refused(*KEYED),
        },
    )
    async def export_voices(request: Request) -> Response:
        """Return the voices of the key with their embeddings, which are biometric data."""
        voices = use(request)

        def work() -> bytes:
            found = voices.stored.all_of(voices.owner)
            return msgspec.json.encode({"voices": [exported(each) for each in found]})

        return Response(await voices.in_thread(work), media_type="application/json")

    @router.post(
        "/v1/voices/import",
        summary="Import known voices",
        status_code=201,
        responses={
            201: answer("The new voices.", VoicesBody),
            **_refused(*POSTED, 409),
        },
        openapi_extra=json_body(ImportedVoices, is_required=True),
    )
    async def import_voices(request: Request) -> Response:
        """Store the voices of an export of a server with the same speaker model, or none."""
        voices = use(request)
        check_length(request.headers, MAX_IMPORT_BYTES)
        body = await read_body(request.receive, max_bytes=MAX_IMPORT_BYTES, pause_s=pause_s)
        model = voices.named.model
        try:
            dimensions = await voices.named.dimensions()
        except SpeakersUnavailable:
            raise NoWorkerReady("Voices can't be checked now; try again later.", RETRY_S) from None
        new = await to_thread.run_sync(_imported, body, model, dimensions)
        await voices.in_thread(partial(voices.stored.add, voices.owner, new))
        voices.named.books.note_change()
        return json_response({"voices": [voice_body(each, model) for each in new]}, 201)

    @router.patch(
        "/v1/voices/{voice_id}",
        summary="Rename a known voice",
        status_code=204,
        responses=_refused(*POSTED, 409),
        openapi_extra=json_body(VoiceChange, is_required=True),
    )
    async def patch_voice(request: Request, voice_id: _VoiceId) -> Response:
        """Rename a voice, also in the transcripts that it has given its name to."""
        voices = use(request)
        body = await read_fields(request, VoiceChange, max_bytes=MAX_CHANGE_BYTES, pause_s=pause_s)
        await voices.rename(voice_id, checked_name(body.name))
        return Response(status_code=204)

    @router.delete(
        "/v1/voices/{voice_id}",
        summary="Delete a known voice",
        status_code=204,
        responses=_refused(*KEYED),
    )
    async def delete_voice(request: Request, voice_id: _VoiceId) -> Response:
        """Delete a voice, its name in kept transcripts, and what is stored of voices like it."""
        await use(request).delete(voice_id)
        return Response(status_code=204)

    return router


class _VoiceRequest:
    """A request of a key that may know voices.

    Args:
        service: The server.
        changes: Changes voices.
        request: The request.

    Attributes:
        owner: The key.
        named: Knows the voices.
        stored: The stored voices.
        in_thread: Runs what uses the database.

    Raises:
        Unauthorized: There is no key.
        NotFound: The key may not know voices.
    """

    def __init__(self, service: Service, changes: VoiceChanges, request: Request) -> None:
        self.owner = service.access.admit_key(request)
        named = service.workers.speakers
        if not isinstance(named, NamedSpeakers) or not named.settings.may_know(self.owner):
            raise NotFound("This key has no known voices; see AURICLE_KNOWN_VOICES.")
        self.named = named
        self.stored = named.stored
        self.in_thread = service.storage.in_database_thread
        self._changes = changes

    async def remembered(self, body: RememberedSpeaker) -> EnrolledVoice:
        """Return the voice of a transcript's speaker.

        Raises:
            NotFound: It is not stored, or is not the key's.
            VoiceUnusable: The speaker has said too little.
        """
        check_consent(body.consent)
        name = checked_name(body.name)
        found = None
        if "\0" not in body.transcript:
            find = partial(self.named.recent.find, self.owner, body.transcript, body.speaker)
            found = await self.in_thread(find)
        if found is None:
            raise NotFound(
                "The voice of this speaker is not stored (any more); record it, or transcribe the "
                "audio again."
            )
        check_speech(found.speech_s)
        return new_voice(name, found, time.time())

    async def rename(self, uid: str, name: str) -> None:
        """Rename a voice everywhere.

        Raises:
            NotFound: The key has no such voice.
            VoiceExists: Another one has the name.
        """
        await self._change(partial(self._changes.rename, self.owner, uid, name), uid)

    async def delete(self, uid: str) -> None:
        """Delete a voice everywhere.

        Raises:
            NotFound: The key has no such voice.
        """
        note = self.named.recent.note_deleted
        await self._change(partial(self._changes.delete, self.owner, uid, note), uid)
        if self.named.keeper is not None:
            self.named.keeper.forget(self.owner)

    async def _change(self, work: Callable[[], str | None], uid: str) -> None:
        if "\0" in uid or await self.in_thread(work) is None:
            raise NotFound("The key has no such voice; it may have been deleted.")
        self.named.books.note_change()


async def _recorded(service: Service, request: Request) -> EnrolledVoice:
    """Return the voice of a recording: a file in a form, or the body, with fields in the query.

    Raises:
        AuricleError: A field is invalid, or the recording can't be used.
    """
    async with UploadContext(service.uploads, request) as context:
        length = check_length(request.headers, MAX_UPLOAD_BYTES)
        is_form = media_type(request.headers) == "multipart/form-data"
        boundary = boundary_of(request.headers.get("content-type", "")) if is_form else ""
        context.enter(None, size_bytes=length, is_job=True)
        spool = await context.new_file()
        chunks = body_chunks(
            request.receive,
            max_bytes=MAX_UPLOAD_BYTES,
            pause_s=service.settings.server.body_timeout_s,
        )
        if is_form:
            parts = await read_form_parts(boundary, chunks, spool, VoiceForm.__struct_fields__)
            items = [(name, value) for name, values in parts.fields.items() for value in values]
            name = _checked(items)
        else:
            name = _checked(request.query_params.multi_items())
            async for chunk in chunks:
                await spool.write(chunk)
        await spool.flush()
        return new_voice(name, await read_print(context, Upload(spool)), time.time())


def _checked(items: Sequence[tuple[str, str]]) -> str:
    """Return the name of a voice.

    Raises:
        ConsentMissing: The person has not agreed.
        BadRequest: The name is invalid.
    """
    form = convert_texts(items, VoiceForm, "form", is_lenient=True)
    check_consent(form.consent)
    return checked_name(form.name)


def _imported(body: bytearray, model: str, dimensions: int) -> list[EnrolledVoice]:
    fields = decode_json(body, ImportedVoices, "JSON body")
    check_consent(fields.consent)
    return imported(fields.voices, model, dimensions)
