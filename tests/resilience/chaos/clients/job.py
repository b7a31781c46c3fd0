"""A long file as a job: uploaded, polled until it is done, and read once more."""

import asyncio
import uuid

from tests.resilience.chaos.clients.site import Broken, Site
from tests.resilience.chaos.recordings import Recording

KIND = "job"
POLL_S = 0.5


async def transcribe(site: Site, recording: Recording) -> str:
    """Return the result's text.

    Raises:
        Broken: The job failed, is unknown, or has gaps.
    """
    name = uuid.uuid4().hex
    await site.post(
        KIND,
        "/utterance",
        params={"wait": 0, "job_id": name, "language": "en", "beam_size": 1},
        headers={"content-type": "audio/ogg"},
        content=recording.opus,
    )
    while True:
        job = (await site.get(KIND, f"/jobs/{name}")).json()
        if job["state"] not in ("queued", "running"):
            break
        await asyncio.sleep(POLL_S)
    if job["state"] != "done" or job["result"]["error"] is not None:
        raise Broken(f"the job ended as {job['state']}: {job['error'] or job['result']['error']}")
    if (await site.get(KIND, f"/jobs/{name}")).json() != job:
        raise Broken("the job changed after its end")
    return str(job["result"]["text"])
