"""Live captions by Auricle's client, which resumes, over a network that fails."""

import anyio

from auricle.client import ClientRules, Final, LiveClient, StreamParameters
from auricle.values.errors import AuricleError
from tests.resilience.chaos.clients.site import Broken, Site, chunks, paced
from tests.resilience.chaos.recordings import Recording

KIND = "native"
RULES = ClientRules(max_delay_s=2.0, first_patience_s=60.0, patience_s=120.0, silence_s=2.0)


async def transcribe(site: Site, recording: Recording) -> str:
    """Send speech, and return the text of all finals.

    Raises:
        Broken: A final is duplicated, out of order, missing or has an error.
    """
    finals: list[Final] = []
    parameters = StreamParameters(language="en")
    try:
        async with (
            LiveClient(
                site.network_url, parameters, api_key=site.keys[KIND], rules=RULES
            ) as client,
            anyio.create_task_group() as group,
        ):

            async def speak() -> None:
                async for part in paced(chunks(recording.pcm)):
                    client.push(part)
                client.finish()

            group.start_soon(speak)
            async for event in client:
                if isinstance(event, Final):
                    finals.append(event)
            dropped_samples = client.dropped_samples
    except* AuricleError as failed:
        raise Broken(f"the stream ended: {failed.exceptions[0]!r}") from None
    if dropped_samples:
        raise Broken(f"the client dropped {dropped_samples} samples")
    if [final.id for final in finals] != list(range(1, len(finals) + 1)):
        raise Broken(f"finals came as {[final.id for final in finals]}")
    if errors := [final.error for final in finals if final.error]:
        raise Broken(f"finals with errors: {errors}")
    return " ".join(final.text for final in finals)
