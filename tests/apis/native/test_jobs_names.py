"""Names of files in the list of background jobs, and their length."""

import httpx2
import pytest

from auricle.values.errors import AudioError
from tests.apis.native.job_requests import post, until
from tests.support.service import Live

pytestmark = pytest.mark.server


async def test_the_list_has_the_names_of_files_and_their_length(
    running: Live, client: httpx2.AsyncClient
) -> None:
    await post(client, "named", file_name="会議 1.wav")
    await until(client, "named", "done")
    running.decoder.script = [AudioError("It is broken.")]
    await post(client, "nameless")
    await until(client, "nameless", "failed")
    nameless, named = (await client.get("/jobs")).json()["jobs"]
    assert (named["file_name"], nameless["file_name"]) == ("会議 1.wav", "")
    result = (await client.get("/jobs/named")).json()["result"]
    assert named["duration_ms"] == result["duration_ms"] > 0
    assert nameless["duration_ms"] is None


async def test_a_name_is_no_part_of_a_job_and_has_no_control_characters(
    client: httpx2.AsyncClient,
) -> None:
    assert (await post(client, "a", file_name="one.wav")).status_code == 202
    assert (await post(client, "a", file_name="two.wav")).status_code == 202
    for name in ("a\0", "a\x1b[2J", "a\nb", "x" * 256):
        assert (await post(client, "b", file_name=name)).status_code == 400
