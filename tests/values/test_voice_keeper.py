"""Without the part that distinguishes speakers, no voice is kept."""

import anyio
import pytest

from auricle.values.speakers import NO_SPEAKERS
from auricle.values.types import ClientId
from auricle.values.voice_keeper import NO_VOICE_STORE, StoredVoices

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

ALICE = ClientId("alice")


class Voices:
    labelled_finals = 1
    has_voices = True

    def voices(self) -> bytes:
        return b"voices"


async def test_the_voices_of_a_session_are_not_found() -> None:
    it = NO_SPEAKERS.keep_voices(NO_VOICE_STORE)
    it.restore(0.0, 600.0)
    it.open("A", Voices(), ALICE, "")
    assert it.find(ALICE, "A") == b""
    it.end("A", 600.0)
    assert it.find(ALICE, "A") == b""
    with anyio.fail_after(60):
        await it.run()


def test_without_a_store_voices_end_with_the_server() -> None:
    NO_VOICE_STORE.write([], [StoredVoices("A", ALICE, b"voices")], 0.0)
    assert NO_VOICE_STORE.take_over(-1.0, 10) == []
