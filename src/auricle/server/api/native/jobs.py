"""Background jobs: ``POST /utterance?wait=0`` creates one, ``/jobs/{id}`` returns its state.

Results are kept in memory for an hour, and are lost when the server stops. The store is bounded,
see :mod:`.job_store`. Jobs of other keys return 404.
"""

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.protocol.native.errors import ErrorResponse
from auricle.server.context import state_of
from auricle.server.http.openapi import KEYED, answer, refusals
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import json_response
from auricle.server.http.uniform_routes import is_head
from auricle.server.uploads.job_store import JobBody, JobRecord, JobState

_RESPONSES = {200: answer("The job.", JobBody), **refusals(ErrorResponse, *KEYED, 404)}

router = APIRouter(default_response_class=Response)


@router.get(
    "/jobs/{job_id}",
    summary="State, progress and result of a job",
    responses=_RESPONSES,
)
async def get_job(request: Request, job_id: str) -> Response:
    """Return the state of a job, its progress (0..1) and its text so far."""
    server = state_of(request)
    record = server.jobs.find(server.admit(request), job_id, time.monotonic())
    _note(request, record)
    record.is_collected |= record.state.is_final and not is_head(request.scope)
    return json_response(record.body())


@router.delete(
    "/jobs/{job_id}",
    summary="Cancel or delete a job",
    responses=_RESPONSES,
)
async def delete_job(request: Request, job_id: str) -> Response:
    """Cancel a job that is queued or running; delete one that is finished."""
    server = state_of(request)
    record = server.jobs.find(server.admit(request), job_id, time.monotonic())
    _note(request, record)
    server.jobs.finish(record, JobState.CANCELLED, time.monotonic())
    record.scope.cancel()
    server.jobs.remove(record)
    return json_response(record.body())


def _note(request: Request, record: JobRecord) -> None:
    log = request_log(request.scope)
    log.job_id, log.trace_id = record.job_id, record.trace_id
