from pathlib import Path

import numpy as np
import pytest

from auricle.server.jobs.run import (
    Deadline,
    internal_id,
    transcribe_short,
)
from auricle.server.uploads.params import Fields, check
from auricle.values.errors import DeadlineExceeded
from auricle.values.types import ANONYMOUS
from tests.support.service import CLIP, opened

pytestmark = pytest.mark.server


def test_a_deadline_that_has_passed_is_an_error() -> None:
    assert 0 < Deadline(60).left_s() <= 60
    with pytest.raises(DeadlineExceeded):
        Deadline(0).left_s()


def test_ids_of_our_own_differ_and_hold_the_callers() -> None:
    assert internal_id("a") != internal_id("a")
    assert internal_id("a").startswith("a#")


async def test_an_utterance_that_took_too_long_to_decode_is_not_submitted(tmp_path: Path) -> None:
    async with opened(tmp_path) as service:
        with pytest.raises(DeadlineExceeded):
            await transcribe_short(
                service.state.recognition,
                check(Fields()),
                CLIP.pcm,
                client=ANONYMOUS,
                reservation=None,
                deadline=Deadline(0),
                decode_s=1,
            )
        assert service.transcriber.jobs == []


async def test_silence_reports_its_length_and_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as service:
        result = await transcribe_short(
            service.state.recognition,
            check(Fields()),
            np.zeros(16_000, np.int16),
            client=ANONYMOUS,
            reservation=None,
            deadline=Deadline(60),
            decode_s=0.25,
        )
    assert (result.transcript.text, result.transcript.duration_samples) == ("", 16_000)
    assert result.transcript.timing.decode_ms >= 250
