"""Background jobs: ``POST /utterance?wait=0`` creates one, ``/jobs`` lists and returns them.

Jobs are durable, and are deleted a while after their end. Jobs of other keys return 404. The list
needs the key itself: tokens are refused.
"""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.native.job_bodies import JobBody, JobsBody, body_of, jobs_body
from auricle.apis.native.job_events import JobEvents
from auricle.ledger.jobs.job import JobState
from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import convert_texts
from auricle.server.http.openapi import (
    KEYED,
    answer,
    query_parameters,
    refusals,
    server_sent_events,
)
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import EVENTS_TYPE, json_response
from auricle.server.http.uniform_routes import is_head
from auricle.server.jobs.background_jobs.requests import delete_job, find_job, list_jobs
from auricle.server.jobs.background_jobs.view import JobView
from auricle.server.service import Service

MAX_LIMIT = 1000

_JobId = Annotated[
    str, Path(description="ID of the job, which the client chose or the server returned.")
]
_RESPONSES = {200: answer("The job.", JobBody), **refusals(ErrorResponse, *KEYED, 404)}


class JobsQuery(msgspec.Struct, kw_only=True):
    """Parameters of the list."""

    state: Annotated[
        tuple[JobState, ...], Meta(description="Only jobs in these states; may be repeated.")
    ] = ()
    before: Annotated[
        Annotated[int, Meta(ge=1, le=2**53)] | None,
        Meta(description="`next` of the previous page."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="Maximum number of jobs.")] = 100


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    access, jobs = service.access, service.jobs

    @router.get(
        "/jobs",
        summary="The key's jobs, the newest first",
        responses={
            200: answer("A page of jobs.", JobsBody),
            **refusals(ErrorResponse, *KEYED, 400),
        },
        openapi_extra={"parameters": query_parameters(JobsQuery)},
    )
    async def get_jobs(request: Request) -> Response:
        """Return a page of jobs, without their texts and results.

        Tokens are refused: the visitors of a page share a key, and the list would give each of them
        the IDs, and so the texts, of the others' jobs.
        """
        client = access.admit_key(request)
        query = convert_texts(request.query_params.multi_items(), JobsQuery, "query string")
        states = query.state or tuple(JobState)
        page = await list_jobs(jobs, client, states, query.before, query.limit)
        return json_response(jobs_body(page))

    @router.get(
        "/jobs/{job_id}",
        summary="State, progress and result of a job",
        responses=_RESPONSES,
    )
    async def get_job(request: Request, job_id: _JobId) -> Response:
        """Return the state of a job, its progress (0..1) and its text so far."""
        return _answer(request, await find_job(jobs, access.admit(request), job_id))

    @router.get(
        "/jobs/{job_id}/events",
        summary="Progress of a job as server-sent events",
        responses={
            200: {
                "description": "Events with the job, the last one with its result.",
                "content": server_sent_events(JobBody),
            },
            **refusals(ErrorResponse, *KEYED, 404),
        },
    )
    async def get_job_events(request: Request, job_id: _JobId) -> Response:
        """Stream a job's changes until it has ended."""
        client = access.admit(request)
        job = body_of(await find_job(jobs, client, job_id))
        _note(request, job)
        if is_head(request.scope):
            return Response(media_type=EVENTS_TYPE)
        return JobEvents(jobs, service.lifecycle, client, job)

    @router.delete(
        "/jobs/{job_id}",
        summary="Cancel or delete a job",
        responses=_RESPONSES,
    )
    async def delete(request: Request, job_id: _JobId) -> Response:
        """Cancel a job that is queued or running; delete one that is finished."""
        return _answer(request, await delete_job(jobs, access.admit(request), job_id))

    return router


def _answer(request: Request, view: JobView) -> Response:
    body = body_of(view)
    _note(request, body)
    return json_response(body)


def _note(request: Request, body: JobBody) -> None:
    log = request_log(request.scope)
    log.job_id, log.trace_id = body["job_id"], body["trace_id"]
