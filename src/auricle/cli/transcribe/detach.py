"""``auricle transcribe --detach``: uploads files as background jobs and does not wait for them."""

import uuid
from collections.abc import Sequence

import typer

from auricle.cli.support.console import errors
from auricle.cli.support.remote_jobs import RemoteJobs
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.config.sections.client import ClientSettings
from auricle.values.errors import AuricleError


async def submit(
    settings: ClientSettings, requests: Sequence[RecogniserRequest], callback_url: str | None
) -> bool:
    """Upload files one after another and print the ID of each job; return whether all succeeded.

    Args:
        settings: The server and the key.
        requests: The files.
        callback_url: Where the server sends each job when it has ended.

    Raises:
        SetupError: The server does not answer.
    """
    has_failed = False
    async with RemoteJobs(settings.url or "", settings) as jobs:
        for request in requests:
            job_id = uuid.uuid4().hex
            try:
                await jobs.submit(
                    request.path,
                    request.options,
                    job_id,
                    callback_url,
                    request.speakers,
                    is_multichannel=request.is_multichannel,
                    vocabulary=request.vocabulary,
                )
            except AuricleError as error:
                errors.print(f"{request.path}: {error}", style="red")
                has_failed = True
                continue
            if len(requests) > 1:
                errors.print(f"{request.path}: {job_id}")
            typer.echo(job_id)
    return not has_failed
