"""One long job: sent, watched, and what is left of it after the death of its server."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.faulty_engine import BegunChunk, begun_chunks

POLL_S = 0.1
LIMIT_S = 3600.0
SCRIPTED = "tests.support.scripted_engine"
PACE = 0.05
"""Seconds that a scripted worker takes for a second of speech."""


def send(url: str, job_id: str, ogg: bytes) -> None:
    """Send a job.

    Raises:
        SystemExit: It was not accepted.
    """
    params: dict[str, Any] = {"wait": 0, "job_id": job_id, "language": "en", "beam_size": 1}
    headers = {"content-type": "audio/ogg"}
    response = httpx2.post(
        f"{url}/utterance", params=params, headers=headers, content=ogg, timeout=600
    )
    if response.status_code != 202:
        raise SystemExit(f"the job was not accepted: {response.status_code} {response.text}")


def look(url: str, job_id: str) -> dict[str, Any]:
    """Return the state of a job."""
    body: dict[str, Any] = httpx2.get(f"{url}/jobs/{job_id}", timeout=60).json()
    return body


def wait_progress(url: str, job_id: str, fraction: float) -> None:
    """Wait until a fraction of a job is done.

    Raises:
        SystemExit: The job ended before, or made no progress.
    """
    deadline = time.monotonic() + LIMIT_S
    while (job := look(url, job_id))["progress"] < fraction:
        if job["state"] not in ("queued", "running") or time.monotonic() > deadline:
            raise SystemExit(f"the job is {job['state']} at {job['progress']}")
        time.sleep(POLL_S)


def wait_done(url: str, job_id: str) -> str:
    """Wait for the result of a job, and return its text.

    Raises:
        SystemExit: The job failed, or has gaps.
    """
    deadline = time.monotonic() + LIMIT_S
    while (job := look(url, job_id))["state"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise SystemExit(f"the job is {job['state']} at {job['progress']}")
        time.sleep(POLL_S)
    if job["state"] != "done" or job["result"]["error"] is not None:
        raise SystemExit(f"the job is {job['state']}: {job['error']}")
    return str(job["result"]["text"])


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of a run, which notes the chunks that it begins.

    Attributes:
        folder: For its notes.
        is_scripted: Whether it is scripted; otherwise the model.
    """

    folder: Path
    is_scripted: bool

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a server whose chunks are noted under a name."""
        variables = {
            "AURICLE_ENGINE": "tests.support.faulty_engine",
            "AURICLE_BENCH_FAULTS": str(self.folder),
            "AURICLE_BENCH_CHUNKS": str(self.folder / name),
        }
        if self.is_scripted:
            variables |= {"AURICLE_BENCH_ENGINE": SCRIPTED, "AURICLE_BENCH_PACE": str(PACE)}
        return variables

    def begun(self, name: str) -> list[BegunChunk]:
        """Return the chunks that this server began."""
        return begun_chunks(self.folder / name)


def repeated(before: list[BegunChunk], after: list[BegunChunk], stored: int) -> dict[str, Any]:
    """Compare the work before and after a death.

    Args:
        before: Chunks begun before it.
        after: Chunks begun after it.
        stored: Number of chunks that were stored at the death.
    """
    twice = [chunk for chunk in after if chunk in set(before)]
    return {
        "chunks": len({*before, *after}),
        "audio_s": round(sum(chunk.audio_s for chunk in {*before, *after}), 1),
        "begun_before": len(before),
        "stored_before": stored,
        "open_at_death": len(before) - stored,
        "repeated_chunks": len(twice),
        "repeated_s": round(sum(chunk.audio_s for chunk in twice), 1),
    }
