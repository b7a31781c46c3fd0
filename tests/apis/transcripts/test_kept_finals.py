"""Finals of sessions whose transcripts are kept."""

from pathlib import Path

import anyio
import pytest

from auricle.apis.transcripts import keeper as transcript_keeper
from auricle.apis.transcripts.keeper import TranscriptKeeper
from auricle.apis.transcripts.stored.transcripts import Transcripts
from auricle.ledger.databases.sqlite import SqliteDatabase
from tests.server.live.connection.helpers import PLAIN, connected
from tests.support.live_sessions import ALICE, sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm

pytestmark = pytest.mark.server


async def test_a_final_is_sent_only_after_it_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_keeper, "SEND_LIMIT_S", 60.0)
    database = SqliteDatabase.open(tmp_path)
    transcripts = Transcripts(database)
    keeper = TranscriptKeeper(transcripts, keep_s=1e9)
    async with sessions(followers={"transcripts": keeper}) as fakes:
        place = fakes.live.places.admit(ALICE, None)
        runner = await fakes.live.open(fakes.group, ALICE, PLAIN, place, owner=ALICE)
        line = await connected(fakes, runner)
        line.socket.send(pcm(SPEECH[:16_000]))
        line.socket.tell("finalize")
        await poll_until(lambda: keeper.waiting)
        await anyio.lowlevel.checkpoint()
        assert not line.socket.of("final")
        fakes.group.start_soon(keeper.run)
        await poll_until(lambda: line.socket.of("final"))
        found = transcripts.find(ALICE, runner.session.id)
        assert found is not None, "it was sent before it was stored"
        assert [segment.text for segment in found[1]] == [line.socket.of("final")[0]["text"]]
        line.socket.leave()
        await line.ended()
    database.close()
