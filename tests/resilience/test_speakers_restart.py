"""Speakers keep their numbers over the death of the server, for the speaker and for readers."""

import signal
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest

from auricle.client import ClientRules, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.events import Final, SpeakerRevision
from auricle.values.types import SAMPLE_RATE_HZ
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, digest_of
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from tests.support.command import Command, serving
from tests.support.dialogue import JOE, deeper
from tests.support.poll import poll_until
from tests.support.readers import EventReader

pytestmark = [pytest.mark.process, pytest.mark.wall_clock, pytest.mark.anyio]

PAUSE = np.zeros(SAMPLE_RATE_HZ, np.int16)
FIRST = np.concatenate([JOE.pcm, PAUSE])
SECOND = np.concatenate([deeper(JOE.pcm), PAUSE])
STEP = SAMPLE_RATE_HZ // 10
RULES = ClientRules(first_delay_s=0.05, max_delay_s=0.2)


@dataclass
class Talk:
    """A client with speakers, and the newest label of each of its finals."""

    client: LiveClient
    speakers: dict[int, int | None] = field(default_factory=dict)
    end_samples: list[int] = field(default_factory=list)
    said: int = 0

    async def listen(self) -> None:
        async for event in self.client:
            if isinstance(event, Final):
                self.speakers[event.id] = event.speaker
                self.end_samples.append(event.end_sample)
            elif isinstance(event, SpeakerRevision):
                self.speakers |= {final.id: final.speaker for final in event.finals}

    def push(self, *turns: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        for turn in turns:
            self.said += turn.size
            for at in range(0, turn.size, STEP):
                self.client.push(turn[at : at + STEP])

    async def until_labelled(self) -> None:
        """Wait for the last final of what was said, and for the speakers of all finals."""
        last = self.said - 2 * SAMPLE_RATE_HZ
        await poll_until(lambda: bool(self.end_samples) and self.end_samples[-1] > last, "finals")
        await poll_until(lambda: None not in self.speakers.values(), "speakers")

    def speakers_since(self, finals: int) -> set[int | None]:
        """Return the speakers of all finals after the first ones."""
        return {speaker for id, speaker in self.speakers.items() if id > finals}


def voices(folder: Path) -> list[KnownVoices | None]:
    """Return the voices of all sessions in the database."""
    [file] = folder.glob("**/*.sqlite3")
    model = digest_of(BUNDLED_MODEL)
    with closing(sqlite3.connect(file, timeout=10)) as database:
        rows = database.execute("SELECT voices FROM voices").fetchall()
    return [KnownVoices.decoded(data, model) for (data,) in rows]


async def until_stored(folder: Path, speakers: int) -> None:
    def is_stored() -> bool:
        return [None if v is None else v.numbers.size for v in voices(folder)] == [speakers]

    await poll_until(is_stored, "stored voices")


def again(
    stack: ExitStack, folder: Path, server: Command, url: str, how: signal.Signals
) -> Command:
    """End a server, and start the next one at its port."""
    server.process.send_signal(how)
    server.wait()
    server, _ = stack.enter_context(serving(folder, port=int(url.rsplit(":", 1)[1])))
    return server


@pytest.mark.parametrize("has_reader", [False, True], ids=["alone", "read"])
async def test_numbers_continue_after_the_server_was_killed_and_stopped(
    tmp_path: Path, *, has_reader: bool
) -> None:
    asked = StreamParameters(language="en", speakers=True)
    with serving(tmp_path) as (server, url), ExitStack() as stack:
        client = LiveClient(url, asked, rules=RULES)
        async with client, anyio.create_task_group() as tasks:
            talk = Talk(client)
            tasks.start_soon(talk.listen)
            talk.push(FIRST, SECOND)
            await talk.until_labelled()
            assert set(talk.speakers.values()) == {0, 1}
            if has_reader:
                async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
                    [session] = (await http.get("/v1/sessions")).json()["sessions"]
                reader = EventReader(f"{url}/v1/sessions/{session['id']}")
                tasks.start_soon(reader.run)
                await poll_until(lambda: reader.speakers == talk.speakers, "the reader's finals")
            for how in (signal.SIGKILL, signal.SIGTERM):
                await until_stored(tmp_path, 2)
                server = again(stack, tmp_path, server, url, how)
                finals = len(talk.speakers)
                talk.push(SECOND)
                await talk.until_labelled()
                assert talk.speakers_since(finals) == {1}
                finals = len(talk.speakers)
                talk.push(FIRST)
                await talk.until_labelled()
                assert talk.speakers_since(finals) == {0}
            if has_reader:
                await poll_until(lambda: reader.speakers == talk.speakers, "the reader's labels")
            client.finish()
            await poll_until(lambda: not voices(tmp_path), "the voices' removal")
            tasks.cancel_scope.cancel()
