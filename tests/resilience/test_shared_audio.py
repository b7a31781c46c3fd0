"""Two gateways share a PostgreSQL and a bucket: one is killed, the other finishes its jobs."""

from pathlib import Path
from typing import Any

import pytest

from tests.resilience.test_job_kill import CLIP, job, kill, post, until_done
from tests.support.command import ROOT, serving, until
from tests.support.postgres import PostgresServer
from tests.support.s3 import BUCKET, S3Server

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_a_gateway_finishes_the_jobs_of_a_dead_one_from_the_bucket(
    tmp_path: Path, postgres: PostgresServer, s3: S3Server, bucket_settings: dict[str, Any]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    gate, notes = tmp_path / "gate", tmp_path / "notes"
    gate.touch()
    script = f"scripted:note:{notes}\nscripted:hold:{gate}"
    settings = bucket_settings | {
        "database_url": postgres.conninfo,
        "sandbox_folders": f"{tmp_path},{ROOT}",
        "job_timeout_min_s": 2000,
        "max_file_jobs": 1,
        "workers": 1,
    }
    prefix = bucket_settings["audio_url"].removeprefix(f"s3://{BUCKET}/")

    def stored() -> int:
        return int(s3.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"])

    with serving(first, **settings) as (server, url):
        pcm = CLIP.pcm.tobytes()
        post(url, "undisturbed", pcm)
        expected = until_done(url, "undisturbed", server)["text"]
        assert post(url, "running", pcm, initial_prompt=script).status_code == 202
        until(notes.exists, server)
        for number in range(3):
            assert post(url, f"queued-{number}", pcm).status_code == 202
        assert job(url, "queued-2")["state"] == "queued"
        kill(server)
    assert stored() == 4
    gate.unlink()
    with serving(second, **settings) as (server, url):
        for job_id in ("running", "queued-0", "queued-1", "queued-2"):
            body = until_done(url, job_id, server)
            assert (body["state"], body["text"]) == ("done", expected)
        until(lambda: stored() == 0, server)
    assert not (first / "state" / "audio").exists()
    assert not (second / "state" / "audio").exists()
