"""OpenAI's REST API for speech: ``/v1/audio/transcriptions`` and ``/v1/audio/translations``.

The same as ``POST /utterance`` in another format: the same admission before the body is read, the
same spool, deadlines and workers. Any model name means the loaded model, unless the operator
enables strict model names.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.openai.errors import openai_error
from auricle.apis.openai.references import read_references
from auricle.apis.openai.wire.errors import ErrorResponse
from auricle.apis.openai.wire.known_speakers import REFERENCES
from auricle.apis.openai.wire.transcription_form import FIELDS, Form, SpeechRequest, read_form
from auricle.apis.openai.wire.transcriptions import (
    delta_event,
    done_event,
    encode_answer,
    error_event,
    segment_events,
)
from auricle.files.transcribe import FileTranscript
from auricle.protocol.ignored import warning_headers
from auricle.server.access.admission import estimate_s
from auricle.server.http.body import check_length
from auricle.server.http.openapi import POSTED, Answers, refusals, schema_of, server_sent_events
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import GAPS_HEADER
from auricle.server.jobs.event_stream import EventStream
from auricle.server.jobs.intake import UploadContext, Uploads
from auricle.server.service import Service
from auricle.server.uploads.multipart import boundary_of, read_form_parts
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.text.formats.gaps import gap_fields
from auricle.values.types import GiveWay, Task

_FILE = {"type": "string", "format": "binary", "description": "The audio."}
_FIELDS = schema_of(Form) | {
    "properties": schema_of(Form)["properties"] | {"file": _FILE},
    "required": ["file"],
}
FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FIELDS}}}}

RESPONSES: Answers = {
    200: {
        "description": "The transcript in the requested format.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            **{
                media_type: {"schema": {"type": "string"}}
                for media_type in ("text/plain", "text/vtt")
            },
            **server_sent_events(dict[str, Any]),
        },
    },
    **refusals(ErrorResponse, *POSTED, 404, 504),
}


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    uploads = service.uploads

    @router.post(
        "/audio/transcriptions",
        summary="Transcribe audio (OpenAI)",
        responses=RESPONSES,
        openapi_extra=FORM,
    )
    async def post_transcription(request: Request) -> Response:
        """Return the transcript of a file in the requested format, or stream it."""
        return await answer_form(uploads, request, Task.TRANSCRIBE)

    @router.post(
        "/audio/translations",
        summary="Translate audio into English (OpenAI)",
        responses=RESPONSES,
        openapi_extra=FORM,
    )
    async def post_translation(request: Request) -> Response:
        """Return the English text of a file in any language."""
        return await answer_form(uploads, request, Task.TRANSLATE)

    return router


async def answer_form(
    uploads: Uploads, request: Request, task: Task, deployment: str | None = None
) -> Response:
    """Return the response to a form; ``deployment`` replaces its field ``model``.

    Raises:
        AuricleError: The request can't be served.
    """
    async with UploadContext(uploads, request) as context:
        boundary = boundary_of(request.headers.get("content-type", ""))
        length = check_length(request.headers, context.max_upload_bytes)
        context.enter(estimate_s(length), size_bytes=length)
        spool = await context.new_file()
        form = await read_form_parts(
            boundary, context.body(), spool, FIELDS, large_names=[REFERENCES]
        )
        fields = form.fields if deployment is None else form.fields | {"model": [deployment]}
        read = partial(read_form, fields, task, form.unread.items())
        speech = await to_thread.run_sync(read) if REFERENCES in fields else read()
        params = replace(
            check(Fields()),
            options=speech.options,
            speakers=speech.speakers,
            warnings=speech.warnings,
            vocabulary=speech.vocabulary,
        )
        params = await context.chosen(params)
        speech = replace(speech, options=params.options, warnings=params.warnings)
        await spool.flush()
        context.note(params, spool.size_bytes)
        request_log(request.scope).details["answer"] = (
            "events" if speech.is_streamed else speech.format.value
        )
        upload = Upload(spool)
        audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
        references = await read_references(context, speech.known_speakers)
        if speech.is_streamed:
            return EventStream(
                context,
                partial(context.recognise, params, upload, audio_format, named_voices=references),
                encode_delta=delta_event,
                encode_done=partial(_encode_done, speech),
                encode_error=_encode_error,
                headers=warning_headers(speech.warnings),
            )
        result = await context.transcribe(params, upload, audio_format, named_voices=references)
        return await context.respond(result, partial(_response, speech, result))


def _response(speech: SpeechRequest, result: FileTranscript, give_way: GiveWay) -> Response:
    speech = replace(speech, warnings=(*speech.warnings, *result.warnings))
    headers = dict(warning_headers(speech.warnings))
    if result.gaps:
        headers[GAPS_HEADER] = str(len(result.gaps))
    gaps = gap_fields(result.gaps)
    body = encode_answer(speech, result.transcript, gaps, result.gaps, give_way)
    return Response(body, headers=headers, media_type=speech.format.media_type)


def _encode_done(speech: SpeechRequest, result: FileTranscript) -> bytes:
    warnings = (*speech.warnings, *result.warnings)
    done = done_event(result.transcript, gap_fields(result.gaps), warnings)
    return done if speech.speakers is None else segment_events(result.transcript) + done


def _encode_error(error: BaseException) -> bytes:
    _, fields = openai_error(error)
    return error_event(fields)
