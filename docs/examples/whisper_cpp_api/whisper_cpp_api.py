"""An API in one file: that of whisper.cpp's server, for programs that send files to it.

pip install docs/examples/whisper_cpp_api && auricle serve
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from auricle.server.access.admission import estimate_s
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi
from auricle.server.http.body import check_length
from auricle.server.http.errors import error_body, error_response
from auricle.server.jobs.intake import UploadContext
from auricle.server.service import Service
from auricle.server.uploads.multipart import boundary_of, read_form_parts
from auricle.server.uploads.params import Fields, check, with_model
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.values.errors import BadRequest

PATH = "/inference"
FIELDS = ("language", "response_format", "temperature")


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter()

    @router.post(PATH, summary="Transcribe a file (whisper.cpp)")
    async def post_inference(request: Request) -> Response:
        """Return the transcript of a file."""
        async with UploadContext(service.uploads, request) as context:  # authenticates the request
            boundary = boundary_of(request.headers.get("content-type", ""))
            length = check_length(request.headers, context.max_upload_bytes)
            context.enter(estimate_s(length), size_bytes=length)  # before the body is read
            spool = await context.new_file()
            form = await read_form_parts(boundary, context.body(), spool, FIELDS)
            fields = {name: values[-1] for name, values in form.fields.items()}
            answer = fields.get("response_format", "json")
            if answer not in ("json", "text"):
                raise BadRequest("response_format is json or text.", "response_format")
            params = check(Fields(language=fields.get("language", "auto")))
            params = with_model(params, service.recognition.models)
            await spool.flush()
            context.note(params, spool.size_bytes)
            upload = Upload(spool)
            audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
            result = await context.transcribe(params, upload, audio_format)
            text = result.transcript.text
            return PlainTextResponse(text) if answer == "text" else JSONResponse({"text": text})

    return router


def _refusal(error: BaseException, request_id: str) -> Response:
    """Return the response for an error in whisper.cpp's format, with the native status."""
    status = error_response(error).status_code
    return JSONResponse({"error": error_body(error)["message"]}, status)


def _mount(service: Service) -> MountedApi:
    return MountedApi(routes=[ApiRoutes(routes(service))], refusals={PATH: _refusal})


SPEC = ApiSpec(name="whisper_cpp", title="whisper.cpp", page="how-to/apis.md", mount=_mount)
