"""``auricle jobs``: list, show, await, cancel and delete background jobs of a server."""

import asyncio
import json
from typing import Annotated, Any

import typer

from auricle.cli.support.console import errors
from auricle.cli.support.output import check_supported, content
from auricle.cli.support.progress import FileProgressBars
from auricle.cli.support.server_commands import (
    ApiKey,
    AsJson,
    Format,
    Limit,
    Output,
    ServerUrl,
    checked_format,
    delete_each,
    duration_text,
    local_time,
    open_server,
    print_list,
    print_or_write,
)
from auricle.config.settings import Settings
from auricle.files.transcribe import FileTranscript
from auricle.values.errors import NotFound, RequestError
from auricle.values.types import SAMPLE_RATE_HZ

EXIT_FAILED = 1
_UNFINISHED = ("queued", "running")

_Id = Annotated[str, typer.Argument(metavar="ID", help="ID of the job.")]
_Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="IDs of the jobs.")]


def list_jobs(
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only queued, running, done, failed or cancelled jobs; may be repeated.",
        ),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """List the background jobs of your key, the newest first.

    Each line has the ID, the time of acceptance in local time, the state, the progress, the length
    of the recording once the job is done, and the name of its file, if the client has sent it. For
    programs, --json prints each job without a header.
    """
    query = {"state": ",".join(state)} if state else {}
    with open_server(url, api_key) as server:
        header = _line("id", "accepted", "state", "done", "length", "file")
        jobs = server.pages("jobs", "jobs", query=query, limit=limit)
        print_list(jobs, header, _line_of, as_json=as_json)


def _line_of(job: dict[str, Any]) -> str:
    duration_ms = job["duration_ms"]
    return _line(
        job["job_id"],
        local_time(job["accepted_at"]),
        job["state"],
        f"{job['progress']:.0%}",
        "-" if duration_ms is None else duration_text(duration_ms / 1000),
        job["file_name"] or "-",
    )


def _line(id: str, accepted: str, state: str, done: str, length: str, file: str) -> str:
    """Return a line of the list; IDs of the command line have 32 characters."""
    return f"{id:<32}  {accepted:<19}  {state:<9}  {done:>4}  {length:>8}  {file}"


def show(job_id: _Id, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Print a job as JSON: its state, progress, text so far, result and error."""
    with open_server(url, api_key) as server:
        job = server.document("GET", "jobs", job_id)
    typer.echo(json.dumps(job, ensure_ascii=False, indent=2))


def wait(
    job_id: _Id,
    output_format: Format = None,
    output: Output = None,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Wait until a job has ended, and print its transcript.

    A server that restarts is waited for. Ctrl-C ends the wait only; the job continues. The exit
    code is 1 if the job has failed.
    """
    chosen = checked_format(output_format, output)
    check_supported(chosen)
    settings = Settings.load({"url": url, "api_key": api_key})
    try:
        transcript = asyncio.run(_result(settings, job_id))
    except NotFound:
        raise
    except RequestError as error:
        errors.print(f"{job_id}: {error}", style="red")
        raise typer.Exit(EXIT_FAILED) from error
    for gap in transcript.gaps:
        start_s, end_s = gap.start_sample / SAMPLE_RATE_HZ, gap.end_sample / SAMPLE_RATE_HZ
        line = f"{job_id}: {start_s:.1f} to {end_s:.1f} s is missing ({gap.code})"
        errors.print(line, style="yellow")
    print_or_write(content(transcript, chosen, name=job_id), output)


async def _result(settings: Settings, job_id: str) -> FileTranscript:
    from auricle.cli.support.remote_jobs import RemoteJobs
    from auricle.cli.support.server import url_of

    url = url_of(settings)

    def report_absence() -> None:
        errors.print(
            f"No Auricle server answers at {url}; waiting for it. Ctrl-C ends the wait only.",
            style="yellow",
        )

    async with RemoteJobs(url, settings.client, report_absence) as jobs:
        with FileProgressBars() as bars:
            bar = bars.open(job_id)
            try:
                return await jobs.follow(job_id, bar.advance)
            finally:
                bar.close(None)


def cancel(job_ids: _Ids, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Cancel jobs that are queued or running; those that have ended stay.

    The exit code is 2 if any of them is unknown or has ended.
    """
    problems = []
    with open_server(url, api_key) as server:
        for job_id in job_ids:
            try:
                state = server.document("GET", "jobs", job_id)["state"]
                if state in _UNFINISHED:
                    server.send("DELETE", "jobs", job_id)
                    errors.print(f"{job_id} was cancelled.")
                else:
                    problems.append(f"{job_id}: The job has ended ({state}).")
            except NotFound as error:
                problems.append(f"{job_id}: {error}")
    if problems:
        raise RequestError("\n".join(problems))


def delete(job_ids: _Ids, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Delete jobs with their results; those that are queued or running are cancelled.

    The exit code is 2 if any of them is unknown.
    """
    with open_server(url, api_key) as server:
        delete_each(server, job_ids, "jobs")
