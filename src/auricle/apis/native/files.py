"""``POST /utterance``: transcribes audio in a JSON body, or as the body itself.

Key, origin, size and queue room are checked before the body is read. Short PCM16 and framed Opus
are decoded in this process; other audio is written to a file and decoded by a worker. With
``wait=0`` the response is a job, which ``/jobs/{id}`` returns.
"""

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.native.job_answers import FORMAT, WebhookEvent, result_body
from auricle.apis.native.job_bodies import JobBody, body_of
from auricle.files.transcribe import FileTranscript
from auricle.protocol.errors import ErrorResponse
from auricle.protocol.ignored import warning_headers
from auricle.server.access.admission import estimate_json_s, estimate_s
from auricle.server.http.body import check_length, media_type
from auricle.server.http.openapi import (
    POSTED,
    answer,
    audio_bodies,
    query_parameters,
    refusals,
    schema_of,
)
from auricle.server.http.responses import json_response
from auricle.server.jobs.background_jobs.requests import accept_job, check_job_quota, delete_job
from auricle.server.jobs.background_jobs.view import JobView
from auricle.server.jobs.intake import UploadContext
from auricle.server.service import Service
from auricle.server.uploads.params import (
    Fields,
    JsonRequest,
    TranscriptionParams,
    check,
    ignored_fields,
    parse_query,
)
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.server.uploads.uploading_jobs import UploadingJob
from auricle.text.formats.native_json import TranscriptBody
from auricle.values.audio_formats import CONTAINERS
from auricle.values.errors import BadRequest, UnsupportedFormat

_MB = 1_000_000
# curl's default type is a form's; a body that isn't JSON gets an error that says so.
_JSON_TYPES = ("application/json", "text/json", "application/x-www-form-urlencoded", "")
_AUDIO_TYPES = {"application/octet-stream"}.union(
    *(each.media_types for each in CONTAINERS.values())
)

_CALLBACK = "callback_url"
_WAIT = {
    "name": "wait",
    "in": "query",
    "schema": {"type": "integer", "enum": [0, 1], "default": 1},
    "description": "0: return 202 and a job at once; poll it at `/jobs/{job_id}`.",
}


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    kept = (each.event_body for each in service.jobs.result_keepers)
    callbacks = service.jobs.webhooks.openapi_callbacks((WebhookEvent, *kept))

    @router.post(
        "/utterance",
        summary="Transcribe a recording or an utterance, with its speakers if requested",
        responses={
            200: answer("The transcript (`wait=1`).", TranscriptBody),
            202: answer("The job that was accepted (`wait=0`).", JobBody),
            **refusals(ErrorResponse, *POSTED, 404, 409, 415, 422, 504),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": "The file itself, in any common format of audio or video, with the "
                "options in the query; or JSON with base64 audio (at most 25 MB) and the options.",
                "content": {
                    "application/json": {"schema": schema_of(JsonRequest)},
                    **audio_bodies(),
                },
            },
            "parameters": [
                _WAIT,
                *query_parameters(Fields),
            ],
            "callbacks": callbacks,
        },
    )
    async def post_utterance(request: Request) -> Response:
        """Return the transcript of the file in the body, or a job (``wait=0``).

        With `speakers=true`, each segment has the number of its speaker. The response comes when
        all is transcribed. For more than a few minutes of audio use `wait=0`: the response is a
        job at once. Poll `GET /jobs/{job_id}` every second or two until its `state` is `done`,
        `failed` or `cancelled`; its `result` is the transcript.
        """
        sent_type = media_type(request.headers)
        async with UploadContext(service.uploads, request) as context:
            if sent_type in _JSON_TYPES or sent_type.endswith("+json"):
                return await _answer_json(context)
            if sent_type in _AUDIO_TYPES or sent_type.startswith(("audio/", "video/")):
                return await _answer_audio(context)
        raise UnsupportedFormat(
            "Send JSON (Content-Type: application/json) or the audio itself "
            "(Content-Type: audio/*)."
        )

    return router


async def _answer_json(context: UploadContext) -> Response:
    """Transcribe a JSON body with base64 audio."""
    request = context.request
    max_bytes = int(context.uploads.settings.max_json_mb * _MB)
    length = check_length(request.headers, max_bytes)
    context.enter(estimate_json_s(length), size_bytes=length, is_job=_is_job(request))
    params, upload = await context.read_json(max_bytes)
    _check_callback(context, params)
    params = await context.chosen(params)
    context.note(params, upload.size_bytes)
    return await _answer(context, params, upload, _uploading(context, params))


async def _answer_audio(context: UploadContext) -> Response:
    """Transcribe a body that is the audio, via a file."""
    request = context.request
    query = request.query_params
    params = check(parse_query(query), ignored_fields(query.multi_items()))
    _check_callback(context, params)
    params = await context.chosen(params)
    length = check_length(request.headers, context.max_upload_bytes)
    context.note(params, length or 0)
    audio_s = estimate_s(length, params.audio_format, params.sample_rate_hz)
    context.enter(
        audio_s,
        params.max_wait_s,
        size_bytes=length,
        is_job=_is_job(request),
        model=params.options.model,
    )
    if _is_job(request):
        await check_job_quota(context.uploads.jobs, context.client, params.job_id, length or 0)
    uploading = _uploading(context, params)
    spool = await context.store_body()
    context.note(params, spool.size_bytes)
    return await _answer(context, params, Upload(spool), uploading)


async def _answer(
    context: UploadContext,
    params: TranscriptionParams,
    upload: Upload,
    uploading: UploadingJob | None,
) -> Response:
    audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
    if uploading is not None:
        params = replace(params, audio_format=audio_format)
        job = await _accept(context, params, upload, uploading)
        return json_response(body_of(job), 202, {"location": f"/jobs/{params.job_id}"})
    result = await context.transcribe(params, upload, audio_format)
    model = context.uploads.recognition.models.find(params.options.model).name
    return await context.respond(result, lambda _: _response(params, model, result))


async def _accept(
    context: UploadContext, params: TranscriptionParams, upload: Upload, uploading: UploadingJob
) -> JobView:
    """Accept a job, unless its caller has cancelled it during its upload."""
    jobs, client = context.uploads.jobs, context.client
    if uploading.is_cancelled:
        return uploading
    job = await accept_job(jobs, client, params, FORMAT, upload, context.resources)
    if uploading.is_cancelled:
        return await delete_job(jobs, client, params.job_id)
    return job


def _check_callback(context: UploadContext, params: TranscriptionParams) -> None:
    if params.callback is None:
        return
    if not _is_job(context.request):
        raise BadRequest("callback_url needs `wait=0`: the response is the result.", _CALLBACK)
    webhooks = context.uploads.jobs.webhooks
    webhooks.check_callback(context.request.headers, params.callback, _CALLBACK)


def _response(params: TranscriptionParams, model: str, result: FileTranscript) -> Response:
    warnings = (*params.warnings, *result.warnings)
    body = result_body(params, model, result)
    return json_response(body, headers=dict(warning_headers(warnings)))


def _uploading(context: UploadContext, params: TranscriptionParams) -> UploadingJob | None:
    """Return the job that the request uploads, if it is to be one."""
    if not _is_job(context.request):
        return None
    uploading = context.uploads.jobs.uploading.add(context.client, params.job_id, params.trace_id)
    return context.resources.enter_context(uploading)


def _is_job(request: Request) -> bool:
    return request.query_params.get("wait", "1").lower() in ("0", "false", "no")
