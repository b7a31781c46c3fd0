"""``POST /asr`` and ``POST /detect-language``, for programs that use whisper-asr-webservice.

The same as ``POST /utterance`` in another format. With ``encode=false`` the file is PCM16 without a
header, often a whole film, 115 MB an hour; like any upload it goes to the spool. These programs
know no keys, but a URL with a password: so the key may be the password of ``Authorization: Basic``.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.asr_webservice.wire.answers import Detection, ErrorBody, detection, encode_answer
from auricle.apis.asr_webservice.wire.query import (
    AsrQuery,
    AsrRequest,
    DetectionQuery,
    parse_asr,
    parse_detection,
)
from auricle.files.transcribe import FileTranscript
from auricle.protocol.ignored import ignored_options, warning_headers
from auricle.server.access.admission import estimate_s
from auricle.server.http.body import check_length
from auricle.server.http.openapi import POSTED, answer, query_parameters, refusals
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import GAPS_HEADER, json_response
from auricle.server.jobs.intake import UploadContext
from auricle.server.service import Service
from auricle.server.uploads.multipart import boundary_of, read_form_parts
from auricle.server.uploads.params import Fields, TranscriptionParams, check
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.text.formats.gaps import gap_fields
from auricle.values.types import SAMPLE_RATE_HZ, GiveWay

PATHS = ("/asr", "/detect-language")
FILE_FIELD = "audio_file"

DETECTION_SAMPLES = 30 * SAMPLE_RATE_HZ
"""Speech whose language is detected: a model's window, or about three chunks, after which the
language of a file is decided (:class:`.FileLanguages`)."""

_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {FILE_FIELD: {"type": "string", "format": "binary"}},
                "required": [FILE_FIELD],
            }
        }
    },
}


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    uploads = service.uploads

    @router.post(
        "/asr",
        summary="Transcribe a file (whisper-asr-webservice)",
        responses={
            200: {
                "description": "The transcript in the requested format.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **refusals(ErrorBody, *POSTED, 404, 415, 422, 504),
        },
        openapi_extra={"requestBody": _FORM, "parameters": query_parameters(AsrQuery)},
    )
    async def post_asr(request: Request) -> Response:
        """Return the transcript of a file as text, subtitles, TSV or JSON."""
        async with UploadContext(uploads, request, accepts_basic=True) as context:
            query, result = await _transcribe(context, parse_asr)
            return await context.respond(result, partial(_response, query, result))

    @router.post(
        "/detect-language",
        summary="Detect the language of a file (whisper-asr-webservice)",
        responses={
            200: answer("The language of the first speech.", Detection),
            **refusals(ErrorBody, *POSTED, 404, 415, 422, 504),
        },
        openapi_extra={"requestBody": _FORM, "parameters": query_parameters(DetectionQuery)},
    )
    async def post_detect_language(request: Request) -> Response:
        """Return the language of the first 30 s of speech, wherever in the file they are."""
        async with UploadContext(uploads, request, accepts_basic=True) as context:
            _, result = await _transcribe(context, parse_detection, DETECTION_SAMPLES)
            return json_response(detection(result.transcript))

    return router


async def _transcribe(
    context: UploadContext,
    parse: Callable[[list[tuple[str, str]]], AsrRequest],
    max_speech_samples: int | None = None,
) -> tuple[AsrRequest, FileTranscript]:
    """Store the file of a request, and transcribe it."""
    request = context.request
    request_log(request.scope).details["dialect"] = "asr-webservice"
    query = parse(request.query_params.multi_items())
    params = await context.chosen(_params(query, max_speech_samples))
    boundary = boundary_of(request.headers.get("content-type", ""))
    length = check_length(request.headers, context.max_upload_bytes)
    context.enter(
        estimate_s(length, params.audio_format), size_bytes=length, model=params.options.model
    )
    spool = await context.new_file()
    form = await read_form_parts(boundary, context.body(), spool, (), file_field=FILE_FIELD)
    await spool.flush()
    context.note(params, spool.size_bytes)
    upload = Upload(spool)
    audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
    result = await context.transcribe(params, upload, audio_format)
    warnings = (*params.warnings, *ignored_options(form.unread.items(), ()), *result.warnings)
    return replace(query, options=params.options, warnings=warnings), result


def _params(query: AsrRequest, max_speech_samples: int | None) -> TranscriptionParams:
    return replace(
        check(Fields(audio_format="pcm16" if query.is_raw else "auto")),
        options=query.options,
        speakers=query.speakers,
        warnings=query.warnings,
        max_speech_samples=max_speech_samples,
        vocabulary=query.vocabulary,
    )


def _response(query: AsrRequest, result: FileTranscript, give_way: GiveWay) -> Response:
    headers = dict(warning_headers(query.warnings))
    if result.gaps:
        headers[GAPS_HEADER] = str(len(result.gaps))
    gaps = gap_fields(result.gaps)
    body = encode_answer(query, result.transcript, gaps, result.gaps, give_way)
    return Response(body, headers=headers, media_type="text/plain")
