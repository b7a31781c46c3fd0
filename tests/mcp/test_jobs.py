"""Tools that list and watch jobs."""

import pytest

from auricle.client import AsyncClient
from tests.mcp.agents import BEN, CARL, error_of, over_http, result_of
from tests.mcp.conftest import AgentsServer
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S

pytestmark = pytest.mark.process


async def test_a_job_is_watched_to_its_end(server: AgentsServer) -> None:
    clip = CLIPS["fellow.wav"]
    async with (
        AsyncClient(server.url, api_key=CARL) as api,
        over_http(server.url, key=CARL) as client,
    ):
        job = await api.jobs.create(clip.path, file_name="fellow.wav")
        read = await result_of(client, "read_job", job_id=job.id, wait_s=45)
        transcript = await api.jobs.wait(job.id, timeout_s=LIMIT_S)
        assert "".join(each["text"] for each in read["segments"]) == transcript.text.strip()
        assert (read["state"], read["progress"], read["next"]) == ("done", 1.0, None)
        kept = await result_of(client, "read_transcript", transcript_id=read["transcript_id"])
        assert kept["segments"][0]["text"] == read["segments"][0]["text"]
        [listed] = (await result_of(client, "list_jobs", state="done"))["jobs"]
        assert (listed["job_id"], listed["file_name"]) == (job.id, "fellow.wav")
    async with over_http(server.url, key=BEN) as client:
        assert (await error_of(client, "read_job", job_id=job.id)).endswith("(not_found)")
        assert not (await result_of(client, "list_jobs"))["jobs"]
