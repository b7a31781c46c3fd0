"""``POST /v1/listen``: transcribes a file for Deepgram's clients.

The body is the file. ``{"url": …}`` is rejected: the server fetches no URLs, because a client could
use it to read resources that only the server can reach (SSRF).
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.deepgram.job_answers import answer_format
from auricle.apis.deepgram.live import model_info, utc_now
from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.apis.deepgram.wire.query import (
    ALAW,
    LINEAR16,
    MULAW,
    OPUS,
    FileQuery,
    Listen,
    parse_listen,
)
from auricle.apis.deepgram.wire.results import AcceptedBody, FileBody, FileResponse, Metadata
from auricle.audio.g711 import alaw_to_pcm16, mulaw_to_pcm16
from auricle.files.assemble import FileTranscript
from auricle.files.registry import method_of
from auricle.protocol.ignored import warning_headers
from auricle.server.access.admission import estimate_s
from auricle.server.http.body import check_length, media_type
from auricle.server.http.openapi import POSTED, audio_bodies, query_parameters, refusals, schema_of
from auricle.server.http.request_log import request_id_of, request_log
from auricle.server.http.responses import json_response
from auricle.server.jobs.background_jobs.requests import accept_job, check_job_quota
from auricle.server.jobs.intake import UploadContext
from auricle.server.service import Service
from auricle.server.uploads.params import Callback, TranscriptionParams
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.values.errors import BadRequest
from auricle.values.text_filters import redaction
from auricle.values.types import Options

_EXPAND: dict[str | None, Callable[[bytes], bytes]] = {MULAW: mulaw_to_pcm16, ALAW: alaw_to_pcm16}


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)

    @router.post(
        "/v1/listen",
        summary="Transcribe a file (Deepgram)",
        responses={
            200: {
                "description": "The transcript; with `callback` a request id.",
                "content": {
                    "application/json": {
                        "schema": {"anyOf": [schema_of(FileBody), schema_of(AcceptedBody)]}
                    }
                },
            },
            **refusals(DeepgramError, *POSTED, 404, 504),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": "The audio itself, of any type but `application/json`.",
                "content": audio_bodies(),
            },
            "parameters": query_parameters(FileQuery),
        },
    )
    async def post_listen(request: Request) -> Response:
        """Return the transcript of the file in the body."""
        request_log(request.scope).details["dialect"] = "deepgram"
        async with UploadContext(service.uploads, request) as context:
            query = parse_listen(request.query_params.multi_items())
            _check(request, query)
            return await _answer(context, query)

    return router


def _check(request: Request, query: Listen) -> None:
    if media_type(request.headers) == "application/json":
        raise BadRequest("This server fetches no URLs; send the audio itself as the body.")
    if query.encoding == OPUS:
        raise BadRequest("Raw Opus packets have no boundaries in a file; send Ogg or WebM.")
    method_of(is_multichannel=query.is_multichannel)


async def _answer(context: UploadContext, query: Listen) -> Response:
    created, request_id = utc_now(), request_id_of(context.request.scope)
    models = context.uploads.recognition.models
    params = await context.chosen(_params(query, request_id))
    query = replace(query, warnings=params.warnings)
    if query.callback:
        callback = Callback(query.callback, query.callback_method)
        webhooks = context.uploads.jobs.webhooks
        webhooks.check_callback(context.request.headers, callback, "callback")
        params = replace(params, callback=callback)
    length = check_length(context.request.headers, context.max_upload_bytes)
    if length is not None and query.encoding in _EXPAND:
        length *= 2
    context.note(params, length or 0)
    audio_s = estimate_s(length, params.audio_format, params.sample_rate_hz)
    context.enter(
        audio_s,
        size_bytes=length,
        is_job=params.callback is not None,
        model=params.options.model,
    )
    if params.callback is not None:
        await check_job_quota(context.uploads.jobs, context.client, params.job_id, length or 0)
    sha256 = hashlib.sha256()

    def expand(chunk: bytes) -> bytes:
        sha256.update(chunk)
        return _EXPAND.get(query.encoding, bytes)(chunk)

    spool = await context.store_body(expand)
    context.note(params, spool.size_bytes)
    upload = Upload(spool)
    audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
    model = model_info(models.find(params.options.model))
    metadata = Metadata(request_id, sha256.hexdigest(), created, model)
    response = FileResponse(query, metadata)
    if params.callback is not None:
        return await _accept(context, replace(params, audio_format=audio_format), upload, response)
    result = await context.transcribe(params, upload, audio_format)
    return await context.respond(result, lambda _: _response(response, result))


async def _accept(
    context: UploadContext, params: TranscriptionParams, upload: Upload, response: FileResponse
) -> Response:
    """Accept a job, whose transcript is sent to its callback."""
    answer = answer_format(response)
    await accept_job(
        context.uploads.jobs, context.client, params, answer, upload, context.resources
    )
    body: AcceptedBody = {"request_id": response.metadata.request_id}
    return json_response(body, headers=_headers(response))


def _response(response: FileResponse, result: FileTranscript) -> Response:
    """Return the response; slow for hours of audio."""
    body = response.body(result.transcript, result.gaps, result.warnings, result.channels)
    return json_response(body, headers=_headers(response, result.warnings))


def _headers(response: FileResponse, further: tuple[str, ...] = ()) -> dict[str, str]:
    warnings = warning_headers((*response.query.warnings, *further))
    return {"dg-request-id": response.metadata.request_id, **warnings}


def _params(query: Listen, request_id: str) -> TranscriptionParams:
    is_raw = query.encoding in (LINEAR16, *_EXPAND)
    return TranscriptionParams(
        job_id=request_id,
        trace_id=request_id,
        audio_format="pcm16" if is_raw else "auto",
        sample_rate_hz=query.sample_rate_hz,
        channels=query.channels if is_raw else 1,
        is_multichannel=query.is_multichannel,
        options=Options(
            language=query.language,
            languages=query.languages,
            hotwords=query.hotwords,
            word_timestamps=True,
            model=query.model,
            strict_language=query.strict_language,
        ),
        warnings=query.warnings,
        speakers=query.speakers,
        filters=redaction(query.redact),
        vocabulary=query.vocabulary,
    )
