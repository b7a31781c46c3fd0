"""What stands in for workers that a server does not have."""

from typing import Any, cast

import pytest

from auricle.values.errors import NoWorkerReady, TurnsUnavailable, UnsupportedFormat
from auricle.values.optional_workers import (
    NO_FRAME_DECODER,
    NO_OPTIONAL_WORKERS,
    NO_PARTIAL_TRANSCRIBER,
    NO_TURN_JUDGE,
    OPTIONAL_KINDS,
    NoTurnJudge,
    OptionalWorkers,
)
from auricle.values.transcriber import Stats
from auricle.values.types import ANONYMOUS, FrameCodec

pytestmark = pytest.mark.unit

JOB = cast(Any, None)


class Judge(NoTurnJudge):
    def stats(self) -> Stats:
        return Stats(ready=True)


def test_only_workers_that_there_are_have_statistics() -> None:
    assert OPTIONAL_KINDS == ("partials", "speakers", "turns", "frames")
    assert NO_OPTIONAL_WORKERS.statistics() == {}
    assert not NO_OPTIONAL_WORKERS.judges_turns
    workers = OptionalWorkers(turns=Judge())
    assert workers.judges_turns
    assert {kind: stats() for kind, stats in workers.statistics().items()} == {
        "turns": Stats(ready=True)
    }


async def test_absent_workers_refuse_jobs_and_take_none() -> None:
    partials = NO_PARTIAL_TRANSCRIBER
    assert [*partials.languages, partials.is_ready, partials.recognises(JOB)] == [False, False]
    with pytest.raises(NoWorkerReady):
        await partials.transcribe(JOB)
    NO_TURN_JUDGE.prepare()
    with pytest.raises(TurnsUnavailable):
        await NO_TURN_JUDGE.judge(JOB)
    with pytest.raises(UnsupportedFormat, match="decodes no live"):
        NO_FRAME_DECODER.open(FrameCodec.MP3, b"", client=ANONYMOUS)
    assert partials.stats() == NO_TURN_JUDGE.stats() == NO_FRAME_DECODER.stats() == Stats()
